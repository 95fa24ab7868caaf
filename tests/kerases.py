"""The Kerases that there are beside this TensorFlow: Keras 3 and tf_keras, or the Keras 2 that TensorFlow brings along."""

import importlib
import random

import numpy as np
import tensorflow as tf

KERASES = ("keras", "tf_keras") if hasattr(tf.keras.Model, "stateless_call") else ("tf.keras",)


def keras_of(name, seed=0):
    """The module of one of `KERASES`, which is imported, with its name counters and all random seeds reset."""
    module = tf.keras if name == "tf.keras" else importlib.import_module(name)
    module.backend.clear_session()
    if hasattr(module.utils, "set_random_seed"):
        module.utils.set_random_seed(seed)
    else:  # before TensorFlow 2.7
        random.seed(seed)
        np.random.seed(seed)
        tf.random.set_seed(seed)
    return module
