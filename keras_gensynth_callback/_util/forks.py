"""What a process that was forked must not take over from its parent: locks of other threads, and descriptors of locks.

A lock of the operating system belongs to the open file, which a fork shares: it would last as long as the fork.
"""

import contextlib
import os
import weakref
from typing import Any, Callable, List, Set

_descriptors: Set[int] = set()
_files: "weakref.WeakSet[Any]" = weakref.WeakSet()
_resets: List[Callable[[], None]] = []


def in_child(reset):
    """Has a function called in each process that is forked from this one. Decorates it."""
    _resets.append(reset)
    return reset


def keep(descriptor):
    """Notes a descriptor that forks must close."""
    _descriptors.add(descriptor)


def drop(descriptor):
    """Closes a descriptor that was kept."""
    _descriptors.discard(descriptor)
    os.close(descriptor)


def keep_file(file):
    """Notes an open file that forks must close."""
    _files.add(file)


def _after_fork():
    for file in list(_files):
        with contextlib.suppress(OSError):
            file.close()
    for descriptor in list(_descriptors):
        try:
            os.close(descriptor)
        except OSError:
            pass
    _descriptors.clear()
    for reset in _resets:
        reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
