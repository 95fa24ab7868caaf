"""Products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from .einsum import contract
from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter


@rewrites("BatchMatMulV3")
def use_batch_matmul_v2(rewriter: Rewriter, node: NodeDef) -> bool:
    if len({node.attr[name].type for name in ("Ta", "Tb", "Tout")}) > 1:
        _multiply_in_the_type_of_the_result(rewriter, node)
        return True
    rewriter.become(node, "BatchMatMulV2", node.input[:2], T="Ta", adj_x="adj_x", adj_y="adj_y")
    return True


def _multiply_in_the_type_of_the_result(rewriter: Rewriter, node: NodeDef) -> None:
    """As with int8 operands, whose product is int32."""
    dtype, adjoint = tf.as_dtype(node.attr["Tout"].type), (node.attr["adj_x"].b, node.attr["adj_y"].b)

    def product(a: Tensor, b: Tensor) -> Tensor:
        return tf.raw_ops.BatchMatMulV2(x=tf.cast(a, dtype), y=tf.cast(b, dtype), adj_x=adjoint[0], adj_y=adjoint[1])

    rewriter.expand(node, product)


# They take a matrix alone.
_SOFTMAX_OF_ROWS = ("1.4", "1.8", "1.10")


@rewrites("Softmax", "LogSoftmax")
def normalize_rows_of_a_matrix(rewriter: Rewriter, node: NodeDef) -> bool:
    shape = rewriter.shape(node.input[0])
    is_matrix = shape is not None and len(shape) == 2
    if rewriter.table.version not in _SOFTMAX_OF_ROWS or is_matrix or _is_made_of_rows(rewriter, node):
        return False
    function = tf.raw_ops.Softmax if node.op == "Softmax" else tf.raw_ops.LogSoftmax

    def of_rows(logits: Tensor) -> Tensor:
        rows = tf.reshape(logits, tf.stack([-1, tf.shape(logits)[-1]]))
        return tf.reshape(function(logits=rows), tf.shape(logits))

    rewriter.expand(node, of_rows)
    return True


def _is_made_of_rows(rewriter: Rewriter, node: NodeDef) -> bool:
    """Whether this rewrite has been here: the shape that it reshapes to is not known where lengths are open."""
    source = rewriter.source(node.input[0])
    return source.op == "Reshape" and rewriter.source(source.input[1]).op == "Pack"


@rewrites("Einsum")
def expand_einsum(rewriter: Rewriter, node: NodeDef) -> bool:
    """TensorFlow 1.15 has the op, but no gradient for it."""
    if rewriter.table.has_gradient("Einsum"):
        return False
    return contract(rewriter, node)
