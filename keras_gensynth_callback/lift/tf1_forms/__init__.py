"""Forms that TensorFlow 1.15's own layers and optimizers have, or can differentiate, chosen while the model
is traced.

batch_normalization, biases, time_distributed, masks, recurrent_dropout   layers
tensor_arrays   loops that TensorFlow 1.x can differentiate
optimizers      one training op a variable
"""

from .batch_normalization import fused_batch_normalization
from .biases import bias_of_one_value
from .masks import plain_selects, zeros_without_a_step
from .optimizers import training_ops
from .recurrent_dropout import masks_apart, masks_of_ones
from .tensor_arrays import single_slot_arrays
from .time_distributed import steps_as_rows

__all__ = [
    "bias_of_one_value",
    "fused_batch_normalization",
    "masks_apart",
    "masks_of_ones",
    "plain_selects",
    "single_slot_arrays",
    "steps_as_rows",
    "training_ops",
    "zeros_without_a_step",
]
