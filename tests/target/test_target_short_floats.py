"""bfloat16 in TensorFlow 1.15: arithmetic is done in float32 and rounded, which gives the same numbers."""

import numpy as np
import tensorflow as tf
from target_harness import Traced, assert_same_numbers, run_in_reader

VALUES = np.random.RandomState(0).uniform(0.2, 2.0, (5, 4)).astype("float32")
OTHERS = np.random.RandomState(1).uniform(0.2, 2.0, (5, 4)).astype("float32")


def short(function):
    """`function` in bfloat16, between tensors of float32."""

    def run(*tensors):
        results = tf.nest.flatten(function(*(tf.cast(tensor, tf.bfloat16) for tensor in tensors)))
        return [tf.cast(result, tf.float32) for result in results]

    return run


def test_the_same_numbers_bit_for_bit(reader, tmp_path):
    functions = [
        lambda x, y: tf.square(x - y),  # the optimiser of TensorFlow 1.15 makes an op without kernel of these two
        lambda x, y: [tf.math.squared_difference(x, y), tf.math.log1p(x) / y, x - tf.sqrt(y)],
        lambda x, y: [tf.maximum(x, y), tf.nn.relu(x - y), x + y],
        lambda x, y: [tf.cast(x < y, tf.float32), tf.nn.bias_add(x, y[0]), tf.reduce_max(x, -1)],
        lambda x, y: [tf.tanh(x), tf.math.exp(y), tf.math.log(x), -x, tf.abs(y), x * x],
    ]
    cases = [Traced(short(function), VALUES, OTHERS, differentiate=False) for function in functions]
    for case in cases:
        assert "round_to_bfloat16" in case.fit()
    for case, found in zip(cases, run_in_reader(reader, tmp_path, cases)):
        for here, there in zip(case.expected.outputs, found.outputs):
            np.testing.assert_array_equal(there, here)


def test_what_takes_several_steps_is_rounded_less_often(reader, tmp_path):
    cases = [
        Traced(short(lambda x, y: tf.square(x - y) * y), VALUES, OTHERS),
        Traced(short(lambda x, y: [tf.add_n([x, y, x]), tf.cumsum(x, 1), tf.sigmoid(y)]), VALUES, OTHERS),
    ]
    for case in cases:
        case.fit()
    assert_same_numbers(reader, tmp_path, *cases, tolerance=2.0**-7)


def test_the_largest_of_bools(reader, tmp_path):
    case = Traced(lambda x: [tf.argmax(x > 1.0, -1), tf.argmin(x > 1.0, 0)], VALUES)
    assert "compute_in_wider_integers" in case.fit()
    assert_same_numbers(reader, tmp_path, case)
