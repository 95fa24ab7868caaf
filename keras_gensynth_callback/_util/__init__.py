"""Small things without a room: versions, sizes in words, a line of progress, what a forked process forgets, the
Pythons of this machine that have a TensorFlow 1.x. Nothing here imports TensorFlow."""

from . import forks
from .formatting import shape_of, size_of
from .interpreters import find_readers
from .progress import shown
from .versions import installed_version

__all__ = [
    "find_readers",
    "forks",
    "installed_version",
    "shape_of",
    "shown",
    "size_of",
]
