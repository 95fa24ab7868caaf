"""Who may write to a folder: one process at a time, and of each series of exports one training at a time.

Both locks are the operating system's (`flock`), so that none is left locked when a process is killed. Where there is
none (Windows, stores, some network file systems) nobody is kept out.
"""

import contextlib
import hashlib
import os
import threading
import weakref
from typing import Dict, Set

from keras_gensynth_callback.checkpoint import storage
from keras_gensynth_callback.errors import FolderInUseError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_threads = threading.RLock()
_locked: Set[str] = set()
_claims: Dict[str, "weakref.ref[Claim]"] = {}


@contextlib.contextmanager
def locked(folder):
    """Inside of the block no other thread, and no other process, changes what the state file names."""
    with _threads:
        key = os.path.realpath(folder) if storage.is_local(folder) else folder
        if key in _locked:
            yield
            return
        descriptor = _open(folder, os.O_RDONLY)
        if descriptor is not None:
            _flock(descriptor, wait=True)
        _locked.add(key)
        try:
            yield
        finally:
            _locked.discard(key)
            _close(descriptor)


class Claim:
    """One process's right to a series of exports, until nothing refers to it any more.

    Args:
        folder: str, an existing folder.
        series: str, what the exports have in common: their name before it is filled in.

    Raises:
        FolderInUseError: a training in another process has it.
    """

    def __init__(self, folder, series):
        name = hashlib.sha256(series.encode("utf-8")).hexdigest()[:8]
        self._path = os.path.join(folder, f".gensynth-lock-{name}")
        self._descriptor = None
        while self._descriptor is None and storage.is_local(folder) and fcntl is not None:
            descriptor = _open(self._path, os.O_RDWR | os.O_CREAT)
            if descriptor is None:
                break
            if not _flock(descriptor, wait=False):
                os.close(descriptor)
                raise _in_use(self._path, folder, series)
            # Its last owner may have removed the file between our two steps.
            if _is_file(self._path, descriptor):
                self._descriptor = descriptor
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
            else:
                _close(descriptor)
        weakref.finalize(self, _give_up, self._path, self._descriptor, os.getpid())

    def __deepcopy__(self, memo):
        return self


def claim(folder, series):
    """The Claim of this process: within it, trainings share one."""
    with _threads:
        key = os.path.join(os.path.realpath(folder) if storage.is_local(folder) else folder, series)
        held = _claims.get(key, lambda: None)()
        if held is None:
            held = Claim(folder, series)
            _claims[key] = weakref.ref(held)
        return held


def _give_up(path, descriptor, owner):
    # A fork has the descriptor too, and must not give up what its parent has.
    if descriptor is None or os.getpid() != owner:
        return
    with contextlib.suppress(OSError):
        if _is_file(path, descriptor):
            os.remove(path)
    _close(descriptor)


def _in_use(path, folder, series):
    owner = ""
    with contextlib.suppress(OSError), open(path) as file:
        written = file.read().strip()
        owner = f", process {written}," if written.isdigit() else ""
    return FolderInUseError(
        f"Exports named {series!r} in the folder {folder!r} are written by another training{owner} at this moment, and "
        "two would overwrite and remove each other's. Wait until it has ended, or choose another `filepath`."
    )


def _open(path, flags):
    if fcntl is None or not storage.is_local(path):
        return None
    try:
        return os.open(path, flags, 0o644)
    except OSError:
        return None  # what then fails to write there says why


def _flock(descriptor, wait):
    """Whether the lock is ours now, or this file system knows none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _close(descriptor):
    if descriptor is None:
        return
    # Said aloud: a process that was forked meanwhile keeps the descriptor open, and with it the lock.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _is_file(path, descriptor):
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
