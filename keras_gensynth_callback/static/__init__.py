"""What a graph says of itself while nothing of it runs: the shapes and types of its tensors, and small constants.

TensorFlow's own shape inference folds constants, and so executes ops, whoever wrote them. Here nothing is executed, and
no work is larger than what the file takes.

constants   constants that are small enough to be looked at
values      what small integer tensors hold, which shapes are made of
ops         how the shapes of an op's outputs follow from its inputs
shapes      the shapes of all tensors of a graph
known_sizes slices of shapes that are constants
"""

from .constants import small_array, small_constant
from .known_sizes import fold_known_sizes
from .shapes import StaticShapes

__all__ = [
    "StaticShapes",
    "fold_known_sizes",
    "small_array",
    "small_constant",
]
