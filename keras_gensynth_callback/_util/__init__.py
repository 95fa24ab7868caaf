"""Small things without a room: versions, sizes in words, a line of progress, what a forked process forgets, logs
as plain Python, the Pythons of this machine that have a TensorFlow 1.x. Nothing here imports TensorFlow."""

from . import forks
from .formatting import shape_of, size_of
from .interpreters import find_readers
from .logs import described, five_digits, numbers_alone, one_number, plain_logs
from .progress import shown
from .versions import installed_version

__all__ = [
    "described",
    "find_readers",
    "five_digits",
    "forks",
    "installed_version",
    "numbers_alone",
    "one_number",
    "plain_logs",
    "shape_of",
    "shown",
    "size_of",
]
