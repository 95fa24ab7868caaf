"""What `storage` does, on stores that fsspec knows and `tf.io.gfile` does not: `s3://`, `abfs://`, `sftp://`, ...

Where a store is and who may enter, fsspec takes from its own configuration and the store's (for S3:
`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `~/.aws`). An object is replaced in one step when its upload is complete; there
is no rename but copying and removing.
"""

import contextlib
import functools
import os
import time

from keras_gensynth_callback.errors import InvalidArgumentError, MissingExtraError

# In these a folder is the beginning of names. s3fs's `makedirs` would make a missing bucket.
_BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "r2")


@contextlib.contextmanager
def _as_os_errors(path):
    """What goes wrong in a store is an error of the file system, whatever its client calls it."""
    try:
        yield
    except (OSError, InvalidArgumentError, MissingExtraError):
        raise
    except Exception as error:
        raise OSError(f"{path}: {type(error).__name__}: {error}") from error


def _on_store(function):
    @functools.wraps(function)
    def wrapped(*paths):
        with _as_os_errors(paths[-1]):
            return function(*paths)

    return wrapped


def _opened(url):
    """The file system of a URL, and the path in it."""
    scheme = url.split("://")[0]
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(
            f"{url!r} is in a store that TensorFlow does not know ({scheme}://); fsspec may, which is not installed. "
            "pip install keras-gensynth-callback[fsspec], and fsspec's package for the store, such as s3fs for s3://."
        ) from error
    try:
        # Others may write there: what was listed before may no longer be so.
        return fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise MissingExtraError(
            f"{url!r}: {error}. pip install what fsspec asks for; for s3:// that is s3fs."
        ) from error
    except ValueError as error:
        raise InvalidArgumentError(
            f"{url!r} is in a store that neither TensorFlow nor fsspec knows ({error}). Expected a path on this "
            f"machine, or a scheme such as s3://; those of fsspec are in fsspec.available_protocols()."
        ) from error


@_on_store
def open_to_read(path):
    store, inside = _opened(path)
    return store.open(inside, "rb")


@_on_store
def write_file(path, content):
    store, inside = _opened(path)
    store.pipe_file(inside, content)


@_on_store
def exists(path):
    store, inside = _opened(path)
    return store.exists(inside)


@_on_store
def is_folder(path):
    store, inside = _opened(path)
    return store.isdir(inside)


@_on_store
def size(path):
    store, inside = _opened(path)
    return store.size(inside)


@_on_store
def modified(path):
    store, inside = _opened(path)
    times = [store.modified(file).timestamp() for file in store.find(inside)]
    return max(times) if times else time.time()


@_on_store
def make_folders(path):
    if path.split("://")[0] not in _BUCKETS:
        store, inside = _opened(path)
        store.makedirs(inside, exist_ok=True)


@_on_store
def list_folder(folder):
    store, inside = _opened(folder)
    try:
        paths = store.ls(inside, detail=False)
    except (FileNotFoundError, NotADirectoryError):
        return []
    # A store may list the folder itself, too.
    own = inside.rstrip("/")
    return [os.path.basename(path.rstrip("/")) for path in paths if path.rstrip("/") != own]


@_on_store
def move(source, destination):
    store, inside = _opened(destination)
    if "://" in source:
        store.mv(_opened(source)[1], inside)
    else:
        store.put_file(source, inside)
        os.remove(source)


@_on_store
def copy(source, destination):
    store, inside = _opened(destination)
    store.copy(_opened(source)[1], inside)


@_on_store
def remove(path):
    store, inside = _opened(path)
    store.rm_file(inside)


@_on_store
def remove_tree(path):
    store, inside = _opened(path)
    store.rm(inside, recursive=True)
