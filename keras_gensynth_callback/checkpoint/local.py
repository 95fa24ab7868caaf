"""Files of this machine in a folder that may be somebody else's: no link leads out of it, no pipe is waited for.

A folder of exports may come out of an archive. Where this package finds the names of its own files there, they may be
links, pipes, devices or folders.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING, BinaryIO, List, Optional

if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["file", "folder", "link", "other"]

_TO_READ = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # to open a pipe would wait for its other end
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_TO_CREATE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
# A scratch folder has two levels.
_DEEPEST = 8


class OddFileError(OSError):
    """What stands in the place of a file is none that this package wrote: a link, a pipe, or too large."""


def kind(path: str) -> Optional[Kind]:
    """What stands at a path, links not followed: "file", "folder", "link", "other", or None."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _kind_of(mode)


def _kind_of(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"


def open_to_read(path: str, follow: bool = True) -> BinaryIO:
    """A file object for the bytes of a regular file.

    Args:
        path: str.
        follow: whether the path may be a link.

    Raises:
        OSError: it is not there, or is no regular file.
    """
    _refuse_odd(path, os.stat(path) if follow else os.lstat(path))
    descriptor = os.open(path, _TO_READ | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    try:
        _refuse_odd(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _refuse_odd(path: str, status: os.stat_result) -> None:
    found = _kind_of(status.st_mode)
    if found == "folder":
        raise OddFileError(errno.EISDIR, "a folder stands in the place of this file", path)
    if found != "file":
        words = {"link": "a link", "other": "a pipe, a socket or a device"}[found]
        raise OddFileError(errno.EINVAL, f"{words} stands in the place of this file", path)


def create(path: str, content: bytes) -> None:
    """Writes bytes to a new file."""
    with os.fdopen(os.open(path, _TO_CREATE, 0o666), "wb") as file:
        file.write(content)


def list_folder(folder: str) -> List[str]:
    """The names in a folder; none if there is no such folder."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def link(source: str, destination: str) -> None:
    """Gives a file, or a link itself, a second name. Raises OSError where that cannot be."""
    if os.link in os.supports_follow_symlinks:
        os.link(source, destination, follow_symlinks=False)
    else:
        os.link(source, destination)


def copy(source: str, destination: str) -> None:
    """Copies a file, or a link itself."""
    if kind(source) == "link":
        os.symlink(os.readlink(source), destination)
        return
    with open_to_read(source, follow=False) as file, os.fdopen(os.open(destination, _TO_CREATE, 0o666), "wb") as target:
        shutil.copyfileobj(file, target, 1 << 20)


def remove_tree(path: str) -> None:
    """Removes a folder with all that is in it. Links in it are removed, and not followed.

    Raises:
        OSError: something cannot be removed, or the folder is nested deeper than this package nests any.
    """
    if _is_deeper_than(path, _DEEPEST):
        raise OSError(errno.ELOOP, f"this folder is nested more than {_DEEPEST} levels deep", path)
    shutil.rmtree(path)


def _is_deeper_than(path: str, levels: int) -> bool:
    with os.scandir(path) as entries:
        return any(
            levels == 0 or _is_deeper_than(entry.path, levels - 1)
            for entry in entries
            if entry.is_dir(follow_symlinks=False)
        )
