"""Keras 3's BatchNormalization as TF 1.15's tf.keras builds it: the fused op, where that computes the same.

Keras 3 writes the formula out (`tf.nn.moments`, `Rsqrt`, `Mul`, `Sub`, `AddV2`); TF 1.15 emits `FusedBatchNormV3`,
which runs faster and which graph tools look for (tensorflow/python/keras/layers/normalization.py of TF 1.15,
`_fused_can_be_used`).
"""

import tensorflow as tf

# The op refuses a smaller epsilon (tensorflow/core/kernels/fused_batch_norm_op.cc by way of cuDNN's
# CUDNN_BN_MIN_EPSILON).
_MIN_EPSILON = 1.001e-5


def fused_batch_normalization(wrapped, layer, args, kwargs):
    """A wrapt wrapper for `keras.layers.BatchNormalization.call`."""
    inputs, training, mask = _arguments(*args, **kwargs)
    if not _can_be_fused(layer, inputs, mask):
        return wrapped(*args, **kwargs)
    update = bool(training) and layer.trainable
    axis = layer.axis % 4
    channels = inputs.shape[axis]
    gamma = tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones([channels])
    beta = tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros([channels])
    moving_mean, moving_variance = tf.convert_to_tensor(layer.moving_mean), tf.convert_to_tensor(layer.moving_variance)
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs,
        gamma,
        beta,
        mean=None if update else moving_mean,
        variance=None if update else moving_variance,
        epsilon=layer.epsilon,
        data_format="NCHW" if axis == 1 else "NHWC",
        is_training=update,
    )
    if update:
        # The op returns the sample variance (Bessel's correction), Keras 3 keeps the population's.
        sizes = tf.shape(inputs)
        count = tf.cast(tf.reduce_prod(sizes[:-1] if axis == 3 else tf.gather(sizes, [0, 2, 3])), variance.dtype)
        variance = variance * ((count - 1.0) / count)
        layer.moving_mean.assign(moving_mean * layer.momentum + mean * (1.0 - layer.momentum))
        layer.moving_variance.assign(moving_variance * layer.momentum + variance * (1.0 - layer.momentum))
    return outputs


def _arguments(inputs, training=None, mask=None):
    return inputs, training, mask


def _can_be_fused(layer, inputs, mask):
    return (
        mask is None
        and tf.is_tensor(inputs)
        and inputs.dtype == tf.float32
        and len(inputs.shape) == 4
        and layer.axis in (-1, 3, 1, -3)
        and layer.compute_dtype == "float32"
        and layer.epsilon >= _MIN_EPSILON
        and not getattr(layer, "renorm", False)
    )
