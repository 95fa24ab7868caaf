"""Who may write to a folder: one process at a time, and of each series of exports one training at a time.

All locks are the operating system's (`flock`; `locking` on Windows, which knows files alone, and no folders), so that
none is left locked when a process is killed. Where there is none (stores, some network file systems) nobody is kept
out.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import logging
import os
import stat
import threading
import weakref
from typing import Any, Dict, Iterator, List, Optional, Set

from keras_gensynth_callback._util import forks
from keras_gensynth_callback.errors import FolderInUseError

from . import local, storage

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    msvcrt: Any = importlib.import_module("msvcrt")
except ImportError:
    msvcrt = None

logger = logging.getLogger("keras_gensynth_callback")

_threads = threading.RLock()
_locked: Set[str] = set()
_claims: Dict[str, weakref.ref[Claim]] = {}
# To open a pipe would wait for its other end, and a link may lead anywhere.
_SAFELY = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
_LARGEST_NUMBER = 32  # bytes of a process id
# Windows locks bytes, and nobody else can read these: one that no lock file has.
_LOCKED_BYTE = 2**30


@forks.in_child
def _forget_the_parents() -> None:
    global _threads
    _threads = threading.RLock()
    _locked.clear()
    _claims.clear()


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Inside of the block no other thread, and no other process, changes what the state file names."""
    with _threads:
        key = os.path.realpath(folder) if storage.is_local(folder) else folder
        if key in _locked:
            yield
            return
        # The folder itself may be a link: that is how a user moves exports to a larger disk.
        descriptor = _open(folder, os.O_RDONLY)
        try:
            if descriptor is not None:
                _flock(descriptor, wait=True)
            _locked.add(key)
            yield
        finally:
            _locked.discard(key)
            _close(descriptor)


@contextlib.contextmanager
def held(folder: str) -> Iterator[None]:
    """Inside of the block `is_held` says of this folder, in every process, that somebody works in it."""
    descriptor = _open(folder, os.O_RDONLY | _SAFELY)
    try:
        if descriptor is not None:
            _flock(descriptor, wait=False)
        yield
    finally:
        _close(descriptor)


def is_held(path: str) -> bool:
    """Whether some process holds this folder. False also where there are no such locks."""
    if not storage.is_local(path) or local.kind(path) != "folder":
        return False
    descriptor = _open(path, os.O_RDONLY | _SAFELY)
    try:
        return descriptor is not None and not _flock(descriptor, wait=False)
    finally:
        _close(descriptor)


class Claim:
    """One process's right to a series of exports, until nothing refers to it any more.

    Args:
        folder: str, an existing folder.
        series: str, what the exports have in common: their name before it is filled in.

    Raises:
        FolderInUseError: a training in another process has it.
    """

    def __init__(self, folder: str, series: str) -> None:
        name = hashlib.sha256(series.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        self._path = os.path.join(folder, f".gensynth-lock-{name}")
        # Empty where there are no locks. Given up as well where Ctrl-C comes before it is ours.
        descriptors: List[int] = []
        weakref.finalize(self, _give_up, self._path, descriptors, os.getpid())
        if storage.is_local(folder) and (fcntl or msvcrt) is not None:
            _claim_file(descriptors, self._path, folder, series)

    def __deepcopy__(self, memo: Dict[int, Any]) -> Claim:
        return self


def claim(folder: str, series: str) -> Claim:
    """The Claim of this process: within it, trainings share one."""
    with _threads:
        key = os.path.join(os.path.realpath(folder) if storage.is_local(folder) else folder, series)
        held_claim = _claims.get(key, lambda: None)()
        if held_claim is None:
            held_claim = Claim(folder, series)
            _claims[key] = weakref.ref(held_claim)
        return held_claim


def _claim_file(descriptors: List[int], path: str, folder: str, series: str) -> None:
    """Adds the descriptor of a lock file that is ours now; none where it cannot be made."""
    while _replaces_what_is_no_lock(path):
        descriptor = _open(path, os.O_RDWR | os.O_CREAT | _SAFELY)
        if descriptor is None:
            return
        descriptors.append(descriptor)
        if not _flock(descriptor, wait=False):
            number = _number_in(descriptor)
            _close(descriptors.pop())
            raise _in_use(number, folder, series)
        if _is_ours(path, descriptor):
            with contextlib.suppress(OSError):  # the number is for messages
                os.ftruncate(descriptor, 0)
                os.lseek(descriptor, 0, os.SEEK_SET)
                os.write(descriptor, str(os.getpid()).encode())
            return
        _close(descriptors.pop())


def _is_ours(path: str, descriptor: int) -> bool:
    """Whether a locked file is the lock file. A second name of somebody's file is none, and is removed."""
    # Its last owner may have removed the file before we had its lock.
    if not _is_file(path, descriptor):
        return False
    if os.fstat(descriptor).st_nlink > 1 or _number_in(descriptor) is None:
        os.remove(path)
        return False
    return True


def _replaces_what_is_no_lock(path: str) -> bool:
    """Removes a link, a pipe or a device of the lock's name. Whether the lock file can then be opened."""
    try:
        found = local.kind(path)
        if found in ("link", "other"):
            os.remove(path)
    except OSError:
        return False
    if found == "folder":
        logger.warning("%r is a folder where a lock file must stand, so that no other training is kept out.", path)
    return found != "folder"


def _number_in(descriptor: int) -> Optional[str]:
    """What a lock file says: the digits of a process id, "" or, where it is none, None."""
    with contextlib.suppress(OSError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        content = os.read(descriptor, _LARGEST_NUMBER + 1)
        if len(content) <= _LARGEST_NUMBER and (content.isdigit() or not content):
            return content.decode("ascii")
    return None


def _give_up(path: str, descriptors: List[int], owner: int) -> None:
    # A fork does not have what its parent has.
    if os.getpid() != owner:
        return
    for descriptor in descriptors:
        try:
            with contextlib.suppress(OSError):
                # Ctrl-C may have come before the lock was ours.
                if _flock(descriptor, wait=False) and _is_file(path, descriptor):
                    os.remove(path)
        finally:
            _close(descriptor)


def _in_use(number: Optional[str], folder: str, series: str) -> FolderInUseError:
    owner = f", process {number}," if number else ""
    return FolderInUseError(
        f"Exports named {series!r} in the folder {folder!r} are written by another training{owner} at this moment, and "
        "two would overwrite and remove each other's. Wait until it has ended, or choose another `filepath`."
    )


def _open(path: str, flags: int) -> Optional[int]:
    if (fcntl or msvcrt) is None or not storage.is_local(path):
        return None
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError:
        return None  # what then fails to write there says why
    forks.keep(descriptor)
    return descriptor


def _flock(descriptor: int, wait: bool) -> bool:
    """Whether the lock is ours now, or this file system knows none."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        else:
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):  # the latter on Windows
        return False
    except OSError:
        return True
    return True


def _close(descriptor: Optional[int]) -> None:
    if descriptor is None:
        return
    # Said aloud: where forks could not be told, one keeps the descriptor open, and with it the lock.
    try:
        with contextlib.suppress(OSError):
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            else:
                os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    finally:
        with contextlib.suppress(OSError):
            forks.drop(descriptor)


def _is_file(path: str, descriptor: int) -> bool:
    try:
        status = os.fstat(descriptor)
        return stat.S_ISREG(status.st_mode) and os.path.samestat(os.lstat(path), status)
    except FileNotFoundError:
        return False
