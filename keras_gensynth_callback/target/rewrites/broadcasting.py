"""Ops that broadcast their operands, where the target has only the version that does not.

Where it is known that an operand has the shape of the result, it is taken as it is. Two first axes of unknown length
are both the batch, and taken to be equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, Tuple

import tensorflow as tf

from keras_gensynth_callback.graph import data_inputs

from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, NodeDef, Shape, Tensor

    from ..rewriting import Rewriter

_FLOATING = (tf.float16, tf.float32, tf.float64)


@rewrites("SelectV2")
def select_among_broadcast_operands(rewriter: Rewriter, node: NodeDef) -> bool:
    if rewriter.table.op("SelectV2"):
        return False
    operands = data_inputs(node)
    shapes = [rewriter.shape(name) for name in operands]
    missing = [not _has_shape_of(shape, shapes) for shape in shapes]
    if shapes[0] == [] and not any(missing[1:]):
        missing[0] = False  # a scalar chooses one of two tensors as a whole
    if any(missing):
        spread = _Spread(rewriter, node)
        shape = spread.common_shape([spread.shape(name) for name in operands])
        types = [tf.bool, spread.dtype, spread.dtype]
        operands = [
            spread.to(name, shape, dtype) if is_missing else name
            for name, dtype, is_missing in zip(operands, types, missing)
        ]
    rewriter.become(node, "Select", operands, T="T")
    return True


@rewrites("BroadcastTo")
def add_zeros_of_the_shape(rewriter: Rewriter, node: NodeDef) -> bool:
    """The op is missing, or has no gradient."""
    if rewriter.table.has_gradient("BroadcastTo"):
        return False

    def spread(tensor: Tensor, shape: Tensor) -> Tensor:
        shape = tf.cast(shape, tf.int32)
        if tensor.dtype == tf.bool:
            return tf.logical_or(tensor, tf.fill(shape, False))
        return tf.raw_ops.Add(
            x=tensor, y=tf.fill(shape, tf.constant("" if tensor.dtype == tf.string else 0, tensor.dtype))
        )

    rewriter.expand(node, spread)
    return True


@rewrites("BatchMatMulV2")
def multiply_matrices_of_equal_batches(rewriter: Rewriter, node: NodeDef) -> bool:
    if rewriter.table.op("BatchMatMulV2"):
        return False
    operands = data_inputs(node)
    shapes = [rewriter.shape(name) for name in operands]
    if _is_product_with_one_matrix(node, shapes):
        rewriter.expand(node, _product_with_one_matrix(node))
        return True
    if not _have_equal_batches(shapes):
        spread = _Spread(rewriter, node)
        operands = [spread.to(name, shape, spread.dtype) for name, shape in spread.with_common_batch(operands)]
    rewriter.become(node, "BatchMatMul", operands, T="T", adj_x="adj_x", adj_y="adj_y")
    return True


@rewrites("Atan2")
def spread_operands_before_the_gradient(rewriter: Rewriter, node: NodeDef) -> bool:
    """The gradient of TensorFlow 1.15 has the shape of the result, whatever was broadcast."""
    operands = data_inputs(node)
    shapes = [rewriter.shape(name) for name in operands]
    if all(_has_shape_of(shape, shapes) for shape in shapes) or _are_spread(rewriter, operands):
        return False
    spread = _Spread(rewriter, node)
    shape = spread.common_shape([spread.shape(name) for name in operands])
    node.input[:2] = [spread.broadcast(name, shape, spread.dtype) for name in operands]
    return True


@rewrites("MatrixTriangularSolve")
def solve_with_equal_batches(rewriter: Rewriter, node: NodeDef) -> bool:
    """TensorFlow 1.15 does not even read a graph in which one matrix serves a whole batch."""
    operands = data_inputs(node)
    if _have_equal_batches([rewriter.shape(name) for name in operands]) or _are_spread(rewriter, operands):
        return False
    spread = _Spread(rewriter, node)
    node.input[:2] = [spread.broadcast(name, shape, spread.dtype) for name, shape in spread.with_common_batch(operands)]
    return True


def _have_equal_batches(shapes: Sequence[Optional[Shape]]) -> bool:
    """Whether matrices of these shapes have, for all that is known, the batch axes of each other."""
    batches = [shape[:-2] if shape is not None else None for shape in shapes]
    return all(_has_shape_of(batch, batches) for batch in batches)


def _are_spread(rewriter: Rewriter, operands: Sequence[str]) -> bool:
    """Whether these rewrites have been here: what is broadcast has a shape, or the batch axes of one, in common."""
    sources = [rewriter.source(name) for name in operands]
    if any(source.op != "BroadcastTo" for source in sources):
        return False
    shapes = [rewriter.source(source.input[1]) for source in sources]
    return len({shape.input[0] if shape.op == "ConcatV2" else shape.name for shape in shapes}) == 1


def _has_shape_of(shape: Optional[Shape], shapes: Sequence[Optional[Shape]]) -> bool:
    """Whether `shape` is, for all that is known, already the one that all `shapes` broadcast to."""
    known = [other for other in shapes if other is not None]
    if shape is None or len(known) < len(shapes) or any(len(other) > len(shape) for other in known):
        return False
    for axis, size in enumerate(shape):
        aligned = [other[axis - len(shape)] for other in known if len(shape) - axis <= len(other)]
        if size is None and not (axis == 0 and all(other in (None, 1) for other in aligned)):
            return False
        if size == 1 and any(other != 1 for other in aligned):
            return False
    return True


def _is_product_with_one_matrix(node: NodeDef, shapes: Sequence[Optional[Shape]]) -> bool:
    left, right = shapes
    return left is not None and right is not None and len(left) > 2 == len(right) and not node.attr["adj_x"].b


def _product_with_one_matrix(node: NodeDef) -> Callable[[Tensor, Tensor], Tensor]:
    transpose = node.attr["adj_y"].b

    def multiply(x: Tensor, matrix: Tensor) -> Tensor:
        rows = tf.reshape(x, tf.stack([-1, tf.shape(x)[-1]]))
        product = tf.linalg.matmul(rows, matrix, transpose_b=transpose)
        return tf.reshape(product, tf.concat([tf.shape(x)[:-1], tf.shape(product)[1:]], 0))

    return multiply


class _Spread:
    """Makes the nodes that broadcast the operands of one node."""

    def __init__(self, rewriter: Rewriter, node: NodeDef) -> None:
        self._rewriter, self._node, self.dtype = rewriter, node, tf.as_dtype(node.attr["T"].type)

    def _add(self, op: str, name: str, inputs: Sequence[str], **attrs: Any) -> str:
        return self._rewriter.add(op, name, inputs, self._node, **attrs)

    def _constant(self, value: Any, name: str) -> str:
        return self._rewriter.constant(value, name, self._node, "int32")

    def shape(self, tensor: str) -> str:
        known = self._rewriter.shape(tensor)
        if known is not None and None not in known:
            return self._constant(known, "shape")
        dtype = self._rewriter.input_types(self._node)[list(self._node.input).index(tensor)]
        return self._add("Shape", "Shape", [tensor], T=dtype, out_type=tf.int32)

    def common_shape(self, shapes: Sequence[str]) -> str:
        result = shapes[0]
        for other in shapes[1:]:
            result = self._add("BroadcastArgs", "BroadcastArgs", [result, other], T=tf.int32)
        return result

    def to(self, tensor: str, shape: str, dtype: DType) -> str:
        """The tensor in a shape. Adding zeros has a faster gradient than `BroadcastTo`."""
        if dtype not in _FLOATING:
            return self.broadcast(tensor, shape, dtype)
        zero = self._rewriter.constant(0, "zero", self._node, dtype.as_numpy_dtype)
        zeros = self._add("Fill", "zeros", [shape, zero], T=dtype, index_type=tf.int32)
        return self._add("Add", "Add", [tensor, zeros], T=dtype)

    def broadcast(self, tensor: str, shape: str, dtype: DType) -> str:
        return self._add("BroadcastTo", "BroadcastTo", [tensor, shape], T=dtype, Tidx=tf.int32)

    def with_common_batch(self, operands: Sequence[str]) -> List[Tuple[str, str]]:
        """Pairs of an operand, made of matrices, and its shape with the batch axes that all of them broadcast to."""
        parts = [self.split(self.shape(name)) for name in operands]
        batch = self.common_shape([of_batch for of_batch, _ in parts])
        return [(name, self.joined(batch, of_matrix)) for name, (_, of_matrix) in zip(operands, parts)]

    def split(self, shape: str) -> Tuple[str, str]:
        """The batch axes of a shape, and those of the matrix."""
        batch = self._slice(shape, [0], [-2], "batch", begin_mask=1)
        return batch, self._slice(shape, [-2], [0], "matrix", end_mask=1)

    def _slice(
        self, shape: str, begin: List[int], end: List[int], name: str, begin_mask: int = 0, end_mask: int = 0
    ) -> str:
        bounds = [self._constant(value, name + "/stack") for value in (begin, end, [1])]
        masks = {"begin_mask": begin_mask, "end_mask": end_mask}
        masks.update(ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0)
        return self._add("StridedSlice", name, [shape, *bounds], T=tf.int32, Index=tf.int32, **masks)

    def joined(self, first: str, second: str) -> str:
        axis = self._constant(0, "axis")
        return self._add("ConcatV2", "concat", [first, second, axis], T=tf.int32, Tidx=tf.int32, N=2)
