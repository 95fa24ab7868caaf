"""The hidden folder beside the export in which a write in progress keeps what no reader should see yet.

Its name tells which process made it, so that what a killed process left behind is known from what a living one is
working on. On another machine of a shared file system nobody can ask whether a process lives: there, age decides.

A scratch folder may hold a journal: what has to be undone if its writer does not finish (see `commit`).
"""

import contextlib
import hashlib
import itertools
import os
import re
import socket
import time
import uuid
from typing import Set

import tensorflow as tf

from keras_gensynth_callback.checkpoint import storage

STALE_AFTER_SECONDS = 24 * 3600
JOURNAL = "journal"

_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_RUN = uuid.uuid4().hex[:8]
_COUNTER = itertools.count()
_in_use: Set[str] = set()
_NAME = re.compile(r"\.gensynth-tmp-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<run>[0-9a-f]{8})-\d+")


def new_name():
    """A name for a temporary file or folder, as no other write has it."""
    return f".gensynth-tmp-{_HOST}-{os.getpid()}-{_RUN}-{next(_COUNTER)}"


@contextlib.contextmanager
def scratch_folder(folder):
    """Makes a temporary folder inside `folder`, and removes it again, unless a journal is left in it."""
    name = new_name()
    path = os.path.join(folder, name)
    _in_use.add(name)
    try:
        storage.make_folders(path)
        yield path
    finally:
        _in_use.discard(name)
        if not storage.exists(os.path.join(path, JOURNAL)):
            discard(path)


def discard(path):
    """Removes a temporary file or folder. What resists is left to the next write, which tries again."""
    with contextlib.suppress(OSError, tf.errors.OpError):
        if storage.is_folder(path):
            storage.remove_tree(path)
        else:
            storage.remove(path)


def abandoned(folder):
    """The temporary files and folders in `folder` that nobody is working with any more."""
    paths = [(_NAME.fullmatch(name), os.path.join(folder, name)) for name in storage.list_folder(folder)]
    return [path for match, path in paths if match and not _is_in_use(match, path)]


def _is_in_use(match, path):
    if match["host"] != _HOST:
        return time.time() - _modified(path) < STALE_AFTER_SECONDS
    pid = int(match["pid"])
    if pid == os.getpid():
        return match.group() in _in_use
    return _process_lives(pid)


def _modified(path):
    try:
        return storage.modified(path)
    except (OSError, tf.errors.OpError):
        return time.time()


def _process_lives(pid):
    if os.name == "nt":
        # Signal 0 asks nothing on Windows: it interrupts.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
