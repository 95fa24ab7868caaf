"""The packages that Keras has come in, and the backend that a model of Keras 3 runs on. Nothing is imported here."""

import json
import os
import sys

KERASES = ("keras", "tf_keras")
TENSORFLOW = "tensorflow"
# Backends of Keras 3 whose models are exported by a process of its own, which runs the same Keras on TensorFlow.
OTHER_BACKENDS = ("jax", "torch")


def of_framework(base):
    """Whether a class is one of a Keras, or of TensorFlow."""
    return base.__module__.split(".")[0] in (*KERASES, "tensorflow")


def backend_of(model):
    """The name of the backend that a model runs on: Keras 3 has several, the others TensorFlow alone."""
    cls = model if isinstance(model, type) else type(model)
    if not hasattr(cls, "stateless_call"):
        return TENSORFLOW
    name = next((base.__module__.split(".")[0] for base in cls.__mro__ if of_framework(base)), None)
    return sys.modules[name].config.backend() if name in KERASES else TENSORFLOW


def is_exported_elsewhere(model):
    """Whether a process of its own exports a model, since no graph can be made of it in this one."""
    return backend_of(model) in OTHER_BACKENDS


def backend_of_program():
    """The backend of Keras 3 in this program: that of the Keras that is imported, or else the one that it would take
    (the environment variable KERAS_BACKEND, then `keras.json`).
    """
    config = getattr(sys.modules.get("keras"), "config", None)
    if config is not None and hasattr(config, "backend"):
        return config.backend()
    return os.environ.get("KERAS_BACKEND") or _configured_backend() or TENSORFLOW


def _configured_backend():
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        with open(os.path.join(home, "keras.json"), encoding="utf-8") as file:
            return json.load(file).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
