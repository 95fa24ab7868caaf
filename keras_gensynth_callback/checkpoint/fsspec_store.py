"""What `storage` does, on stores that fsspec knows and `tf.io.gfile` does not: `s3://`, `abfs://`, `sftp://`, ...

Where a store is and who may enter, fsspec takes from its own configuration and the store's (for S3:
`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `~/.aws`). An object is replaced in one step when its upload is complete; there
is no rename but copying and removing.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Iterator, List, Tuple, TypeVar

from keras_gensynth_callback.errors import InvalidArgumentError, MissingExtraError

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    _Arguments = ParamSpec("_Arguments")

# A file system of fsspec, which has no types.
_Store = Any
_Result = TypeVar("_Result")

# In these a folder is the beginning of names. s3fs's `makedirs` would make a missing bucket.
_BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "r2")


@contextlib.contextmanager
def _as_os_errors(path: str) -> Iterator[None]:
    """What goes wrong in a store is an error of the file system, whatever its client calls it."""
    try:
        yield
    except (OSError, InvalidArgumentError, MissingExtraError):
        raise
    except Exception as error:
        raise OSError(f"{path}: {type(error).__name__}: {error}") from error


def _at(
    function: Callable[Concatenate[_Store, str, _Arguments], _Result],
) -> Callable[Concatenate[str, _Arguments], _Result]:
    """A function of one URL, of one that takes the URL's file system and the path in it."""

    @functools.wraps(function)
    def wrapped(url: str, *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        with _as_os_errors(url):
            return function(*_opened(url), *arguments, **named)

    return wrapped


def _opened(url: str) -> Tuple[_Store, str]:
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
def open_to_read(store: _Store, path: str) -> BinaryIO:
    return store.open(path, "rb")


@_at
def write_file(store: _Store, path: str, content: bytes) -> None:
    store.pipe_file(path, content)


@_at
def exists(store: _Store, path: str) -> bool:
    return store.exists(path)


@_at
def is_folder(store: _Store, path: str) -> bool:
    return store.isdir(path)


@_at
def size(store: _Store, path: str) -> int:
    return store.size(path)


@_at
def modified(store: _Store, path: str) -> float:
    times = [store.modified(file).timestamp() for file in store.find(path)]
    return max(times) if times else time.time()


@_at
def _make_folders(store: _Store, path: str) -> None:
    store.makedirs(path, exist_ok=True)


def make_folders(url: str) -> None:
    if url.split("://")[0] not in _BUCKETS:
        _make_folders(url)


@_at
def list_folder(store: _Store, folder: str) -> List[str]:
    try:
        paths = store.ls(folder, detail=False)
    except (FileNotFoundError, NotADirectoryError):
        return []
    # A store may list the folder itself, too.
    own = folder.rstrip("/")
    return [os.path.basename(path.rstrip("/")) for path in paths if path.rstrip("/") != own]


@_at
def _move_here(store: _Store, destination: str, source: str) -> None:
    if "://" in source:
        store.mv(_opened(source)[1], destination)
    else:
        store.put_file(source, destination)
        os.remove(source)


def move(source: str, destination: str) -> None:
    _move_here(destination, source)


@_at
def _copy_here(store: _Store, destination: str, source: str) -> None:
    store.copy(_opened(source)[1], destination)


def copy(source: str, destination: str) -> None:
    _copy_here(destination, source)


@_at
def remove(store: _Store, path: str) -> None:
    store.rm_file(path)


@_at
def remove_tree(store: _Store, path: str) -> None:
    store.rm(path, recursive=True)
