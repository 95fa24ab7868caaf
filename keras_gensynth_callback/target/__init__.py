"""The target: what an older TensorFlow knows, and how a graph is made to fit it.

`fit_to_target` edits a graph until the target can load, run and differentiate it. It knows protos, not Keras.
"""

from .channels_last import needs_gpu
from .checking import misfits, without_gradient
from .differentiable import ops_without_gradient, refuse_lost_gradients
from .fit import Change, fit_to_target, told
from .precision import compute_in_float32
from .table import OpTable, known_targets

__all__ = [
    "Change",
    "OpTable",
    "compute_in_float32",
    "fit_to_target",
    "known_targets",
    "misfits",
    "needs_gpu",
    "ops_without_gradient",
    "refuse_lost_gradients",
    "told",
    "without_gradient",
]
