"""The Kerases that there are beside this TensorFlow: Keras 3 and tf_keras, or before them tf.keras."""

import importlib
import importlib.util
import random

import numpy as np
import tensorflow as tf


def _kerases():
    if not hasattr(tf.keras.Model, "stateless_call"):
        return ("tf.keras",)
    return ("keras", "tf_keras") if importlib.util.find_spec("tf_keras") else ("keras",)


KERASES = _kerases()
# Where there is Keras 3 alone, it does what any Keras does.
KERAS2 = KERASES[-1]


def module_of(name):
    """The module of one of `KERASES`, which is imported."""
    return tf.keras if name == "tf.keras" else importlib.import_module(name)


def importable(name):
    """What the module of one of `KERASES` is imported by in a program."""
    return "tensorflow.keras" if name == "tf.keras" else name


def private_module(keras2, name):
    """A module of Keras 2 with its private names, which each of its releases has in another place."""
    return importlib.import_module(keras2.Model.__module__.replace("engine.training", name))


def optimizer_variables(model):
    """The variables of a model's optimizer: before TensorFlow 2.11 they are asked for by a method."""
    variables = model.optimizer.variables
    return variables() if callable(variables) else variables


def keras_of(name, seed=0):
    """The same with its name counters and all random seeds reset."""
    module = module_of(name)
    module.backend.clear_session()
    set_random_seed(module, seed)
    return module


def set_random_seed(keras, seed):
    """Sets the seeds of Python, NumPy and TensorFlow."""
    if hasattr(keras.utils, "set_random_seed"):
        keras.utils.set_random_seed(seed)
    else:  # before TensorFlow 2.7
        random.seed(seed)
        np.random.seed(seed)
        tf.random.set_seed(seed)
