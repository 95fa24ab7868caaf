"""Ops of which a TensorFlow before 1.15 has the first version alone, or has the second one without a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from keras_gensynth_callback.graph import data_inputs, node_of

from ..rewriting import Unfit
from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter


@rewrites("AddV2")
def use_add(rewriter: Rewriter, node: NodeDef) -> bool:
    """The op is there, but without a gradient."""
    if rewriter.table.has_gradient("AddV2"):
        return False
    rewriter.become(node, "Add", data_inputs(node), T="T")
    return True


@rewrites("MatrixDiagV2", "MatrixDiagPartV2", "MatrixSetDiagV2")
def use_first_diagonal_ops(rewriter: Rewriter, node: NodeDef) -> bool:
    """The first version knows the main diagonal alone, and nothing to pad a matrix with but zeros."""
    if rewriter.table.op(node.op):
        return False
    inputs = data_inputs(node)
    diagonal, *others = inputs[2:] if node.op == "MatrixSetDiagV2" else inputs[1:]
    defaults = {"MatrixDiagV2": (-1, -1, 0), "MatrixDiagPartV2": (0,), "MatrixSetDiagV2": ()}[node.op]
    _expect(rewriter, diagonal, 0, "it takes other diagonals than the main one")
    for tensor, default in zip(others, defaults):
        _expect(rewriter, tensor, default, "it names a size or a padding")
    rewriter.become(node, node.op[: -len("V2")], inputs[: 2 if node.op == "MatrixSetDiagV2" else 1], T="T")
    return True


@rewrites("Equal", "NotEqual")
def compare_compatible_shapes(rewriter: Rewriter, node: NodeDef) -> bool:
    """There tensors of incompatible shapes are an error, and not unequal; between others there is no difference."""
    name = "incompatible_shape_error"
    if name not in node.attr or name in rewriter.table.attributes_of(node.op):
        return False
    left, right = (rewriter.shape(tensor) for tensor in data_inputs(node))
    if left is not None and right is not None and not tf.TensorShape(left).is_compatible_with(right):
        try:
            tf.broadcast_static_shape(tf.TensorShape(left), tf.TensorShape(right))
        except ValueError:
            raise Unfit(f"it compares shapes {left} and {right}, which do not fit together") from None
    del node.attr[name]
    return True


@rewrites("TensorArrayV3")
def keep_arrays_without_a_common_shape(rewriter: Rewriter, node: NodeDef) -> bool:
    """There each element keeps its own shape, and the gradient of one that was not read is taken from it."""
    name = "identical_element_shapes"
    if name not in node.attr or name in rewriter.table.attributes_of(node.op):
        return False
    del node.attr[name]
    return True


@rewrites("EuclideanNorm")
def spell_out_euclidean_norm(rewriter: Rewriter, node: NodeDef) -> bool:
    """The op is missing, or has no gradient."""
    if rewriter.table.has_gradient("EuclideanNorm"):
        return False
    keep = node.attr["keep_dims"].b
    rewriter.expand(node, lambda value, axis: tf.sqrt(tf.reduce_sum(value * tf.math.conj(value), axis, keep)))
    return True


@rewrites("MulNoNan")
def spell_out_product_without_nan(rewriter: Rewriter, node: NodeDef) -> bool:
    if rewriter.table.op("MulNoNan"):
        return False
    rewriter.expand(node, lambda x, y: tf.where(tf.equal(y, 0), tf.zeros_like(x * y), x * y))
    return True


@rewrites("DivNoNan")
def spell_out_quotient_without_nan(rewriter: Rewriter, node: NodeDef) -> bool:
    if rewriter.table.has_cpu_kernel(node):
        return False

    def divide(x: Tensor, y: Tensor) -> Tensor:
        is_zero = tf.equal(y, 0)
        quotient = x / tf.where(is_zero, tf.fill(tf.shape(y), tf.constant(1, y.dtype)), y)
        return tf.where(is_zero, tf.zeros_like(quotient), quotient)

    rewriter.expand(node, divide)
    return True


def _expect(rewriter: Rewriter, tensor: str, expected: int, problem: str) -> None:
    value = rewriter.value(tensor)
    if value is None or (value != expected).any():
        raise Unfit(f"{problem}, or one that is not known when the graph is built (node {node_of(tensor)!r})")
