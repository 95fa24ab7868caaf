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


def _at(function):
    """A function of one URL, of one that takes the URL's file system and the path in it."""

    @functools.wraps(function)
    def wrapped(url, *arguments):
        with _as_os_errors(url):
            return function(*_opened(url), *arguments)

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


@_at
def open_to_read(store, path):
    return store.open(path, "rb")


@_at
def write_file(store, path, content):
    store.pipe_file(path, content)


@_at
def exists(store, path):
    return store.exists(path)


@_at
def is_folder(store, path):
    return store.isdir(path)


@_at
def size(store, path):
    return store.size(path)


@_at
def modified(store, path):
    times = [store.modified(file).timestamp() for file in store.find(path)]
    return max(times) if times else time.time()


@_at
def _make_folders(store, path):
    store.makedirs(path, exist_ok=True)


def make_folders(url):
    if url.split("://")[0] not in _BUCKETS:
        _make_folders(url)


@_at
def list_folder(store, folder):
    try:
        paths = store.ls(folder, detail=False)
    except (FileNotFoundError, NotADirectoryError):
        return []
    # A store may list the folder itself, too.
    own = folder.rstrip("/")
    return [os.path.basename(path.rstrip("/")) for path in paths if path.rstrip("/") != own]


@_at
def _move_here(store, destination, source):
    if "://" in source:
        store.mv(_opened(source)[1], destination)
    else:
        store.put_file(source, destination)
        os.remove(source)


def move(source, destination):
    _move_here(destination, source)


@_at
def _copy_here(store, destination, source):
    store.copy(_opened(source)[1], destination)


def copy(source, destination):
    _copy_here(destination, source)


@_at
def remove(store, path):
    store.rm_file(path)


@_at
def remove_tree(store, path):
    store.rm(path, recursive=True)
