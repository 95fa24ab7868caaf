"""Keras 3's TimeDistributed as TF 1.15's tf.keras builds it: the layer stands once, and takes the time steps as rows of
a larger batch, where that computes the same.

Keras 3 builds the layer once a time step, or, where their number is not known, a loop over them (keras/src/layers/rnn/
time_distributed.py); TF 1.15 reshapes (tensorflow/python/keras/layers/wrappers.py, `TimeDistributed.call`). The two
differ for layers that look at other rows of the batch than their own: batch normalisation, above all.
"""

import tensorflow as tf

# Layers of Keras that run what a user wrote.
_OF_USERS = ("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")


def steps_as_rows(wrapped, wrapper, args, kwargs):
    """A wrapt wrapper for `keras.layers.TimeDistributed.call`."""
    inputs, training, mask = _arguments(*args, **kwargs)
    if not tf.is_tensor(inputs) or not minds_its_own_row(wrapper.layer):
        return wrapped(*args, **kwargs)
    options = {}
    if wrapper.layer._call_has_mask_arg and mask is not None:
        options["mask"] = _rows(mask)
    if wrapper.layer._call_has_training_arg:
        options["training"] = training
    outputs = wrapper.layer.call(_rows(inputs), **options)
    return tf.nest.map_structure(lambda rows: _steps(rows, inputs), outputs)


def minds_its_own_row(layer):
    """Whether what a layer of Keras gives for a row of the batch depends on that row alone, and changes no state."""
    return all(map(_minds_its_own_row, layer._flatten_layers()))


def _minds_its_own_row(layer):
    operations = getattr(layer, "operations", ())  # of a functional model: what is no layer may do anything
    return (
        type(layer).__module__.startswith("keras.src.")
        and type(layer).__name__ not in _OF_USERS
        and not layer._non_trainable_variables
        and not getattr(layer, "stateful", False)
        and (not layer._seed_generators or _drops_row_by_row(layer))
        and not _has_axis_of_batch(getattr(layer, "axis", None))
        and all(hasattr(operation, "_flatten_layers") for operation in operations)
        and all(_is_of_framework(getattr(layer, name, None)) for name in ("activation", "recurrent_activation"))
    )


def _drops_row_by_row(layer):
    homes = ("keras.src.layers.regularization.", "keras.src.layers.rnn.")
    return type(layer).__module__.startswith(homes) and not getattr(layer, "noise_shape", None)


def _has_axis_of_batch(axis):
    return 0 in tf.nest.flatten(axis)


def _is_of_framework(function):
    return function is None or (getattr(function, "__module__", None) or "").startswith(("keras.", "tensorflow."))


def _arguments(inputs, training=None, mask=None):
    return inputs, training, mask


def _rows(tensor):
    """`(batch, steps, ...)` as `(batch * steps, ...)`."""
    return tf.reshape(tensor, [-1, *_sizes(tensor)[2:]])


def _steps(rows, inputs):
    """`(batch * steps, ...)` as `(batch, steps, ...)`, as many of both as `inputs` has."""
    sizes = _sizes(rows)
    outputs = tf.reshape(rows, [-1, _sizes(inputs)[1], *sizes[1:]])
    outputs.set_shape([*inputs.shape[:2], *rows.shape[1:]])
    return outputs


def _sizes(tensor):
    """The size of each axis: an int where it is known, else a scalar tensor."""
    if tensor.shape.is_fully_defined():
        return list(tensor.shape)
    dynamic = tf.shape(tensor)
    return [dynamic[axis] if size is None else size for axis, size in enumerate(tensor.shape)]
