"""Counting values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter


@rewrites("DenseBincount")
def count_with_segment_sums(rewriter: Rewriter, node: NodeDef) -> bool:
    """Each value is the number of a segment, so that a sum over segments counts; rows are kept apart by an offset."""

    def count(values: Tensor, size: Tensor, weights: Tensor) -> Tensor:
        shape = tf.shape(values)
        rows = tf.reduce_prod(shape[:-1])  # 1 where the values are a vector
        numbers = tf.reshape(values, tf.stack([rows, -1]))
        row_of = tf.zeros_like(numbers) + tf.cast(tf.range(rows)[:, None], values.dtype)
        counts = _counted(tf.reshape(numbers, [-1]), tf.reshape(row_of, [-1]), rows, size, weights, once, binary)
        return tf.reshape(counts, tf.concat([shape[:-1], [tf.cast(size, tf.int32)]], 0))

    once, binary = _counts_once(rewriter, node, node.input[2]), node.attr["binary_output"].b
    rewriter.expand(node, count)
    return True


@rewrites("RaggedBincount")
def count_rows_with_segment_sums(rewriter: Rewriter, node: NodeDef) -> bool:
    """As above; the row of a value is found in the row splits."""

    def count(splits: Tensor, values: Tensor, size: Tensor, weights: Tensor) -> Tensor:
        rows = tf.shape(splits)[0] - 1
        row_of = tf.searchsorted(splits, tf.range(tf.size(values, splits.dtype)), side="right") - 1
        counts = _counted(values, tf.cast(row_of, values.dtype), rows, size, weights, once, binary)
        return tf.reshape(counts, tf.stack([rows, tf.cast(size, tf.int32)]))

    once, binary = _counts_once(rewriter, node, node.input[3]), node.attr["binary_output"].b
    rewriter.expand(node, count)
    return True


@rewrites("SparseBincount")
def count_what_is_present_with_segment_sums(rewriter: Rewriter, node: NodeDef) -> bool:
    """As above; the row of a value is the first of its indices, and there is one row where they have one axis."""

    def count(indices: Tensor, values: Tensor, dense_shape: Tensor, size: Tensor, weights: Tensor) -> Tensor:
        rows_shape = tf.cast(dense_shape[:-1], tf.int32)
        row_of = tf.cast(tf.reduce_sum(indices[:, :-1], 1), values.dtype)
        counts = _counted(values, row_of, tf.reduce_prod(rows_shape), size, weights, once, binary)
        return tf.reshape(counts, tf.concat([rows_shape, [tf.cast(size, tf.int32)]], 0))

    once, binary = _counts_once(rewriter, node, node.input[4]), node.attr["binary_output"].b
    rewriter.expand(node, count)
    return True


def _counts_once(rewriter: Rewriter, node: NodeDef, weights: str) -> bool:
    """Whether each value counts once: there is but one kind of weights that are none, an empty constant."""
    return node.attr["binary_output"].b or 0 in (rewriter.shape(weights) or ())


def _counted(
    values: Tensor, row_of: Tensor, rows: Tensor, size: Tensor, weights: Tensor, once: bool, binary: bool
) -> Tensor:
    """How much of each value from 0 to `size` there is in each row, as a vector."""
    amounts = tf.fill(tf.shape(values), tf.ones([], weights.dtype)) if once else tf.reshape(weights, [-1])
    # Negative numbers are not counted.
    numbers = tf.where(values < size, row_of * size + values, -tf.ones_like(values))
    sums = tf.math.unsorted_segment_sum(amounts, numbers, rows * tf.cast(size, tf.int32))
    return tf.minimum(sums, tf.ones([], sums.dtype)) if binary else sums
