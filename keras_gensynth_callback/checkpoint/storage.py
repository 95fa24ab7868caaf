"""One file or one folder at a time: write, flush to the disk, move, link, remove, on whatever the path names.

Three kinds of places: the local file system, of which alone names, links and flushes can be relied on; stores that
`tf.io.gfile` knows (`ram://`, `gs://`); and all others, which fsspec may know (see `fsspec_store`). In a store there is
nothing to flush (a file is durable once closed), a file is replaced in one step, and a copy takes the place of a link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, Iterable, Iterator, List, Optional

import tensorflow as tf

from . import fsspec_store, local

if TYPE_CHECKING:
    from .local import Kind

_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
# What TensorFlow was built with before it could say so.
_SCHEMES_OF_TF_1 = ("", "file", "gs", "hdfs", "s3")


def is_local(path: str) -> bool:
    """Whether the path is one of the operating system's, and not of a store such as `gs://`."""
    return "://" not in path


def _store_of(path: str) -> Optional[ModuleType]:
    """What reads and writes a path: `fsspec_store`, or None for `tf.io.gfile`."""
    if is_local(path):
        return None
    known = getattr(tf.io.gfile, "get_registered_schemes", lambda: _SCHEMES_OF_TF_1)()
    return None if path.split("://")[0] in known else fsspec_store


def open_to_read(path: str) -> BinaryIO:
    """A file object for the bytes of a file. On this machine that must be a regular file, or a link to one."""
    if is_local(path):
        return local.open_to_read(path)
    store = _store_of(path)
    return store.open_to_read(path) if store else tf.io.gfile.GFile(path, "rb")


def read_file(path: str) -> bytes:
    """All bytes of a file."""
    with open_to_read(path) as file:
        return file.read()


def read_small_file(path: str, limit: int, follow: bool = False) -> Optional[bytes]:
    """All bytes of a file that this package keeps in a folder of exports, or None where there is none.

    Args:
        path: str.
        limit: int, how many bytes it may have.
        follow: whether it may be a link.

    Raises:
        OddFileError: something else stands there, or it is larger.
        OSError: it cannot be read.
    """
    if not is_local(path):
        return _read_up_to(limit, path, open_to_read(path)) if exists(path) else None
    try:
        file = local.open_to_read(path, follow)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _read_up_to(limit, path, file)


def _read_up_to(limit: int, path: str, opened: BinaryIO) -> bytes:
    with opened as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise local.OddFileError(errno.EFBIG, f"this file is larger than {limit} bytes", path)
    return content


def write_file(path: str, content: bytes) -> None:
    """Writes bytes to a file, on this machine a new one, and flushes them to the disk."""
    store = _store_of(path)
    if store:
        store.write_file(path, content)
    elif is_local(path):
        local.create(path, content)
        sync_file(path)
    else:
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(content)


def overwrite_file(path: str, content: bytes) -> None:
    """Writes bytes to what the user named: a file that may be there, a link to one, or a device."""
    if is_local(path):
        with open(path, "wb") as file:
            file.write(content)
    else:
        write_file(path, content)


def sync_file(path: str) -> None:
    """Flushes a closed file to the disk."""
    if is_local(path):
        _sync(path, os.O_RDWR)


def sync_folder(path: str) -> None:
    """Flushes a folder, that is the names in it, to the disk."""
    if not is_local(path) or os.name == "nt":
        return
    try:
        _sync(path, os.O_RDONLY)
    except OSError as error:
        # Some file systems flush files alone; there the names are as durable as they can be.
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exists(path: str) -> bool:
    """Whether there is a file or folder."""
    store = _store_of(path)
    return store.exists(path) if store else tf.io.gfile.exists(path)


def is_folder(path: str) -> bool:
    """Whether there is a folder, or a link to one."""
    store = _store_of(path)
    return store.is_folder(path) if store else tf.io.gfile.isdir(path)


def is_plain_file(path: str) -> bool:
    """Whether there is a file that has a size and an end, and no folder, pipe or device. A link counts as what it leads
    to.
    """
    return stat.S_ISREG(os.stat(path).st_mode) if is_local(path) else not is_folder(path)


def kind(path: str) -> Optional[Kind]:
    """What stands at a path: "file", "folder", "link" or "other", which are on this machine alone, or None."""
    if is_local(path):
        return local.kind(path)
    return "folder" if is_folder(path) else "file" if exists(path) else None


def size(path: str) -> int:
    """The length of a file in bytes."""
    store = _store_of(path)
    return store.size(path) if store else tf.io.gfile.stat(path).length


def modified(path: str) -> float:
    """When a file or folder was changed last, in seconds since 1970; now, if that cannot be told."""
    if is_local(path):
        return os.lstat(path).st_mtime
    store = _store_of(path)
    return store.modified(path) if store else tf.io.gfile.stat(path).mtime_nsec / 1e9


def make_folders(path: str) -> None:
    """Makes a folder, and those that it is in, where they are missing."""
    store = _store_of(path)
    store.make_folders(path) if store else tf.io.gfile.makedirs(path)


def make_new_folder(path: str) -> None:
    """Makes a folder that must not be there, in one that is."""
    os.mkdir(path) if is_local(path) else make_folders(path)


def list_folder(folder: str) -> List[str]:
    """The names in a folder; none if there is no such folder."""
    if is_local(folder):
        return local.list_folder(folder)
    store = _store_of(folder)
    if store:
        return store.list_folder(folder)
    if not tf.io.gfile.isdir(folder):
        return []
    return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]


def check_space(folder: str, needed: int) -> None:
    """Refuses to begin what the disk cannot hold. Stores do not say what they can."""
    where = ""
    if _store_of(folder):
        folder = tempfile.gettempdir()
        where = f" in {folder!r}, from where the files are sent"
    free = shutil.disk_usage(folder).free if is_local(folder) else needed
    if free < needed:
        raise OSError(errno.ENOSPC, f"it takes {needed / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free{where}")


def move(source: str, destination: str) -> None:
    """Renames a file; what stood at the destination is replaced in one step."""
    store = _store_of(destination)
    store.move(source, destination) if store else tf.io.gfile.rename(source, destination, overwrite=True)


def link(source: str, destination: str) -> None:
    """Gives a file a second name; where that cannot be, copies it."""
    store = _store_of(source)
    if store:
        store.copy(source, destination)
        return
    if not is_local(source):
        tf.io.gfile.copy(source, destination, overwrite=True)
        return
    try:
        local.link(source, destination)
    except OSError:
        # No hard links on this file system (or not for this file): the copy says if that fails, too.
        local.copy(source, destination)
        if local.kind(destination) == "file":
            sync_file(destination)


def remove(path: str) -> None:
    """Removes a file that may be gone already."""
    store = _store_of(path)
    try:
        store.remove(path) if store else tf.io.gfile.remove(path)
    except (tf.errors.NotFoundError, FileNotFoundError):
        return


def remove_tree(path: str) -> None:
    """Removes a folder with all that is in it."""
    if is_local(path):
        local.remove_tree(path)
        return
    store = _store_of(path)
    store.remove_tree(path) if store else tf.io.gfile.rmtree(path)


@contextlib.contextmanager
def place_to_write(folder: str) -> Iterator[str]:
    """A new folder in which TensorFlow can write files that are to be moved to `folder`."""
    if _store_of(folder):
        with _temporary_folder() as place:
            yield place
    else:
        make_new_folder(folder)
        yield folder


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder that this process removes. (A `TemporaryDirectory` is removed by a fork that ends, too.)"""
    place, owner = tempfile.mkdtemp(prefix="gensynth-"), os.getpid()
    try:
        yield place
    finally:
        if os.getpid() == owner:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def readable(folder: str, names: Iterable[str], local: bool = False) -> Iterator[str]:
    """A folder in which TensorFlow can read these files: the folder itself, or a local copy of them.

    Args:
        folder: str.
        names: list of str, the files that are wanted; those that are missing are left out.
        local: whether another process is to read them, which knows local paths alone.
    """
    if is_local(folder) or not local and not _store_of(folder):
        yield folder
        return
    with _temporary_folder() as place:
        for name in names:
            path = os.path.join(folder, name)
            if exists(path):
                with open_to_read(path) as source, open(os.path.join(place, name), "wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
        yield place
