"""What Python returns, as a graph gives it: variables, numbers and what is registered to become a tensor become one."""

import tensorflow as tf

from keras_gensynth_callback.errors import UnsupportedModelError

_TO_DENSE = {"SparseTensor": "`tf.sparse.to_dense`", "RaggedTensor": "its method `to_tensor()`"}


def result_tensor(value):
    """What a `tf.function` gives for one value that its Python returns."""
    if value is None or isinstance(value, (tf.Operation, tf.TensorArray)) or _is_composite(value):
        return value
    return tf.convert_to_tensor(value)


def output_tensors(outputs, model):
    """The outputs of a model as a nest of tensors. None is left out.

    Args:
        outputs: nest of what the model's Python returned.
        model: str, the model's name.

    Raises:
        UnsupportedModelError: an output is not dense, or becomes no tensor.
    """
    return tf.nest.map_structure(lambda value: _output_tensor(value, model), _without_none(outputs))


def _output_tensor(value, model):
    kind = type(value).__name__
    if _is_composite(value):
        way_out = f"Return a dense tensor, made with {_TO_DENSE.get(kind, '`tf.convert_to_tensor`')}."
        raise UnsupportedModelError(
            f"The model `{model}` returns a {kind}; a signature of TensorFlow 1.x gives dense tensors. {way_out}"
        )
    try:
        return result_tensor(value)
    except (TypeError, ValueError) as error:
        raise UnsupportedModelError(
            f"The model `{model}` returns a value of type {kind}, which does not become a tensor: {error}. "
            "Return tensors, or a list, tuple or dict of them."
        ) from error


def _without_none(outputs):
    if not any(value is None for value in tf.nest.flatten(outputs)):
        return outputs
    if isinstance(outputs, dict):
        return {key: _without_none(value) for key, value in outputs.items() if value is not None}
    if isinstance(outputs, (list, tuple)):
        return [_without_none(value) for value in outputs if value is not None]
    return outputs


def _is_composite(value):
    return isinstance(value, (tf.SparseTensor, tf.RaggedTensor, tf.IndexedSlices))
