"""Loops that keep their last output alone run in TensorFlow 1.15, with the right gradient."""

import numpy as np
import tensorflow as tf
from target_harness import Traced, assert_same_numbers

from keras_gensynth_callback.lift.tf1_forms.tensor_arrays import single_slot_arrays


def last_output(x, kernel):
    """What Keras's `rnn` does when only the last output is wanted: index 0 is written in each step."""

    def step(time, array, state):
        state = tf.tanh(tf.matmul(state + x[:, time], kernel))
        return time + 1, array.write(0, state * 2.0), state

    array = tf.TensorArray(tf.float32, size=1, element_shape=[None, 3])
    start = (0, array, tf.zeros_like(x[:, 0]))
    return tf.while_loop(lambda time, *_: time < 5, step, start, maximum_iterations=4)[1].stack()[-1]


def unrolled(x, kernel):
    state = tf.zeros_like(x[:, 0])
    for time in range(4):
        state = tf.tanh(tf.matmul(state + x[:, time], kernel))
    return state * 2.0


def gradients_of(function):
    return lambda *xs: tf.gradients(function(*xs) ** 2, xs)


def arrays():
    random = np.random.RandomState(0)
    return random.randn(2, 5, 3).astype("f4"), random.randn(3, 3).astype("f4")


def test_a_loop_that_keeps_its_last_output(reader, tmp_path):
    with single_slot_arrays():
        forward = Traced(last_output, *arrays(), reference=unrolled)
        backward = Traced(gradients_of(last_output), *arrays(), reference=gradients_of(unrolled), differentiate=False)
    forward.fit()
    backward.fit()
    assert_same_numbers(reader, tmp_path, forward, backward)


def test_arrays_with_more_slots_stay_as_they_are(reader, tmp_path):
    def running_sum(x):
        def step(i, array, total):
            total += x[i]
            return i + 1, array.write(i, total), total

        array = tf.TensorArray(tf.float32, size=3)
        return tf.while_loop(lambda i, *_: i < 3, step, [0, array, tf.zeros([2])])[1].stack()

    x = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    with single_slot_arrays():
        case = Traced(running_sum, x)
    case.fit()
    assert case.ops()["TensorArrayWriteV3"] == 1
    np.testing.assert_array_equal(case.expected.outputs[0], np.cumsum(x, 0))
    assert_same_numbers(reader, tmp_path, case)


def test_loops_are_built_as_before_afterwards():
    from tensorflow.python.ops.control_flow_ops import WhileContext

    before = WhileContext.BuildLoop
    with single_slot_arrays():
        assert WhileContext.BuildLoop is not before
    assert WhileContext.BuildLoop is before
