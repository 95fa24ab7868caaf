"""Shapes and types from JSON, as `companion.description.of_nest` writes them."""

import tensorflow as tf

from keras_gensynth_callback.options import ExportOptions


def nest_of(described):
    """The nest of tf.TensorSpec that is described, or None."""
    if described is None:
        return None
    if "shape" in described:
        return tf.TensorSpec(described["shape"], described["dtype"])
    if "dict" in described:
        return {key: nest_of(value) for key, value in described["dict"]}
    if "list" in described:
        return [nest_of(value) for value in described["list"]]
    return tuple(nest_of(value) for value in described["tuple"])


def options_of(described):
    """The ExportOptions that are described."""
    return ExportOptions(**dict(described, input_signature=nest_of(described["input_signature"])))
