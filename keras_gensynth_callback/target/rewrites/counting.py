"""Counting values."""

import tensorflow as tf

from ..rewriting import Unfit
from .registry import rewrites


@rewrites("DenseBincount")
def count_with_segment_sums(rewriter, node):
    """Each value is the number of a segment, so that a sum over segments counts; rows are kept apart by an offset."""
    shape, weights = rewriter.shape(node.input[0]), rewriter.shape(node.input[2])
    if shape is None or weights is None:
        raise Unfit("the rank of its values or of its weights is not known")
    is_weighted, binary = 0 not in weights, node.attr["binary_output"].b

    def count(values, size, weights):
        amounts = weights if is_weighted and not binary else tf.fill(tf.shape(values), tf.ones([], weights.dtype))
        rows = tf.shape(values)[0] if len(shape) == 2 else 1
        numbers = values
        if len(shape) == 2:
            numbers += tf.cast(tf.range(rows)[:, None], values.dtype) * size
        numbers = tf.where(values < size, numbers, -tf.ones_like(numbers))  # negative ones are not counted
        sums = tf.math.unsorted_segment_sum(amounts, numbers, rows * tf.cast(size, tf.int32))
        sums = tf.minimum(sums, tf.ones([], sums.dtype)) if binary else sums
        return tf.reshape(sums, [-1, tf.cast(size, tf.int32)]) if len(shape) == 2 else tf.identity(sums)

    rewriter.expand(node, count)
    return True
