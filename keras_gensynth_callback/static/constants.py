"""Constants that are small enough to be looked at.

A TensorProto of a few bytes can stand for gigabytes: one value, and a shape of any size.
"""

import tensorflow as tf

MOST = 4096


def small_constant(node, most=MOST):
    """The NumPy value of a NodeDef; None where it is no constant, or has more than `most` elements."""
    return small_array(node.attr["value"].tensor, most) if node.op == "Const" and "value" in node.attr else None


def small_array(tensor, most=MOST):
    """The NumPy value of a TensorProto; None where it has more than `most` elements and as many as it spells out, or
    no value.
    """
    if elements(tensor.tensor_shape) > max(most, len(tensor.string_val)):
        return None
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError):
        return None


def elements(shape):
    """How many elements a TensorShapeProto stands for; sizes that are not known count as 1."""
    count = 1
    for dimension in shape.dim:
        count *= max(dimension.size, 0) if dimension.size != -1 else 1
    return count
