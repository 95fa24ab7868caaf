"""qkeras: layers whose weights and activations have few bits."""

import importlib

from .cases import classes, classified, floats, portions

LIBRARY, ENVIRONMENT = "qkeras", "tf.keras"


def _library():
    return importlib.import_module("qkeras")


def _bits(keras):
    q = _library()
    layers = [
        keras.Input((8, 8, 1)),
        q.QConv2D(4, 3, kernel_quantizer="quantized_bits(4, 0, 1)", bias_quantizer="quantized_bits(4)"),
        q.QActivation("quantized_relu(4)"),
        keras.layers.Flatten(),
        q.QDense(3, kernel_quantizer="quantized_bits(4, 0, 1)", bias_quantizer="quantized_bits(4)"),
    ]
    return classified(keras, keras.Sequential(layers), portions(8, 8, 1), classes(high=3))


def _binary(name):
    def make(keras):
        q = _library()
        layers = [keras.Input((6,)), q.QDense(8, kernel_quantizer=name), keras.layers.Activation("tanh")]
        return classified(keras, keras.Sequential([*layers, q.QDense(3)]), floats(6), classes(high=3))

    return make


def _normalized(keras):
    q = _library()
    layers = [
        keras.Input((8, 8, 1)),
        q.QConv2DBatchnorm(4, 3, kernel_quantizer="quantized_bits(6, 0, 1)"),
        q.QActivation("quantized_tanh(6)"),
        keras.layers.Flatten(),
        keras.layers.Dense(3),
    ]
    return classified(keras, keras.Sequential(layers), portions(8, 8, 1), classes(high=3))


def _recurrent(keras):
    q = _library()
    layers = [keras.Input((5, 3)), q.QLSTM(4, kernel_quantizer="quantized_bits(6, 0, 1)"), keras.layers.Dense(3)]
    return classified(keras, keras.Sequential(layers), floats(5, 3), classes(high=3))


MODELS = {
    "QConv2D, QActivation, QDense": _bits,
    "QConv2DBatchnorm": _normalized,
    "QDense, binary": _binary("binary(alpha=1)"),
    "QDense, ternary": _binary("ternary(alpha=1, threshold=0.3)"),
    "QLSTM": _recurrent,
}
