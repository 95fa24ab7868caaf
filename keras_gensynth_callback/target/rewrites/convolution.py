"""Grouped convolutions, for which TensorFlow 1.15 has no CPU kernel: one convolution for each group."""

import tensorflow as tf

from ..rewriting import Unfit
from .registry import rewrites

_KERNEL_AXES = {"Conv2D": 4, "Conv3D": 5}


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


@rewrites("Conv2DBackpropInput")
def split_grouped_gradient_of_images(rewriter, node):
    axis, groups = _channel_axis(node, 4), _groups(rewriter, node, f"{node.name}:0", node.input[1])
    if groups == 1:
        return False
    attrs, divisor = _attributes(node), [groups if index == axis else 1 for index in range(4)]

    def convolve(sizes, kernel, gradient):
        pairs = zip(tf.split(kernel, groups, 3), tf.split(gradient, groups, axis))
        run = tf.raw_ops.Conv2DBackpropInput
        parts = [run(input_sizes=sizes // divisor, filter=part, out_backprop=grad, **attrs) for part, grad in pairs]
        return tf.concat(parts, axis)

    rewriter.expand(node, convolve)
    return True


@rewrites("Conv2DBackpropFilter")
def split_grouped_gradient_of_kernel(rewriter, node):
    axis, groups = _channel_axis(node, 4), _groups(rewriter, node, node.input[0], f"{node.name}:0")
    if groups == 1:
        return False
    attrs = _attributes(node)

    def convolve(images, sizes, gradient):
        pairs = zip(tf.split(images, groups, axis), tf.split(gradient, groups, axis))
        run = tf.raw_ops.Conv2DBackpropFilter
        parts = [
            run(input=image, filter_sizes=sizes // [1, 1, 1, groups], out_backprop=grad, **attrs)
            for image, grad in pairs
        ]
        return tf.concat(parts, 3)

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
