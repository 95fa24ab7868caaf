"""The rewrites: one small function for each op that the target lacks or cannot use as it is.

A rewrite takes a Rewriter and a NodeDef, and returns whether it changed something. It raises Unfit where the node has
no equivalent. To add one, write it under `@rewrites("OpName")` in the module of its kind; a new module must be
imported here.
"""

from . import (
    broadcasting,
    convolution,
    counting,
    diagonals,
    first_versions,
    gathering,
    images,
    linear,
    normalization,
    padding,
    random,
    resizing,
    short_floats,
    special_functions,
    training,
)
from .integers import WIDENED, compute_in_wider_integers
from .registry import RULES

__all__ = [
    "RULES",
    "WIDENED",
    "broadcasting",
    "compute_in_wider_integers",
    "convolution",
    "counting",
    "diagonals",
    "first_versions",
    "gathering",
    "images",
    "linear",
    "normalization",
    "padding",
    "random",
    "resizing",
    "short_floats",
    "special_functions",
    "training",
]
