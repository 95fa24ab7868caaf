"""tensorflow_probability: layers whose weights or outputs are distributions."""

import importlib

from .cases import floats, regressed

LIBRARY, ENVIRONMENT = "tensorflow-probability", "tf.keras"


def _library():
    return importlib.import_module("tensorflow_probability")


def _likelihood(y, distribution):
    return -distribution.log_prob(y)


def _bayesian(name):
    """Weights that are drawn anew for each batch, in inference, too."""

    def make(keras):
        layer = getattr(_library().layers, name)
        layers = [keras.Input((6,)), layer(4, activation="tanh"), keras.layers.Dense(1)]
        return regressed(keras, keras.Sequential(layers), floats(6))

    return make


def _convolution(keras):
    layers = [
        keras.Input((8, 8, 2)),
        _library().layers.Convolution2DReparameterization(3, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1),
    ]
    return regressed(keras, keras.Sequential(layers), floats(8, 8, 2))


def _normal(keras):
    """An output that is a distribution, whose mean is what is read of it."""
    tf, tfp = importlib.import_module("tensorflow"), _library()
    layers = [
        keras.Input((6,)),
        keras.layers.Dense(2),
        tfp.layers.DistributionLambda(
            lambda t: tfp.distributions.Normal(t[..., :1], 1e-3 + tf.math.softplus(t[..., 1:])),
            convert_to_tensor_fn=tfp.distributions.Distribution.mean,
        ),
    ]
    # Eagerly a prediction is a distribution, not an array.
    return {**regressed(keras, keras.Sequential(layers), floats(6), loss=_likelihood), "eager": False}


def _mixture(keras):
    tfp = _library()
    params = tfp.layers.MixtureNormal.params_size(2, [1])
    outputs = tfp.layers.MixtureNormal(2, [1], convert_to_tensor_fn=tfp.distributions.Distribution.mean)
    layers = [keras.Input((6,)), keras.layers.Dense(params), outputs]
    # Eagerly a prediction is a distribution, not an array.
    return {**regressed(keras, keras.Sequential(layers), floats(6), loss=_likelihood), "eager": False}


def _autoregressive(keras):
    tfp = _library()
    made = tfp.bijectors.AutoregressiveNetwork(params=2, hidden_units=[8], activation="tanh", event_shape=(4,))
    layers = [keras.Input((4,)), keras.layers.Dense(4), made, keras.layers.Flatten(), keras.layers.Dense(1)]
    return regressed(keras, keras.Sequential(layers), floats(4))


MODELS = {
    "AutoregressiveNetwork": _autoregressive,
    "Convolution2DReparameterization": _convolution,
    "DenseFlipout": _bayesian("DenseFlipout"),
    "DenseReparameterization": _bayesian("DenseReparameterization"),
    "DistributionLambda, Normal": _normal,
    "MixtureNormal": _mixture,
}
