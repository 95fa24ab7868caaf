"""Dropout inside of the loop of an RNN, as TF 1.15 builds it: one loop, in which a mask is multiplied that is ones in
inference. Nothing inside of a loop can be chosen by the learning phase, but what enters it can.
"""

import contextlib

import tensorflow as tf

from keras_gensynth_callback.compat import patched
from keras_gensynth_callback.kerases import of_framework

# Method of a cell -> the attribute that keeps its mask while a loop is built, and the rate.
_MASKS = {
    "get_dropout_mask": ("_dropout_mask", "dropout"),
    "get_recurrent_dropout_mask": ("_recurrent_dropout_mask", "recurrent_dropout"),
}


def masks_of_ones(wrapped, layer, args, kwargs):
    """A wrapt wrapper for `RNN.call` of Keras 3: in inference it builds the loop of training, with masks of ones.

    Keras 3 leaves the multiplication out in inference (keras/src/layers/rnn/dropout_rnn_cell.py). Only `call` of the
    cells is told that this is training: what `__call__` is told, all layers that are called later take for true.
    """
    if kwargs.get("training") or tf.executing_eagerly() or not _drops_out(layer.cell):
        return wrapped(*args, **kwargs)
    owner = _owner(layer.cell)
    with contextlib.ExitStack() as stack:
        for method in _MASKS:
            stack.enter_context(patched(owner, method, _ones))
        for cell_class in {type(cell) for cell in _cells(layer.cell)}:
            stack.enter_context(patched(cell_class, "call", _in_training))
        return wrapped(*args, **kwargs)


def _in_training(wrapped, cell, args, kwargs):
    return wrapped(*args, **dict(kwargs, training=True))


def masks_apart(wrapped, cell, args, kwargs):
    """A wrapt wrapper for `get_dropout_mask_for_cell` of Keras 2: where it gives the same ones several times, they are
    several tensors, as the masks of training are.
    """
    masks = wrapped(*args, **kwargs)
    if isinstance(masks, list) and len({id(mask) for mask in masks}) < len(masks):
        masks[:] = _apart(masks[0], len(masks))
    return masks


def _apart(ones, count):
    """As many tensors, which no pass takes for equal: each waits for something."""
    with tf.control_dependencies([tf.no_op()]):
        return [tf.identity(ones) for _ in range(count)]


def _cells(cell):
    """The cells of an RNN, one by one."""
    return [inner for each in cell.cells for inner in _cells(each)] if hasattr(cell, "cells") else [cell]


def _drops_out(cell):
    """Whether dropout is all that the cells do otherwise in training, and there is some."""
    cells = _cells(cell)
    known = all(of_framework(type(each)) and hasattr(each, "get_dropout_mask") for each in cells)
    return known and any(0 < getattr(each, rate) < 1 for each in cells for _, rate in _MASKS.values())


def _owner(cell):
    """The class that has the methods: of Keras, and not public."""
    return next(base for base in type(_cells(cell)[0]).__mro__ if "get_dropout_mask" in vars(base))


def _ones(wrapped, cell, args, kwargs):
    attribute, rate = _MASKS[wrapped.__name__]
    if not getattr(cell, rate):
        return None
    if getattr(cell, attribute, None) is None:
        count, ones = getattr(cell, "dropout_mask_count", None), tf.ones_like(args[0])
        setattr(cell, attribute, ones if count is None else _apart(ones, count))
    return getattr(cell, attribute)
