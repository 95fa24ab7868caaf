"""RNN loops in the form of TF 1.15: `Select` for masks, one counter, a last output without TensorArray."""

import numpy as np
import pytest
import tensorflow as tf
from target_harness import Traced, assert_same_numbers

from keras_gensynth_callback.graph import node_of
from keras_gensynth_callback.graph.rnn_loops import last_output_without_array, one_counter_a_loop
from keras_gensynth_callback.graph.simplify import fold_constants, merge_equal_nodes
from keras_gensynth_callback.lift.normalize import drop_private_attributes
from keras_gensynth_callback.lift.tf1_forms.masks import plain_selects
from keras_gensynth_callback.lift.tf1_forms.tensor_arrays import single_slot_arrays

STEPS = 4


def sequences():
    random = np.random.RandomState(0)
    return random.randn(2, STEPS, 3).astype("f4"), (random.rand(2, STEPS, 1) > 0.5).astype("f4")


def masked_last_output(x, mask):
    """The loop of Keras's `rnn` with a mask, whose last output alone is wanted."""
    masks = tf.TensorArray(tf.bool, STEPS).unstack(tf.transpose(mask > 0, [1, 0, 2]))
    inputs = tf.TensorArray(tf.float32, STEPS).unstack(tf.transpose(x, [1, 0, 2]))

    def step(time, array, output, state):
        flags = masks.read(time)
        new = tf.tanh(inputs.read(time) + state)
        output = tf.where(tf.tile(flags, [1, 3]), new * 2.0, output)
        state = tf.where(tf.tile(flags, [1, 3]), new, state)
        return time + 1, array.write(0, output), output, state

    array = tf.TensorArray(tf.float32, size=1, element_shape=[None, 3])
    zeros = tf.zeros_like(x[:, 0])
    start = (0, array, zeros, zeros)
    return tf.while_loop(lambda time, *_: time < STEPS, step, start, maximum_iterations=STEPS)[1].stack()[-1]


def masked_unrolled(x, mask):
    output = state = tf.zeros_like(x[:, 0])
    for time in range(STEPS):
        flags, new = mask[:, time], tf.tanh(x[:, time] + state)
        output, state = flags * new * 2.0 + (1 - flags) * output, flags * new + (1 - flags) * state
    return output


def gradients_of(function):
    return lambda x, mask: tf.gradients(function(x, mask) ** 2, x)


def traced(function, reference):
    with single_slot_arrays(), plain_selects():
        return Traced(function, *sequences(), reference=reference, differentiate=False)


def tidied(case):
    """What lifting does with the trace of a loop."""
    roots = [node_of(name) for name in case.outputs + case.feeds]
    drop_private_attributes(case.graph)
    fold_constants(case.graph, roots)
    one_counter_a_loop(case.graph)
    last_output_without_array(case.graph)
    case.graph.keep(roots)
    merge_equal_nodes(case.graph, roots)
    return case


def test_masks_choose_rows_and_the_loop_has_one_counter(reader, tmp_path):
    doubled = lambda x, mask: 2.0 * masked_last_output(x, mask)  # noqa: E731
    forward = tidied(traced(doubled, lambda x, mask: 2.0 * masked_unrolled(x, mask)))
    backward = traced(gradients_of(masked_last_output), gradients_of(masked_unrolled))
    ops = forward.ops()
    assert (ops["Select"], ops["SelectV2"], ops["Tile"], ops["Squeeze"]) == (2, 0, 0, 1)
    # The time, the last output in its slot and as it is, the state.
    assert (ops["NextIteration"], ops["Less"], ops["LogicalAnd"]) == (4, 1, 0)
    assert (ops["TensorArrayV3"], ops["TensorArrayGatherV3"]) == (2, 0)
    assert backward.ops()["SelectV2"] == 0
    forward.fit()
    backward.fit()
    assert_same_numbers(reader, tmp_path, forward, backward)


def test_counters_that_differ_stay(reader, tmp_path):
    def counted(x):
        def step(i, steps, total):
            return i + 2, steps + 1, total + x * tf.cast(i + steps, tf.float32)

        return tf.while_loop(lambda i, steps, _: tf.logical_and(i < 9, steps < 3), step, [0, 0, x])

    case = Traced(counted, np.ones(2, "f4"))
    one_counter_a_loop(case.graph)
    assert case.ops()["NextIteration"] == 3
    assert case.ops()["LogicalAnd"] == 1
    case.fit()
    assert_same_numbers(reader, tmp_path, case)


def test_a_counter_whose_end_is_read_ends_alike(reader, tmp_path):
    def counted(x):
        ends = tf.while_loop(lambda i, j, _: i < 5, lambda i, j, t: (i + 1, j + 1, t * x), [0, 0, x])
        return tf.cast(ends[1], tf.float32) * ends[2]

    case = Traced(counted, np.full(2, 1.5, "f4"))
    roots = [node_of(name) for name in case.outputs]
    one_counter_a_loop(case.graph)
    case.graph.keep(roots)
    assert case.ops()["NextIteration"] == 2
    case.fit()
    assert_same_numbers(reader, tmp_path, case)


def test_last_of_more_outputs_is_read_from_the_array():
    def slices(x):
        array = tf.TensorArray(tf.float32, 2).write(0, x).write(1, x * 2.0)
        return array.stack()[-1] + 1.0

    case = Traced(slices, np.ones(2, "f4"), differentiate=False)
    last_output_without_array(case.graph)
    assert case.ops()["TensorArrayGatherV3"] == 1
    source = next(node for node in case.graph.nodes.values() if node.op == "AddV2").input[0]
    assert case.graph.nodes[node_of(source)].op == "StridedSlice"


@pytest.mark.parametrize(
    "shapes, op",
    [
        (((2, 3), (2, 3), (2, 3)), "Select"),
        (((2, 1), (2, 3), (2, 3)), "SelectV2"),
        (((2, 3), (2, 3), ()), "SelectV2"),
        (((None, 3), (None, 3), (None, 3)), "SelectV2"),
    ],
)
def test_where_is_select_only_if_nothing_can_be_broadcast(shapes, op):
    with tf.Graph().as_default(), plain_selects():
        condition, chosen, other = (
            tf.compat.v1.placeholder(dtype, shape) for dtype, shape in zip((tf.bool, tf.float32, tf.float32), shapes)
        )
        assert tf.where(condition, chosen, other).op.type == op
        assert tf.where(condition, 1.0, 0).dtype == tf.float32


def test_where_is_as_before_in_eager_mode_and_afterwards():
    with plain_selects():
        assert tf.where([True, False], 1, 2).numpy().tolist() == [1, 2]
    with tf.Graph().as_default():
        assert tf.where(tf.constant([True]), [1.0], [2.0]).op.type == "SelectV2"
