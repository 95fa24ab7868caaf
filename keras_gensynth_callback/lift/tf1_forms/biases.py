"""`BiasAdd` for a bias of one value, which TF 1.15's layers add like any other.

Keras 3 adds biases by `ops.add`, which builds a `BiasAdd` where it can tell a bias by its shape; one value could be a
number to be added everywhere (keras/src/backend/tensorflow/numpy.py, `add`).
"""

import tensorflow as tf


def bias_of_one_value(wrapped, instance, args, kwargs):
    """A wrapt wrapper for `add` of Keras 3's TensorFlow backend."""
    bias = _bias(*args) if len(args) == 2 and not kwargs and not tf.executing_eagerly() else None
    return wrapped(*args, **kwargs) if bias is None else tf.nn.bias_add(args[0], bias)


def _bias(values, added):
    """The one value that is added to a tensor with one channel, as a vector; else None."""
    if not tf.is_tensor(values) or values.shape.rank is None or values.shape.rank < 2 or values.shape[-1] != 1:
        return None
    added = getattr(added, "value", added)
    if not hasattr(added, "shape") or added.dtype != values.dtype:
        return None
    # A convolution gives its bias as many axes as its output has.
    source = getattr(added, "op", None)
    if source is not None and source.type == "Reshape" and added.shape == [1] * values.shape.rank:
        added = source.inputs[0]
    return added if list(added.shape) == [1] else None
