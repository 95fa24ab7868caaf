"""Every model of `keras.applications`, whole: the smallest input that it takes, random weights, ten classes."""

import numpy as np

from .models import compiled

# Smaller ones leave a batch normalisation in the end with too few values: what comes out is their rounding.
SAMPLES, BATCH, SIZE = 16, 8, 64
# The smallest that the model takes is larger.
_SIZES = (("NASNetLarge", 75), ("InceptionResNet", 75), ("InceptionV3", 75), ("Xception", 71))
_NAMES = ("gamma", "beta", "moving_mean", "moving_variance")
# So deep that inference with random statistics is chaos: Keras's own gradients move by their whole size when the inputs
# move by roundings.
_NEED_FITTING_STATISTICS = ("EfficientNetV2L",)


def recipe(row):
    """The recipe for an application: all of them take the same arguments."""
    return _whole


def _whole(keras, application):
    size = next((size for start, size in _SIZES if application.__name__.startswith(start)), SIZE)
    arguments = {"input_shape": (size, size, 3), "weights": None, "classes": 10}
    if application.__name__.startswith("NASNet"):
        # Its top takes one size alone.
        arguments = {"input_shape": (size, size, 3), "weights": None, "include_top": False, "pooling": "avg"}
    model = application(**arguments)
    draw = np.random.RandomState(6)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            _randomise(layer, draw)
    images = (255 * draw.rand(SAMPLES, size, size, 3)).astype("float32")
    if application.__name__ in _NEED_FITTING_STATISTICS:
        _fit_statistics(keras, model, images)
    # In small steps: from weights that differ by rounding, larger ones take deep models far apart.
    optimizer = keras.optimizers.SGD(1e-5)
    # ConvNeXt has neither batch normalisation nor a ReLU.
    options = {"batch": BATCH, "sensitive": not application.__name__.startswith("ConvNeXt")}
    if "include_top" in arguments:
        return {**compiled(keras, model, images, optimizer=optimizer), **options}
    y = draw.randint(0, 10, SAMPLES).astype("int32")
    loss = "sparse_categorical_crossentropy"
    return {**compiled(keras, model, images, y, loss, optimizer, ["accuracy"]), **options}


def _fit_statistics(keras, model, images):
    """Gives batch normalisations the statistics of these images, as training would."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(images, training=True)
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum


def _randomise(layer, draw):
    """With each beta at 0, means and gradients behind it are rounding noise, not to be compared."""
    names = [name for name in _NAMES if getattr(layer, name, None) is not None]
    layer.set_weights([_random(draw, name, value) for name, value in zip(names, layer.get_weights())])


def _random(draw, name, value):
    positive = name in ("gamma", "moving_variance")
    return (draw.uniform(0.9, 1.1, value.shape) if positive else draw.normal(0.5, 0.2, value.shape)).astype("float32")
