"""Convolutions with explicit padding, which TensorFlow 1.13 does not know: the images are padded beforehand."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Dict

import numpy as np
import tensorflow as tf

from ..rewriting import Unfit
from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter
    from .registry import Rewrite


def _with_padding_beforehand(rule: Callable[[np.ndarray, Dict[str, Any]], Callable[..., Tensor]]) -> Rewrite:
    """Makes a rewrite of a function of the paddings, and of the attributes without them, that gives the replacement."""

    @functools.wraps(rule)
    def rewrite(rewriter: Rewriter, node: NodeDef) -> bool:
        if not _is_unknown(rewriter, node):
            return False
        rewriter.expand(node, rule(_pads(node), _attributes(node)))
        return True

    return rewrite


@rewrites("Conv2D")
@_with_padding_beforehand
def pad_before_convolution(pads: np.ndarray, attrs: Dict[str, Any]) -> Callable[..., Tensor]:
    return lambda images, kernel: tf.raw_ops.Conv2D(input=tf.pad(images, pads), filter=kernel, **attrs)


@rewrites("Conv2DBackpropInput")
@_with_padding_beforehand
def cut_padding_from_gradient_of_images(pads: np.ndarray, attrs: Dict[str, Any]) -> Callable[..., Tensor]:
    def convolve(sizes: Tensor, kernel: Tensor, gradient: Tensor) -> Tensor:
        padded = sizes + pads.sum(1, np.int32)
        whole = tf.raw_ops.Conv2DBackpropInput(input_sizes=padded, filter=kernel, out_backprop=gradient, **attrs)
        return tf.slice(whole, pads[:, 0], sizes)

    return convolve


@rewrites("Conv2DBackpropFilter")
@_with_padding_beforehand
def pad_before_gradient_of_kernel(pads: np.ndarray, attrs: Dict[str, Any]) -> Callable[..., Tensor]:
    def convolve(images: Tensor, sizes: Tensor, gradient: Tensor) -> Tensor:
        run = tf.raw_ops.Conv2DBackpropFilter
        return run(input=tf.pad(images, pads), filter_sizes=sizes, out_backprop=gradient, **attrs)

    return convolve


def _is_unknown(rewriter: Rewriter, node: NodeDef) -> bool:
    known = rewriter.table.attributes_of(node.op)
    if node.attr["padding"].s != b"EXPLICIT" or "explicit_paddings" in known:
        return False
    if node.attr["data_format"].s == b"NCHW":
        raise Unfit("it has explicit padding with channels in front")
    return True


def _pads(node: NodeDef) -> np.ndarray:
    return np.reshape(np.array(node.attr["explicit_paddings"].list.i, np.int32), [4, 2])


def _attributes(node: NodeDef) -> Dict[str, Any]:
    attrs = {"strides": list(node.attr["strides"].list.i), "padding": "VALID"}
    if node.attr["dilations"].list.i:
        attrs["dilations"] = list(node.attr["dilations"].list.i)
    return attrs
