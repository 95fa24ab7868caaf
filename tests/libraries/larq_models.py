"""larq: binary layers, whose quantizers have gradients of their own."""

import importlib

from .cases import classes, classified, portions

LIBRARY, ENVIRONMENT = "larq", "tf.keras"


def _quantized(quantizer, optimizer=None, **layer):
    def make(keras):
        larq = importlib.import_module("larq")
        more = dict(kernel_quantizer=quantizer, kernel_constraint="weight_clip", use_bias=False, **layer)
        layers = [
            keras.Input((8, 8, 3)),
            larq.layers.QuantConv2D(4, 3, **more),
            keras.layers.BatchNormalization(scale=False),
            keras.layers.Flatten(),
            larq.layers.QuantDense(3, input_quantizer=quantizer, **more),
        ]
        made = optimizer and optimizer(larq, keras)
        return classified(keras, keras.Sequential(layers), portions(8, 8, 3), classes(high=3), optimizer=made)

    return make


def _bop(larq, keras):
    bop, other = larq.optimizers.Bop, keras.optimizers.legacy.SGD(1e-2)
    return larq.optimizers.CaseOptimizer((bop.is_binary_variable, bop()), default_optimizer=other)


MODELS = {
    "QuantConv2D, no quantizer": _quantized(None),
    "ste_sign": _quantized("ste_sign"),
    "approx_sign": _quantized("approx_sign"),
    "ste_tern": _quantized("ste_tern"),
    "dorefa_quantizer": _quantized("dorefa_quantizer"),
    "Bop": _quantized("ste_sign", _bop),
}
