"""A model of Keras 2 made of the config in its file, and of the values there.

So none of a SavedModel's functions is loaded. They are TensorFlow programs, which can read and write files, and the
initializers among them run when Keras's own loader loads them.
"""

import json
import os

import numpy as np
import tensorflow as tf

from keras_gensynth_callback._util import shape_of
from keras_gensynth_callback.errors import ModelFileError

from .compiled import compile_model, optimizer_values
from .references import dicts

# Values of one input, of a batch of one sample.
_LARGEST_INPUT = 2**26
_VARIABLES = os.path.join("variables", "variables")


def is_misread_by_keras_2(file):
    """Whether `load_model` of Keras 2 fails on an HDF5 file that its own `save` wrote: it stores a function without a
    module as a dict, and looks for one that is called "function".
    """
    functions = any(config.get("class_name") == "function" for config in dicts(file.model))
    return file.kind == "HDF5" and functions and file.path.endswith((".h5", ".hdf5"))


def build_model(file, keras, custom_objects, training):
    """The model of a SavedModel or of an HDF5 file.

    Args:
        file: ModelFile.
        keras: the module of the Keras 2 that makes it.
        custom_objects: dict.
        training: bool, whether it is compiled.
    """
    with keras.utils.custom_object_scope(custom_objects):
        model = keras.models.model_from_json(json.dumps(file.model), custom_objects)
        call_once(model, file)
        values = file.path if file.kind == "HDF5" else os.path.join(file.path, _VARIABLES)
        _check_complete(model.load_weights(values), file)
        if training and file.training:
            compile_model(model, file.training, keras)
            _load_optimizer(model, values, file)
    return model


def call_once(model, file):
    """Calls a model of a class of its own on what it was called with when it was saved: from then on it has weights,
    and tells its inputs.
    """
    tells = getattr(model, "save_spec", lambda: True)
    specs = tf.nest.flatten(file.inputs)
    if tells() is None and all(isinstance(spec, tf.TensorSpec) and spec.shape.rank is not None for spec in specs):
        model(tf.nest.map_structure(lambda spec: _zeros(spec, file), file.inputs))


def _zeros(spec, file):
    shape = [size or 1 for size in spec.shape.as_list()]
    if any(size < 0 for size in shape) or np.prod(shape, dtype=float) > _LARGEST_INPUT:
        raise ModelFileError(
            f"The model in {file.path!r} was called on an input of {shape_of(shape)}, by what the file says. Expected: "
            "an input that fits into memory. Take another copy of the file, or save the model again."
        )
    return tf.zeros(shape, spec.dtype)


def _check_complete(status, file):
    """Refuses a checkpoint that lacks a weight of the model; HDF5 files were checked when they were read."""
    if status is None:
        return
    try:
        status.assert_existing_objects_matched()
    except AssertionError as error:
        raise ModelFileError(
            f"The SavedModel {file.path!r} is truncated or damaged: it lacks a value of the model ({error}). Take "
            "another copy of it."
        ) from error
    # The optimizer is not there yet, and metrics stand under names of the saver's own.
    status.expect_partial()


def _load_optimizer(model, values, file):
    if file.kind == "SavedModel":
        model.load_weights(values).expect_partial()
    elif hasattr(model.optimizer, "build"):
        model.optimizer.set_weights(optimizer_values(file.path))
