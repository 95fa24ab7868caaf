"""What the callback reads of a training, as plain Python and NumPy: its logs, and a few of its weights."""

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.lift import values_of


def plain_logs(logs):
    """A copy of the logs in plain Python: floats, and lists for what is not one number."""
    return {key: _plain(value) for key, value in (logs or {}).items()}


def _plain(value):
    if hasattr(value, "numpy"):
        value = value.numpy()
    array = np.asarray(value)
    return float(array) if array.ndim == 0 and array.dtype.kind in "biuf" else array.tolist()


def five_digits(value):
    """A value as Keras prints it; None as None."""
    return "None" if value is None else f"{value:.5f}"


def sample_of_weights(model):
    """Values of the model's four smallest trainable variables: enough to see that others were put in, and cheap."""
    variables = sorted(model.trainable_variables, key=lambda variable: tf.TensorShape(variable.shape).num_elements())
    return values_of(model, variables[:4])
