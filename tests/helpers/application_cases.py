"""Cases for the referee, besides its own: whole applications, with random weights.

CASE_KERAS=keras (default) or tf_keras picks the Keras.
"""

import importlib
import os

import numpy as np

keras = importlib.import_module(os.environ.get("CASE_KERAS", "keras"))


_NAMES = ("gamma", "beta", "moving_mean", "moving_variance")


def _case(application, **arguments):
    keras.utils.set_random_seed(6)
    model = application(input_shape=(64, 64, 3), weights=None, classes=10, **arguments)
    draw = np.random.RandomState(6)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # Random, too: with each beta at 0, means and gradients behind it are rounding noise, not to be compared.
            layer.set_weights([_random(draw, name, value) for name, value in zip(_NAMES, layer.get_weights())])
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, _random(draw, "bias", bias)])
    # Plain SGD: weights before a batch normalisation have gradients of 0 plus noise, which Adam would turn into steps.
    # In small steps: from weights that differ by 1e-7, three steps at 1e-3 take Keras to weights that differ by 0.2.
    model.compile(keras.optimizers.SGD(1e-5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    images = (255 * draw.rand(24, 64, 64, 3)).astype("float32")
    return {"model": model, "x": images, "y": draw.randint(0, 10, 24).astype("int32"), "batch": 24}


def _random(draw, name, value):
    positive = name in ("gamma", "moving_variance")
    return (draw.uniform(0.9, 1.1, value.shape) if positive else draw.normal(0.5, 0.2, value.shape)).astype("float32")


def mobilenet_v2():
    """Depthwise convolutions, batch normalisation and residuals; no dropout."""
    return _case(keras.applications.MobileNetV2)


def efficientnet_b0():
    """Squeeze and excitation with swish, preprocessing layers inside of the model, dropout."""
    return {**_case(keras.applications.EfficientNetB0), "exact": False}
