"""How each class of `keras.layers` gets into a model; images, data and recurrence have files of their own."""

import numpy as np
import tensorflow as tf

from . import data_layers, image_layers, recurrent_layers
from .models import (
    IMAGE,
    SEQUENCE,
    VECTOR,
    VOLUME,
    applying,
    around,
    chain,
    compiled,
    floats,
    integers,
    needs_arguments,
    on,
    traced,
)

_BY_RANK = {"1D": SEQUENCE, "2D": IMAGE, "3D": VOLUME}


def recipe(row):
    """The recipe for a class: from the table, or, if it can be made without arguments, the default one; or None."""
    if row.name in RECIPES:
        return RECIPES[row.name]
    x = next((x for rank, x in _BY_RANK.items() if row.name.endswith(rank)), VECTOR)
    return None if needs_arguments(row.object) else on(x)


def _merged(keras, cls):
    return around(keras, [SEQUENCE, floats(6, 4, seed=1)], lambda a, b: cls()([a, b]))


def _three_merged(keras, cls):
    """Three branches, the last of them to be broadcast."""
    return around(keras, [SEQUENCE, floats(6, 4, seed=1), floats(1, 4, seed=2)], lambda *xs: cls()(list(xs)))


def _attention(**kwargs):
    return applying([SEQUENCE, floats(5, 4, seed=1)], lambda keras, cls: lambda q, v: cls(**kwargs)([q, v]))


def _query_value(*args, **kwargs):
    return applying([SEQUENCE, floats(5, 4, seed=1)], lambda keras, cls: lambda q, v: cls(*args, **kwargs)(q, v))


def _layer(keras, cls):
    class Affine(cls):
        def build(self, input_shape):
            self.weight = self.add_weight(name="weight", shape=(input_shape[-1], 3), initializer="glorot_uniform")
            self.calls = self.add_weight(name="calls", shape=(), initializer="zeros", trainable=False)

        def call(self, inputs, training=False):
            if training:
                self.calls.assign_add(1.0)
            return tf.matmul(inputs, self.weight)

    return around(keras, VECTOR, Affine())


def _wrapper(keras, cls):
    class Doubled(cls):
        def call(self, inputs):
            return 2.0 * self.layer(inputs)

        def compute_output_shape(self, input_shape):
            return self.layer.compute_output_shape(input_shape)

    return around(keras, VECTOR, Doubled(keras.layers.Dense(3)))


def _input_spec(keras, cls):
    class Checked(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.input_spec = cls(min_ndim=2, axes={-1: 5})

        def call(self, inputs):
            return inputs * 2.0

    return around(keras, VECTOR, Checked())


def _input_layer(keras, cls):
    shape = {"input_shape": (5,)} if keras.__name__ == "tf_keras" else {"shape": (5,)}
    model = keras.Sequential([cls(name="given", **shape), keras.layers.Dense(3)])
    return compiled(keras, model, VECTOR)


def _embedding(keras, cls):
    def apply(words):
        return keras.layers.GlobalAveragePooling1D()(cls(11, 4, mask_zero=True)(words))

    return around(keras, integers(11, 7), apply)


def _reversible_embedding(keras, cls):
    layer = cls(11, 4)
    return around(keras, integers(11, 7), lambda words: layer(layer(words), reverse=True))


def _batch_normalization(keras, cls):
    def apply(x):
        # Side by side: behind each other, gradients of the first would be rounding noise.
        forms = [{}, {"axis": 1, "momentum": 0.9}, {"scale": False, "center": False, "epsilon": 0.01}]
        flat = cls()(keras.layers.Flatten()(x))
        return keras.layers.Concatenate()([flat, *[keras.layers.Flatten()(cls(**form)(x)) for form in forms]])

    return around(keras, IMAGE, apply)


def _normalization(keras, cls):
    layer = cls()
    layer.adapt(VECTOR)
    return around(keras, VECTOR, lambda x: cls(mean=0.5, variance=2.0)(layer(x)))


def _spectral(keras, cls):
    return around(keras, VECTOR, cls(keras.layers.Dense(3)))


def _lambda(keras, cls):
    return around(keras, VECTOR, cls(lambda x: tf.nn.relu(x) - 0.5 * x, output_shape=(5,)))


def _random_after_scale(x, *args, **kwargs):
    return on(np.abs(x) + 0.5, *args, **kwargs)


def _dot(keras, cls):
    return around(keras, [SEQUENCE, floats(6, 3, seed=1)], lambda a, b: cls(axes=1, normalize=True)([a, b]))


def _concatenated(keras, cls):
    return around(keras, [SEQUENCE, floats(2, 4, seed=1)], lambda a, b: cls(axis=1)([a, b]))


def _convolution(*extra):
    same = {"filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"}
    # In eager mode Keras 3 compiles grouped convolutions anew at each call.
    return lambda x: traced(chain(x, same, *extra))


_GROUPS = {"filters": 4, "kernel_size": 2, "groups": 2, "strides": 2}
_DILATED = {"filters": 2, "kernel_size": 2, "dilation_rate": 2}
_CAUSAL = {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "padding": "causal"}
_UPWARDS = [{"filters": 2, "kernel_size": 3, "strides": 2}, {"filters": 3, "kernel_size": 2, "padding": "same"}]

RECIPES = {
    "Activation": on(VECTOR, "gelu"),
    "ActivityRegularization": on(VECTOR, l1=0.01, l2=0.02),
    "Add": _three_merged,
    "AdaptiveAveragePooling1D": on(floats(7, 4), 3),
    "AdaptiveAveragePooling2D": on(floats(7, 8, 3), (3, 4)),
    "AdaptiveAveragePooling3D": on(floats(5, 4, 3, 2), 2),
    "AdaptiveMaxPooling1D": on(floats(7, 4), 3),
    "AdaptiveMaxPooling2D": on(floats(7, 8, 3), (3, 4)),
    "AdaptiveMaxPooling3D": on(floats(5, 4, 3, 2), 2),
    "AdditiveAttention": _attention(),
    "AlphaDropout": on(VECTOR, 0.4),
    "Attention": _attention(use_scale=True, score_mode="concat"),
    "Average": _three_merged,
    "AveragePooling1D": on(SEQUENCE, 2),
    "AveragePooling2D": chain(IMAGE, {"padding": "same", "pool_size": 3}, {"pool_size": 2}),
    "AveragePooling3D": on(VOLUME, 2),
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenated,
    "Conv1D": _convolution(_GROUPS, _CAUSAL)(floats(12, 4)),
    "Conv1DTranspose": chain(SEQUENCE, *_UPWARDS),
    "Conv2D": _convolution(_GROUPS, _DILATED)(IMAGE),
    "Conv2DTranspose": chain(IMAGE, *_UPWARDS),
    "Conv3D": _convolution(_GROUPS)(VOLUME),
    "Conv3DTranspose": chain(VOLUME, *_UPWARDS),
    "Cropping2D": on(IMAGE, ((1, 2), (0, 3))),
    "Dense": chain(SEQUENCE, {"units": 3, "activation": "tanh"}, {"units": 2, "use_bias": False}),
    "DepthwiseConv1D": chain(SEQUENCE, {"kernel_size": 3}, {"kernel_size": 2, "depth_multiplier": 2}),
    "DepthwiseConv2D": chain(IMAGE, {"kernel_size": 3, "strides": 2}, {"kernel_size": 2, "depth_multiplier": 2}),
    "Dot": _dot,
    "Dropout": on(VECTOR, 0.4),
    "EinsumDense": on(SEQUENCE, "abc,cd->abd", output_shape=(None, 3), bias_axes="d"),
    "Embedding": _embedding,
    "Flatten": on(IMAGE),
    "GaussianDropout": _random_after_scale(VECTOR, 0.4),
    "GaussianNoise": on(VECTOR, 0.5),
    "GlobalAveragePooling2D": on(IMAGE, keepdims=True),
    "GroupNormalization": on(IMAGE, 2),
    "GroupQueryAttention": _query_value(3, 4, 2, use_bias=False),
    "InputLayer": _input_layer,
    "InputSpec": _input_spec,
    "Lambda": _lambda,
    "Layer": _layer,
    "LayerNormalization": on(SEQUENCE),
    "LocallyConnected1D": on(SEQUENCE, 2, 3),
    "LocallyConnected2D": on(IMAGE, 2, 3),
    "MaxPooling2D": chain(IMAGE, {"padding": "same", "pool_size": 3}, {}),
    "Maximum": _three_merged,
    "Minimum": _three_merged,
    "MultiHeadAttention": _query_value(2, 3, use_bias=False),
    "Multiply": _three_merged,
    "Normalization": _normalization,
    "PReLU": on(IMAGE, shared_axes=[1, 2]),
    "Permute": on(IMAGE, (2, 3, 1)),
    "RMSNormalization": on(SEQUENCE),
    "RepeatVector": on(VECTOR, 3),
    "Reshape": on(IMAGE, (-1, 16)),
    "ReversibleEmbedding": _reversible_embedding,
    "SeparableConv1D": chain(SEQUENCE, {"filters": 3, "kernel_size": 3}, {"filters": 2, "kernel_size": 2}),
    "SeparableConv2D": chain(IMAGE, {"filters": 3, "kernel_size": 3}, {"filters": 2, "kernel_size": 2, "strides": 2}),
    "Softmax": chain(SEQUENCE, {}, {"axis": 1}),
    "SpatialDropout1D": on(SEQUENCE, 0.4),
    "SpatialDropout2D": on(IMAGE, 0.4),
    "SpatialDropout3D": on(VOLUME, 0.4),
    "SpectralNormalization": _spectral,
    "Subtract": _merged,
    "UpSampling2D": chain(IMAGE, {}, {"interpolation": "bilinear"}),
    "Wrapper": _wrapper,
    "ZeroPadding2D": on(IMAGE, ((1, 2), (0, 3))),
    **image_layers.RECIPES,
    **data_layers.RECIPES,
    **recurrent_layers.RECIPES,
}

# Layers that must be found random in training, besides those whose name says so.
RANDOM = ("AlphaDropout", "AugMix", "CutMix", "Dropout", "GaussianDropout", "GaussianNoise", "MixUp", "RandAugment")
