"""One file or one folder at a time: write, flush to the disk, move, link, remove.

All of it through `tf.io.gfile`, but for the flush and the hard link: gfile has neither. On a store that is not a local
file system there is nothing to flush (a file is durable once closed), and a copy takes the place of a link.
"""

import errno
import os
import shutil

import tensorflow as tf

_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


def is_local(path):
    """Whether the path is one of the operating system's, and not of a store such as `gs://`."""
    return "://" not in path


def write_file(path, content):
    """Writes bytes and flushes them to the disk."""
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)
    sync_file(path)


def read_file(path):
    """All bytes of a file."""
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def sync_file(path):
    """Flushes a closed file to the disk."""
    if is_local(path):
        _sync(path, os.O_RDWR)


def sync_folder(path):
    """Flushes a folder, that is the names in it, to the disk."""
    if not is_local(path) or os.name == "nt":
        return
    try:
        _sync(path, os.O_RDONLY)
    except OSError as error:
        # Some file systems flush files alone; there the names are as durable as they can be.
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _sync(path, flags):
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_space(folder, needed):
    """Refuses to begin what the disk cannot hold. Stores do not say what they can."""
    free = shutil.disk_usage(folder).free if is_local(folder) else needed
    if free < needed:
        raise OSError(errno.ENOSPC, f"it takes {needed / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free")


def move(source, destination):
    """Renames a file; what stood at the destination is replaced in one step where the store can do that."""
    tf.io.gfile.rename(source, destination, overwrite=True)


def link(source, destination):
    """Gives a file a second name; where that cannot be, copies it."""
    if is_local(source):
        try:
            os.link(source, destination)
            return
        except OSError:
            # No hard links on this file system (or not for this file): the copy below says if that fails, too.
            pass
    tf.io.gfile.copy(source, destination, overwrite=True)
    sync_file(destination)


def remove(path):
    """Removes a file that may be gone already."""
    try:
        tf.io.gfile.remove(path)
    except tf.errors.NotFoundError:
        return


def list_folder(folder):
    """The names in a folder; none if there is no such folder."""
    if not tf.io.gfile.isdir(folder):
        return []
    return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
