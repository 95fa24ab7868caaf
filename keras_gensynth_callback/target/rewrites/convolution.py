"""Grouped convolutions, for which TensorFlow 1.15 has no CPU kernel: a depthwise one where each channel is a group, and
otherwise one convolution for each group.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Dict

import tensorflow as tf

from ..rewriting import Unfit
from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter

_KERNEL_AXES = {
    "Conv2D": 4,
    "Conv2DBackpropFilter": 4,
    "Conv2DBackpropInput": 4,
    "Conv3D": 5,
    "Conv3DBackpropFilterV2": 5,
    "Conv3DBackpropInputV2": 5,
}
# Each becomes some nodes.
_MOST_GROUPS = 1024


@rewrites("Conv2D", "Conv3D")
def split_grouped_convolution(rewriter: Rewriter, node: NodeDef) -> bool:
    rank = _KERNEL_AXES[node.op]
    axis, groups = _channel_axis(node, rank), _groups(rewriter, node, node.input[0], node.input[1])
    if groups == 1:
        return False
    function = getattr(tf.raw_ops, node.op)
    attrs = _attributes(node)
    if _is_depthwise(rewriter, node, node.input[1]):
        return _expand_depthwise(rewriter, node, groups, _depthwise)
    _expect_few(groups)

    def convolve(images: Tensor, kernel: Tensor) -> Tensor:
        pairs = zip(tf.split(images, groups, axis), tf.split(kernel, groups, rank - 1))
        return tf.concat([function(input=image, filter=part, **attrs) for image, part in pairs], axis)

    rewriter.expand(node, convolve)
    return True


@rewrites("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def split_grouped_gradient_of_images(rewriter: Rewriter, node: NodeDef) -> bool:
    rank = _KERNEL_AXES[node.op]
    axis, groups = _channel_axis(node, rank), _groups(rewriter, node, f"{node.name}:0", node.input[1])
    if groups == 1:
        return False
    function, attrs = getattr(tf.raw_ops, node.op), _attributes(node)
    if _is_depthwise(rewriter, node, node.input[1]):
        return _expand_depthwise(rewriter, node, groups, _depthwise_gradient_of_images)
    _expect_few(groups)
    divisor = [groups if index == axis else 1 for index in range(rank)]

    def convolve(sizes: Tensor, kernel: Tensor, gradient: Tensor) -> Tensor:
        pairs = zip(tf.split(kernel, groups, rank - 1), tf.split(gradient, groups, axis))
        parts = [
            function(input_sizes=sizes // divisor, filter=part, out_backprop=grad, **attrs) for part, grad in pairs
        ]
        return tf.concat(parts, axis)

    rewriter.expand(node, convolve)
    return True


@rewrites("Conv2DBackpropFilter", "Conv3DBackpropFilterV2")
def split_grouped_gradient_of_kernel(rewriter: Rewriter, node: NodeDef) -> bool:
    rank = _KERNEL_AXES[node.op]
    axis, groups = _channel_axis(node, rank), _groups(rewriter, node, node.input[0], f"{node.name}:0")
    if groups == 1:
        return False
    function, attrs = getattr(tf.raw_ops, node.op), _attributes(node)
    if _is_depthwise(rewriter, node, f"{node.name}:0"):
        return _expand_depthwise(rewriter, node, groups, _depthwise_gradient_of_kernel)
    _expect_few(groups)
    divisor = [1] * (rank - 1) + [groups]

    def convolve(images: Tensor, sizes: Tensor, gradient: Tensor) -> Tensor:
        pairs = zip(tf.split(images, groups, axis), tf.split(gradient, groups, axis))
        parts = [
            function(input=image, filter_sizes=sizes // divisor, out_backprop=grad, **attrs) for image, grad in pairs
        ]
        return tf.concat(parts, rank - 1)

    rewriter.expand(node, convolve)
    return True


# A kernel of shape (height, width, 1, channels * multiplier) is a depthwise one of (height, width, channels,
# multiplier): both write the results of a channel side by side.


def _is_depthwise(rewriter: Rewriter, node: NodeDef, kernel: str) -> bool:
    """Whether the CPU kernels of `DepthwiseConv2dNative` in TensorFlow 1.15 compute a convolution in as many groups as
    it has channels.
    """
    attrs, shape = _attributes(node), rewriter.shape(kernel)
    return (
        shape is not None
        and len(shape) == 4
        and shape[-2] == 1
        and shape[-1] is not None
        and shape.count(None) <= 1
        and attrs.get("data_format", "NHWC") == "NHWC"
        and attrs["padding"] in ("SAME", "VALID")
        and attrs["strides"][1] == attrs["strides"][2]
        and set(attrs.get("dilations", [1])) == {1}
    )


def _expand_depthwise(rewriter: Rewriter, node: NodeDef, channels: int, function: Callable[..., Tensor]) -> bool:
    attrs = {name: value for name, value in _attributes(node).items() if name in ("strides", "padding")}
    rewriter.expand(node, functools.partial(function, channels=channels, **attrs))
    return True


def _by_channel(kernel: Tensor, channels: int) -> Tensor:
    height, width, _, outputs = kernel.shape.as_list()
    return tf.reshape(kernel, [-1 if size is None else size for size in (height, width, channels, outputs // channels)])


def _depthwise(images: Tensor, kernel: Tensor, channels: int, **attrs: Any) -> Tensor:
    return tf.raw_ops.DepthwiseConv2dNative(input=images, filter=_by_channel(kernel, channels), **attrs)


def _depthwise_gradient_of_images(
    sizes: Tensor, kernel: Tensor, gradient: Tensor, channels: int, **attrs: Any
) -> Tensor:
    return tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
        input_sizes=sizes, filter=_by_channel(kernel, channels), out_backprop=gradient, **attrs
    )


def _depthwise_gradient_of_kernel(
    images: Tensor, sizes: Tensor, gradient: Tensor, channels: int, **attrs: Any
) -> Tensor:
    found = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=images,
        filter_sizes=sizes // [1, 1, 1, channels] * [1, 1, channels, 1],
        out_backprop=gradient,
        **attrs,
    )
    return tf.reshape(found, sizes)


def _channel_axis(node: NodeDef, rank: int) -> int:
    return 1 if node.attr["data_format"].s.startswith(b"NC") else rank - 1


def _groups(rewriter: Rewriter, node: NodeDef, images: str, kernel: str) -> int:
    """How many groups of channels there are: 1 too where the shapes are not known."""
    of_images, of_kernel = rewriter.shape(images), rewriter.shape(kernel)
    if not of_images or not of_kernel:
        return 1
    channels, taken = of_images[_channel_axis(node, len(of_images))], of_kernel[-2]
    if not channels or not taken:
        return 1
    if channels % taken:
        raise Unfit(f"its {channels} channels cannot be split into groups of {taken}")
    return channels // taken


def _expect_few(groups: int) -> None:
    if groups > _MOST_GROUPS:
        raise Unfit(f"it has {groups} groups of channels, and a convolution is split into {_MOST_GROUPS} at most")


def _attributes(node: NodeDef) -> Dict[str, Any]:
    """The attributes as `tf.raw_ops` takes them."""
    attrs = {"strides": list(node.attr["strides"].list.i), "padding": node.attr["padding"].s.decode()}
    for name in ("explicit_paddings", "dilations"):
        if node.attr[name].list.i:
            attrs[name] = list(node.attr[name].list.i)
    if node.attr["data_format"].s:
        attrs["data_format"] = node.attr["data_format"].s.decode()
    return attrs
