"""Grouped convolutions, for which TensorFlow 1.15 has no CPU kernel: one convolution for each group."""

import tensorflow as tf

from ..rewriting import Unfit
from .registry import rewrites

_KERNEL_AXES = {
    "Conv2D": 4,
    "Conv2DBackpropFilter": 4,
    "Conv2DBackpropInput": 4,
    "Conv3D": 5,
    "Conv3DBackpropFilterV2": 5,
    "Conv3DBackpropInputV2": 5,
}


@rewrites("Conv2D", "Conv3D")
def split_grouped_convolution(rewriter, node):
    rank = _KERNEL_AXES[node.op]
    axis, groups = _channel_axis(node, rank), _groups(rewriter, node, node.input[0], node.input[1])
    if groups == 1:
        return False
    function = getattr(tf.raw_ops, node.op)
    attrs = _attributes(node)

    def convolve(images, kernel):
        pairs = zip(tf.split(images, groups, axis), tf.split(kernel, groups, rank - 1))
        return tf.concat([function(input=image, filter=part, **attrs) for image, part in pairs], axis)

    rewriter.expand(node, convolve)
    return True


@rewrites("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def split_grouped_gradient_of_images(rewriter, node):
    rank = _KERNEL_AXES[node.op]
    axis, groups = _channel_axis(node, rank), _groups(rewriter, node, f"{node.name}:0", node.input[1])
    if groups == 1:
        return False
    function, attrs = getattr(tf.raw_ops, node.op), _attributes(node)
    divisor = [groups if index == axis else 1 for index in range(rank)]

    def convolve(sizes, kernel, gradient):
        pairs = zip(tf.split(kernel, groups, rank - 1), tf.split(gradient, groups, axis))
        parts = [
            function(input_sizes=sizes // divisor, filter=part, out_backprop=grad, **attrs) for part, grad in pairs
        ]
        return tf.concat(parts, axis)

    rewriter.expand(node, convolve)
    return True


@rewrites("Conv2DBackpropFilter", "Conv3DBackpropFilterV2")
def split_grouped_gradient_of_kernel(rewriter, node):
    rank = _KERNEL_AXES[node.op]
    axis, groups = _channel_axis(node, rank), _groups(rewriter, node, node.input[0], f"{node.name}:0")
    if groups == 1:
        return False
    function, attrs = getattr(tf.raw_ops, node.op), _attributes(node)
    divisor = [1] * (rank - 1) + [groups]

    def convolve(images, sizes, gradient):
        pairs = zip(tf.split(images, groups, axis), tf.split(gradient, groups, axis))
        parts = [
            function(input=image, filter_sizes=sizes // divisor, out_backprop=grad, **attrs) for image, grad in pairs
        ]
        return tf.concat(parts, rank - 1)

    rewriter.expand(node, convolve)
    return True


def _channel_axis(node, rank):
    return 1 if node.attr["data_format"].s.startswith(b"NC") else rank - 1


def _groups(rewriter, node, images, kernel):
    """How many groups of channels there are: 1 too where the shapes are not known."""
    images, kernel = rewriter.shape(images), rewriter.shape(kernel)
    if not images or not kernel:
        return 1
    channels, taken = images[_channel_axis(node, len(images))], kernel[-2]
    if not channels or not taken:
        return 1
    if channels % taken:
        raise Unfit(f"its {channels} channels cannot be split into groups of {taken}")
    return channels // taken


def _attributes(node):
    """The attributes as `tf.raw_ops` takes them."""
    attrs = {"strides": list(node.attr["strides"].list.i), "padding": node.attr["padding"].s.decode()}
    for name in ("explicit_paddings", "dilations"):
        if node.attr[name].list.i:
            attrs[name] = list(node.attr[name].list.i)
    if node.attr["data_format"].s:
        attrs["data_format"] = node.attr["data_format"].s.decode()
    return attrs
