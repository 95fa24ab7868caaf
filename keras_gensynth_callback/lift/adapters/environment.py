"""What a model trains by: the backend of its Keras, its strategy, eagerly or in a graph."""

import sys

import tensorflow as tf

from keras_gensynth_callback.compat import check_strategy
from keras_gensynth_callback.errors import UnsupportedBackendError
from keras_gensynth_callback.kerases import of_framework

from .v1_engine import is_of_v1_engine, live_graph


def check_environment(model):
    """Raises an error where a model trains by what no graph can be made of.

    Raises:
        UnsupportedBackendError: a Keras 3 model on a backend that does not train; an eager model of TensorFlow up to
            2.1; a model of the package `keras` up to 2.3, which is none of TensorFlow's.
        UnsupportedStrategyError: a model that trains under a strategy that is not known.
    """
    _check_keras(model)
    check_strategy(model, in_graph_mode=is_of_v1_engine(model))
    _check_backend(model)


def _check_keras(model):
    if is_of_v1_engine(model) and not isinstance(model, tf.Module):
        keras = _keras_of(model)
        raise UnsupportedBackendError(
            f"The model `{getattr(model, 'name', 'model')}` is of the package {keras.__name__} "
            f"{getattr(keras, '__version__', '')}, which has an engine of its own; models of tf.keras, "
            'tf_keras and Keras 3 can be exported. Save the model (`model.save("net.h5")`) and convert the file '
            'beside a TensorFlow 2 (`convert_model_file("net.h5", "exports/net")`), or import Keras from `tensorflow`.'
        )


def _check_backend(model):
    if is_of_v1_engine(model) and live_graph(model) is None:
        raise UnsupportedBackendError(
            f"The model `{model.name}` of tf.keras in TensorFlow {tf.__version__} runs eagerly; in this TensorFlow a "
            f"model is exported from graph mode. {_how_to_graph_mode()}, or save the model (`model.save`) and train or "
            "convert it in a newer TensorFlow."
        )
    if not hasattr(type(model), "stateless_call"):
        return
    backend = _keras_of(model).config.backend()
    if backend != "tensorflow":
        raise UnsupportedBackendError(
            f"The model `{model.name}` runs on Keras's `{backend}` backend. Expected: `tensorflow`, `jax` or `torch`, "
            'which train. Set the environment variable KERAS_BACKEND to one of them (or "backend" in keras.json) '
            "before Keras is imported."
        )


def _keras_of(model):
    return sys.modules[next(base.__module__ for base in type(model).__mro__ if of_framework(base)).split(".")[0]]


def _how_to_graph_mode():
    if hasattr(tf, "Session"):  # TensorFlow 1.x, where it is the default
        return "Do without `tf.compat.v1.enable_eager_execution()` and `enable_v2_behavior()`"
    return "Call `tf.compat.v1.disable_eager_execution()` right after `import tensorflow`, before the model is made"
