"""Images resized between the centers of pixels, which TensorFlow 1.13 does not know.

Each of the ops weighs rows with rows and columns with columns: a product with one matrix for each of the two axes. Its
gradient is the product with the same matrices, transposed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Tuple

import tensorflow as tf

from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter

_CUBIC = -0.5  # the factor of the cubic with half-pixel centers (Keys); without them TensorFlow takes another
_STEPS = 1024  # TensorFlow looks the cubic up in a table of so many places between two pixels


@rewrites("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic")
def resize_by_matrices(rewriter: Rewriter, node: NodeDef) -> bool:
    if not _has_unknown_centers(rewriter, node):
        return False
    weigh, keeps_type = _WEIGHTS[node.op], node.op == "ResizeNearestNeighbor"

    def resize(images: Tensor, size: Tensor) -> Tensor:
        sizes = tf.shape(images)
        result = _product(tf.cast(images, tf.float32), weigh(sizes[1], size[0]), weigh(sizes[2], size[1]))
        return tf.cast(result, images.dtype) if keeps_type else result

    rewriter.expand(node, resize)
    return True


@rewrites("ResizeBilinearGrad", "ResizeBicubicGrad")
def resize_gradient_by_matrices(rewriter: Rewriter, node: NodeDef) -> bool:
    if not _has_unknown_centers(rewriter, node):
        return False
    weigh = _WEIGHTS[node.op[: -len("Grad")]]

    def resize(gradient: Tensor, images: Tensor) -> Tensor:
        return _gradient(gradient, weigh, tf.shape(images)[1:3])

    rewriter.expand(node, resize)
    return True


@rewrites("ResizeNearestNeighborGrad")
def resize_gradient_of_nearest_by_matrices(rewriter: Rewriter, node: NodeDef) -> bool:
    if not _has_unknown_centers(rewriter, node):
        return False
    rewriter.expand(node, lambda gradient, size: _gradient(gradient, _nearest, size))
    return True


def _has_unknown_centers(rewriter: Rewriter, node: NodeDef) -> bool:
    known = rewriter.table.attributes_of(node.op)
    return "half_pixel_centers" not in known and node.attr["half_pixel_centers"].b


def _product(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """images [batch, height, width, channels], rows [new height, height], columns [new width, width]."""
    sizes = tf.shape(images)
    height, width = tf.shape(rows)[0], tf.shape(columns)[0]
    flat = tf.reshape(tf.transpose(images, [0, 2, 3, 1]), tf.stack([-1, sizes[1]]))
    flat = tf.matmul(flat, rows, transpose_b=True)
    turned = tf.transpose(tf.reshape(flat, tf.stack([sizes[0], sizes[2], sizes[3], height])), [0, 3, 2, 1])
    flat = tf.matmul(tf.reshape(turned, tf.stack([-1, sizes[2]])), columns, transpose_b=True)
    return tf.transpose(tf.reshape(flat, tf.stack([sizes[0], height, sizes[3], width])), [0, 1, 3, 2])


def _gradient(gradient: Tensor, weigh: Callable[[Tensor, Tensor], Tensor], size: Tensor) -> Tensor:
    sizes = tf.shape(gradient)
    rows, columns = weigh(size[0], sizes[1]), weigh(size[1], sizes[2])
    result = _product(tf.cast(gradient, tf.float32), tf.transpose(rows), tf.transpose(columns))
    return tf.cast(result, gradient.dtype)


def _places(size: Tensor, new_size: Tensor) -> Tuple[Tensor, Tensor]:
    """Where the new pixels are, in old pixels: [new, 1], and the old pixels: [1, old]."""
    scale = tf.cast(size, tf.float32) / tf.cast(new_size, tf.float32)
    return (tf.cast(tf.range(new_size), tf.float32)[:, None] + 0.5) * scale, tf.cast(tf.range(size), tf.float32)[None]


def _nearest(size: Tensor, new_size: Tensor) -> Tensor:
    places, pixels = _places(size, new_size)
    nearest = tf.minimum(tf.floor(places), tf.cast(size, tf.float32) - 1.0)
    return tf.cast(tf.equal(nearest, pixels), tf.float32)


def _bilinear(size: Tensor, new_size: Tensor) -> Tensor:
    places, pixels = _places(size, new_size)
    places = tf.clip_by_value(places - 0.5, 0.0, tf.cast(size, tf.float32) - 1.0)
    return tf.maximum(1.0 - tf.abs(places - pixels), 0.0)


def _bicubic(size: Tensor, new_size: Tensor) -> Tensor:
    places, pixels = _places(size, new_size)
    whole = tf.floor(places - 0.5)
    part = tf.round((places - 0.5 - whole) * _STEPS) / _STEPS
    distance = tf.abs(whole - pixels + part)
    near = ((_CUBIC + 2.0) * distance - (_CUBIC + 3.0)) * distance * distance + 1.0
    far = ((_CUBIC * distance - 5.0 * _CUBIC) * distance + 8.0 * _CUBIC) * distance - 4.0 * _CUBIC
    weights = tf.where(distance <= 1.0, near, tf.where(distance < 2.0, far, tf.zeros_like(far)))
    return weights / tf.reduce_sum(weights, 1, keepdims=True)


_WEIGHTS = {"ResizeBilinear": _bilinear, "ResizeNearestNeighbor": _nearest, "ResizeBicubic": _bicubic}
