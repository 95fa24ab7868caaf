"""A Keras 3 model on another backend that was made again on TensorFlow, in another process: its layers and variables
get the names that they have there, and it is trained and evaluated as it is there.

Keras counts the names that it gives by itself, in each process anew.
"""

import sys

import tensorflow as tf
import wrapt


def named_alike(model, layers, paths, variables=()):
    """Gives names to a model.

    Args:
        model: the Keras model.
        layers: the names of the model and all layers in it, at any depth, outer ones first.
        paths, variables: paths of variables, and the Keras variables that have them there.
    """
    here = list(model._flatten_layers())
    if len(here) == len(layers):
        for layer, name in zip(here, layers):
            if layer.name != name:
                layer.name = name
    if len(paths) == len(variables):
        for path, variable in zip(paths, variables):
            if variable.path != path:
                variable._path, variable._name = path, path.rsplit("/", 1)[-1]


def trainable_alike(model, trainable):
    """Says of each layer whether it is trained: what was set after a layer was made is in no configuration.

    Args:
        model: the Keras model.
        trainable: bools, of the model and all layers in it, as `named_alike` takes their names.
    """
    here = list(model._flatten_layers())
    if len(here) == len(trainable):
        for layer, wanted in zip(here, trainable):
            if bool(layer.trainable) != wanted:
                layer.trainable = wanted


def compute_as_other_backends(backend):
    """From now on Keras does what it does on JAX and Torch in some things that it does otherwise on TensorFlow:

    - Gradients are dense. Optimizers treat the rows of an `IndexedSlices` one by one, also those of one index.
    - Losses of outputs are averaged by the sizes of batches. In a graph, which does not know them, they are not
      (keras/src/trainers/compile_utils.py, `CompileLoss.call`).
    - On Torch, average pooling with padding counts values at an edge again where one side is padded more than the other
      (keras/src/backend/torch/nn.py, `_apply_same_padding`).

    Args:
        backend: str, the backend of the program that trains.
    """
    wrapt.wrap_function_wrapper(sys.modules["keras"].optimizers, "Optimizer.apply", _apply_dense)
    wrapt.wrap_function_wrapper(sys.modules["keras.src.trainers.compile_utils"], "CompileLoss.call", _weigh_batches)
    if backend == "torch":
        wrapt.wrap_function_wrapper(sys.modules["keras.src.backend.tensorflow.nn"], "average_pool", _pool_as_torch)


def _apply_dense(wrapped, instance, args, kwargs):
    def applied(grads, *args, **kwargs):
        dense = [tf.convert_to_tensor(grad) if isinstance(grad, tf.IndexedSlices) else grad for grad in grads]
        return wrapped(dense, *args, **kwargs)

    return applied(*args, **kwargs)


def _weigh_batches(wrapped, instance, args, kwargs):
    def called(y_true, y_pred, sample_weight=None):
        size = tf.shape(tf.nest.flatten(y_pred)[0])[0]
        for metric in instance.metrics:
            vars(metric)["update_state"] = _with_weight(metric.update_state, size)
        try:
            return wrapped(y_true, y_pred, sample_weight)
        finally:
            for metric in instance.metrics:
                vars(metric).pop("update_state", None)

    return called(*args, **kwargs)


def _with_weight(update_state, size):
    return lambda value, sample_weight=None: update_state(value, size if sample_weight is None else sample_weight)


def _pool_as_torch(wrapped, instance, args, kwargs):
    def called(inputs, pool_size, strides=None, padding="valid", data_format=None):
        if padding != "same":
            return wrapped(inputs, pool_size, strides, padding, data_format)
        inputs = tf.convert_to_tensor(inputs)
        first = 1 if (data_format or sys.modules["keras"].config.image_data_format()) == "channels_last" else 2
        axes = range(first, first + len(inputs.shape) - 2)
        sizes = [tf.shape(inputs)[axis] if inputs.shape[axis] is None else inputs.shape[axis] for axis in axes]
        pools, steps = _of_each(pool_size, axes), _of_each(pool_size if strides is None else strides, axes)
        missing = [_missing(*each) for each in zip(sizes, pools, steps)]
        uneven = [count % 2 for count in missing]
        plain = wrapped(inputs, pool_size, strides, padding, data_format)
        if not any(tf.is_tensor(count) or count for count in uneven):
            return plain
        for axis, size, count in zip(axes, sizes, missing):
            places = tf.range(size + count) - count // 2
            inputs = tf.gather(inputs, tf.clip_by_value(places, 0, size - 1), axis=axis)
        repeated = wrapped(inputs, pool_size, strides, "valid", data_format)
        if any(count for count in uneven if not tf.is_tensor(count)):
            return repeated
        return tf.where(tf.reduce_any([count > 0 for count in uneven]), repeated, plain)

    return called(*args, **kwargs)


def _of_each(value, axes):
    return [value] * len(axes) if isinstance(value, int) else list(value)


def _missing(size, pool, step):
    """How many values padding adds to an axis."""
    needed = ((size + step - 1) // step - 1) * step + pool - size
    return tf.maximum(needed, 0) if tf.is_tensor(needed) else max(needed, 0)
