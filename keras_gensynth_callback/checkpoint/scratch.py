"""The hidden folder beside the export in which a write in progress keeps what no reader should see yet.

Its name tells which process made it, so that what a killed process left behind is known from what a living one is
working on. On another machine of a shared file system nobody can ask whether a process lives: there, age decides. Where
the file system has locks, a living process holds one besides, so that neither a clock that jumps nor a process id that
is used again takes its folder away.

A scratch folder may hold a journal: what has to be undone if its writer does not finish (see `commit`).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import os
import re
import socket
import time
import uuid
from typing import Iterator, List, Set

import tensorflow as tf

from . import storage
from .lock import held, is_held

logger = logging.getLogger("keras_gensynth_callback")

STALE_AFTER_SECONDS = 24 * 3600
JOURNAL = "journal"

_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_RUN = uuid.uuid4().hex[:8]
_COUNTER = itertools.count()
_in_use: Set[str] = set()
_NAME = re.compile(r"\.gensynth-tmp-(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]+)-(?P<run>[0-9a-f]{8})-[0-9]+")


def new_name() -> str:
    """A name for a temporary file or folder, as no other write has it."""
    return f".gensynth-tmp-{_HOST}-{os.getpid()}-{_RUN}-{next(_COUNTER)}"


@contextlib.contextmanager
def scratch_folder(folder: str) -> Iterator[str]:
    """Makes a temporary folder inside `folder`, and removes it again, unless a journal is left in it."""
    name = new_name()
    path = os.path.join(folder, name)
    _in_use.add(name)
    try:
        storage.make_new_folder(path)
        with held(path):
            yield path
    finally:
        _in_use.discard(name)
        with contextlib.suppress(OSError, tf.errors.OpError):
            if not storage.exists(os.path.join(path, JOURNAL)):
                discard(path)


def is_name(name: str) -> bool:
    """Whether this is the name of a temporary file or folder."""
    return bool(_NAME.fullmatch(name))


def replace_file(path: str, content: bytes) -> None:
    """Writes a file beside its place and moves it there: what stood there, a link say, is replaced in one step."""
    temporary = os.path.join(os.path.dirname(path), new_name())
    try:
        storage.write_file(temporary, content)
        storage.move(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError, tf.errors.OpError):
            storage.remove(temporary)
        raise


def discard(path: str) -> None:
    """Removes a temporary file or folder. What resists is left to the next write, which tries again."""
    try:
        if storage.kind(path) == "folder":
            storage.remove_tree(path)
        else:
            storage.remove(path)
    except (OSError, tf.errors.OpError) as error:
        logger.warning("%r, which an export left behind, cannot be removed: %s", path, error)


def abandoned(folder: str) -> List[str]:
    """The temporary files and folders in `folder` that nobody is working with any more."""
    paths = [(_NAME.fullmatch(name), os.path.join(folder, name)) for name in storage.list_folder(folder)]
    return [path for match, path in paths if match and not _is_in_use(match, path)]


def _is_in_use(match: re.Match[str], path: str) -> bool:
    if is_held(path):
        return True
    if match["host"] != _HOST:
        # One from the future is not young: somebody's clock was wrong.
        return abs(time.time() - _modified(path)) < STALE_AFTER_SECONDS
    pid = int(match["pid"])
    if pid == os.getpid():
        return match.group() in _in_use
    return _process_lives(pid)


def _modified(path: str) -> float:
    try:
        return storage.modified(path)
    except (OSError, tf.errors.OpError):
        return time.time()


def _process_lives(pid: int) -> bool:
    if os.name == "nt":
        # Signal 0 asks nothing on Windows: it interrupts.
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # or a number that no process has
        return False
    except PermissionError:
        return True
    return pid > 0  # 0 would be our own group of processes
