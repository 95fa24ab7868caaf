"""The Keras that reads a model file: the one that wrote it, imported now."""

import importlib
import sys

import tensorflow as tf

from keras_gensynth_callback.errors import MissingKerasError


def keras_of(file):
    """The module of the Keras that wrote a ModelFile.

    Raises:
        MissingKerasError: it is not installed.
    """
    return _keras_3(file) if file.of_keras_3 else _keras_2(file)


def version_of(keras):
    """The version of a Keras, as a str. The `tf.keras` of TensorFlow 2.11 to 2.15 does not tell its own."""
    return getattr(keras, "__version__", None) or sys.modules[keras.Model.__module__.split(".")[0]].__version__


def _keras_3(file):
    keras = _imported("keras")
    version = getattr(keras, "__version__", None)
    if version is None or int(version.split(".")[0]) < 3:
        received = "no `keras`" if keras is None else f"Keras {version}"
        raise MissingKerasError(
            f"{file.path!r} was written by Keras {file.version}, and only Keras 3 reads it. Installed: {received}. "
            "Install it, `pip install 'keras>=3'`, with TensorFlow 2.16 or later."
        )
    return keras


def _keras_2(file):
    major, minor = (int(part) for part in tf.__version__.split(".")[:2])
    if (major, minor) < (2, 16):
        return tf.keras
    keras = _imported("tf_keras")
    if keras is None:
        raise MissingKerasError(
            f"{file.path!r} was written by Keras {file.version or 2} (tf.keras), and only `tf_keras` reads it beside "
            f"TensorFlow {tf.__version__}. Installed: no `tf_keras`. Install it: "
            f"`pip install 'tf_keras~={major}.{minor}.0'`."
        )
    return keras


def _imported(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
