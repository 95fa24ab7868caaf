"""Layers with conditionals and loops of their own, as public code has them, each a function for any Keras, as in
`carried_models`.
"""

import carried_models
import tensorflow as tf
from plain_models import numbers

# What a branch depends on is the whole batch, so that the batches must be the same here and there.
WHOLE = {"batch": carried_models.SAMPLES}


def _model(keras, call, build=None):
    class Own(keras.layers.Layer):
        def compute_output_shape(self, shape):
            return shape

    Own.call = call
    if build is not None:
        Own.build = build
    layers = [keras.Input((3,), name="x"), keras.layers.Dense(3, name="d"), Own(name="own")]
    model = keras.Sequential([*layers, keras.layers.Dense(1, name="p")])
    model.compile(keras.optimizers.SGD(0.001), "mse")
    return {"model": model, "x": numbers(3), "y": numbers(1, seed=1), "twice": ["own"], **WHOLE}


def an_array_that_a_loop_fills(keras):
    def call(self, x):
        def step(i, array):
            return i + 1, array.write(i, tf.nn.silu(x[:, i]) * 2.0)

        array = tf.TensorArray(tf.float32, size=3)
        return tf.ensure_shape(tf.transpose(tf.while_loop(lambda i, _: i < 3, step, [0, array])[1].stack()), [None, 3])

    return _model(keras, call)


def a_conditional_in_a_loop(keras):
    def call(self, x):
        def step(i, y):
            return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: tf.sin(y), lambda: y + x)

        return tf.while_loop(lambda i, y: i < 4, step, [0, x])[1]

    return _model(keras, call)


def a_loop_in_a_loop(keras):
    def call(self, x):
        def step(i, y):
            return i + 1, tf.while_loop(lambda j, z: j < i, lambda j, z: (j + 1, tf.sin(z) + x), [0, y])[1]

        return tf.while_loop(lambda i, y: i < 3, step, [0, x])[1]

    return _model(keras, call)


def a_branch_that_takes_a_value_twice(keras):
    """TensorFlow 1.15 makes a product of each of these sums."""

    def call(self, x):
        return tf.cond(tf.reduce_sum(x) > -100.0, lambda: (x + x) + (tf.sin(x) + x), lambda: x)

    return _model(keras, call)


def a_switch_case(keras):
    def call(self, x):
        which = tf.cast(tf.reduce_sum(x) > 0.0, tf.int32)
        return tf.switch_case(which, [lambda: tf.sin(x), lambda: x * 2.0, lambda: x], default=lambda: x - 1.0)

    return _model(keras, call)


def a_branch_of_training_that_changes_a_variable(keras):
    def build(self, shape):
        self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=False):
        if training:
            tf.cond(tf.reduce_sum(x) > -1e9, lambda: self.seen.assign_add(2.0), lambda: tf.constant(0.0))
        return x + 0.1 * tf.convert_to_tensor(self.seen)

    return _model(keras, call, build)


def a_map_a_scan_and_a_fold(keras):
    def call(self, x):
        rows = tf.map_fn(lambda row: tf.sin(row) * 2.0, x)
        sums = tf.scan(lambda total, row: total * 0.5 + row, tf.transpose(x))
        total = tf.foldl(lambda one, other: tf.tanh(one + other), tf.transpose(x))
        return rows + tf.transpose(sums) + tf.expand_dims(total, 1)

    return _model(keras, call)


def a_vectorized_map(keras):
    return _model(keras, lambda self, x: tf.vectorized_map(lambda row: row * tf.reduce_sum(row) + 1.0, x))


def a_case_of_three(keras):
    def call(self, x):
        pairs = [(tf.reduce_sum(x) > 100.0, lambda: x), (tf.reduce_sum(x) > -100.0, lambda: x * 2.0)]
        return tf.case(pairs, default=lambda: x - 1.0)

    return _model(keras, call)


def assertions_and_prints(keras):
    def call(self, x):
        tf.debugging.assert_all_finite(x, "finite")
        tf.print("sum", tf.reduce_sum(x), output_stream="file:///dev/null")
        with tf.control_dependencies([tf.debugging.assert_less(x, 1e9)]):
            return tf.identity(x) * 2.0

    return _model(keras, call)


def an_assertion_in_a_loop(keras):
    def call(self, x):
        def step(i, y):
            with tf.control_dependencies([tf.debugging.assert_less(y, 1e9)]):
                return i + 1, y * 0.5

        return tf.while_loop(lambda i, y: i < 3, step, [0, x])[1]

    return _model(keras, call)


def ragged_and_sparse_inside(keras):
    def call(self, x):
        ragged = tf.RaggedTensor.from_row_lengths(tf.reshape(x, [-1]), tf.fill([tf.shape(x)[0]], 3))
        sparse = tf.sparse.from_dense(tf.constant([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]]))
        mean = tf.expand_dims(tf.reduce_mean(ragged, 1), 1)
        return tf.transpose(tf.sparse.sparse_dense_matmul(sparse, x, adjoint_b=True)) + mean

    return _model(keras, call)


def a_table_and_strings(keras):
    def call(self, x):
        words = tf.where(x > 0.0, "up", "down")
        joined = tf.strings.join([words, tf.strings.as_string(tf.cast(x > 0.5, tf.int32))])
        hashed = tf.strings.to_hash_bucket_fast(joined, 7)
        return x * table.lookup(words) + tf.cast(hashed, tf.float32)

    keys = tf.lookup.KeyValueTensorInitializer(["up", "down"], [2.0, 3.0])
    table = tf.lookup.StaticHashTable(keys, 0.0)
    return _model(keras, call)


def images_and_spectra(keras):
    def call(self, x):
        image = tf.image.resize(tf.reshape(x, [-1, 3, 1, 1]), [6, 2])
        spectrum = tf.abs(tf.signal.rfft(tf.reshape(image[:, :, 0, 0], [-1, 6])))
        return spectrum[:, :3] + tf.image.adjust_brightness(x, 0.1)

    return _model(keras, call)


def ops_of_keras(keras):
    """Of Keras 3 alone."""
    ops = keras.ops

    def call(self, x):
        y = ops.cond(ops.sum(x) > 0.0, lambda: x * 2.0, lambda: x)
        y = ops.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, z * 0.5 + x), (0, y))[1]
        y = ops.fori_loop(0, 2, lambda i, z: ops.sin(z) + ops.cast(i, "float32"), y)
        carried, stacked = ops.scan(lambda total, row: (total + row, total * row), y[0], y)
        y = y + carried + stacked + ops.map(lambda row: row * 2.0, y)
        y = ops.vectorized_map(lambda row: row - ops.mean(row), y)
        return ops.associative_scan(lambda a, b: a + b, y, axis=1)

    return _model(keras, call)


ALL = [
    an_array_that_a_loop_fills,
    a_conditional_in_a_loop,
    a_loop_in_a_loop,
    a_map_a_scan_and_a_fold,
    a_vectorized_map,
    a_case_of_three,
    a_branch_that_takes_a_value_twice,
    a_switch_case,
    a_branch_of_training_that_changes_a_variable,
    assertions_and_prints,
    an_assertion_in_a_loop,
    ragged_and_sparse_inside,
    a_table_and_strings,
    images_and_spectra,
]
OF_KERAS_3 = [ops_of_keras]
