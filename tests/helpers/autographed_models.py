"""Models whose Python AutoGraph converts, each a function for any Keras, as in `carried_models`."""

import carried_models
import numpy as np
import tensorflow as tf
from plain_models import numbers

# What a branch depends on is the whole batch, so that the batches must be the same here and there.
WHOLE = {"batch": carried_models.SAMPLES}


def _compiled(keras, *layers, loss="mse", metrics=(), width=3):
    model = keras.Sequential([keras.Input((width,), name="x"), *layers, keras.layers.Dense(1, name="p")])
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=list(metrics))
    return {"model": model, "x": numbers(width), "y": numbers(1, seed=1), **WHOLE}


def _through(keras, function, **options):
    class Through(keras.layers.Layer):
        def call(self, x):
            return function(x)

        def compute_output_shape(self, shape):
            return shape

    return _compiled(keras, keras.layers.Dense(3, name="d"), Through(), **options)


@tf.function
def _clipped(x):
    if tf.norm(x) > 1.0:
        return x / tf.norm(x)
    return x * 2.0


def a_return_in_a_branch(keras):
    return _through(keras, _clipped)


@tf.function
def _halved_until_small(x):
    steps = 0
    while tf.reduce_max(tf.abs(x)) > 0.3:
        x = x * 0.5
        steps += 1
        if steps > 4:
            break
        if tf.reduce_sum(x) > 10.0:
            continue
        x = x + 0.01
    return x


def a_while_with_break_and_continue(keras):
    return _through(keras, _halved_until_small)


@tf.function
def _running(x):
    rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    total = tf.zeros_like(x[:, 0])
    for i in tf.range(tf.shape(x)[1]):
        total = total * 0.5 + x[:, i]
        rows = rows.write(i, total)
    return tf.ensure_shape(tf.transpose(rows.stack()), [None, 3])


def rows_written_in_a_loop(keras):
    return _through(keras, _running)


@tf.function
def _growing(x):
    rows = x[:1]
    for _ in tf.range(2):
        tf.autograph.experimental.set_loop_options(shape_invariants=[(rows, tf.TensorShape([None, 3]))])
        rows = tf.concat([rows, x[:1] * 0.5], 0)
    return x + tf.reduce_sum(rows, 0)


def a_tensor_that_grows_in_a_loop(keras):
    return _through(keras, _growing)


@tf.function(jit_compile=True)
def _shifted(x, by=0.1):
    return x - by


@tf.function(reduce_retracing=True)
def _inner(x, twice, scale=2.0):
    if twice:  # a bool of Python decides here, and no tensor
        x = x * scale
    return x


@tf.function
def _outer(x, *, flag=True):
    y = _inner(x, flag)
    if tf.reduce_any(y > 1.0):
        y = _inner(y, twice=False, scale=3.0) - _shifted(x)
    return y


def nested_functions_with_defaults(keras):
    return _through(keras, _outer)


@tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([]), tf.TensorSpec([3])])
def _scaled(x, factor, offset):
    return x * factor + offset


def arguments_that_a_signature_makes_tensors(keras):
    return _through(keras, lambda x: _scaled(x, 2, np.ones(3, "float32")))


@tf.function
def _counted(x):
    count, half = 0, 0.5
    for _ in tf.range(2):
        count += 1
    return x * half, count, None, {"tenth": 0.1}


def numbers_that_a_function_returns(keras):
    def used(x):
        half, count, nothing, more = _counted(x)
        assert nothing is None and count.dtype == tf.int32
        return half + tf.cast(count, tf.float32) * more["tenth"]

    return _through(keras, used)


@tf.function(autograph=False)
def _unconverted(x):
    assert tf.is_tensor(tf.reduce_sum(x) > 0)
    return tf.cond(tf.reduce_sum(x) > 0.0, lambda: _clipped(x), lambda: x)


def a_function_without_autograph_calls_one_with_it(keras):
    return _through(keras, _unconverted)


@tf.function
def _with_an_exception(x):
    y = tf.autograph.experimental.do_not_convert(_python_only)(x)
    if tf.reduce_sum(y) > 0.0:
        y = -y
    return y


def _python_only(x):
    try:
        if tf.reduce_sum(x) > 0.0:
            return x * 100.0
    except tf.errors.OperatorNotAllowedInGraphError:
        return x * 3.0
    return x


def a_helper_that_is_not_to_be_converted(keras):
    return _through(keras, _with_an_exception)


def a_function_that_was_traced_before(keras):
    @tf.function
    def gate(x):
        if tf.reduce_mean(x) > 0.0:
            x = x * 2.0
        return x

    gate(tf.ones([2, 3]))
    gate.get_concrete_function(tf.TensorSpec([None, 3]))
    return _through(keras, gate)


def a_decorated_call(keras):
    class Gate(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

        @tf.function
        def call(self, x, training=False):
            scale = tf.convert_to_tensor(self.scale)
            if tf.reduce_mean(x) > 0.0:
                x = x * scale
            for _ in tf.range(2):
                x = self.helped(x, scale)
            if training:
                x = x * 0.9
            return x

        def helped(self, x, scale):
            if tf.reduce_max(x) > 1.0:
                x = x * 0.5 * scale
            return x

        def compute_output_shape(self, shape):
            return shape

    return {**_compiled(keras, keras.layers.Dense(3, name="d"), Gate(name="gate")), "twice": ["gate"]}


def a_method_that_makes_its_variable_at_its_first_call(keras):
    class Late(keras.layers.Layer):
        made = None

        @tf.function
        def scaled(self, x):
            if self.made is None:
                self.made = tf.Variable(tf.ones([3]) * 2.0, name="made", trainable=False)
            if tf.reduce_sum(x) > 0.0:
                x = x * self.made
            return x

        def call(self, x):
            return self.scaled(x)

        def compute_output_shape(self, shape):
            return shape

    return _compiled(keras, keras.layers.Dense(3, name="d"), Late(name="late"))


def a_loss_and_a_metric(keras):
    @tf.function
    def bounded(y_true, y_pred):
        error = tf.abs(y_true - y_pred)
        if tf.reduce_max(error) > 1.0:
            error = error / tf.reduce_max(error)
        return tf.reduce_mean(error, -1)

    class Peak(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="peak")
            self.peak = self.add_weight(name="peak", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.peak.assign(self.higher(tf.convert_to_tensor(self.peak), y_pred))

        @tf.function
        def higher(self, peak, y_pred):
            if tf.reduce_max(y_pred) > peak:
                peak = tf.reduce_max(y_pred)
            return peak

        def result(self):
            return tf.convert_to_tensor(self.peak)

    return _compiled(keras, keras.layers.Dense(3, name="d"), loss=bounded, metrics=[Peak()])


def a_helper_of_a_train_step(keras):
    class Stepped(keras.Model):
        def train_step(self, data):
            x, y = data[0], data[1]
            with tf.GradientTape() as tape:
                loss = self.weighed(y, self(x, training=True))
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(self.bounded(tape.gradient(loss, weights)), weights))
            return {"loss": loss}

        @tf.function
        def weighed(self, y, y_pred):
            loss = tf.reduce_mean((y - y_pred) ** 2)
            if loss > 1.0:
                loss = tf.sqrt(loss)
            return loss

        @tf.function
        def bounded(self, gradients):
            norm = tf.linalg.global_norm(gradients)
            if norm > 0.5:
                gradients = [gradient * 0.5 / norm for gradient in gradients]
            return gradients

    inputs = keras.Input((3,), name="x")
    model = Stepped(inputs, keras.layers.Dense(1, name="p")(keras.layers.Dense(3, activation="tanh")(inputs)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"model": model, "x": numbers(3), "y": numbers(1, seed=1), **WHOLE}


ALL = [
    a_return_in_a_branch,
    a_while_with_break_and_continue,
    rows_written_in_a_loop,
    a_tensor_that_grows_in_a_loop,
    nested_functions_with_defaults,
    arguments_that_a_signature_makes_tensors,
    numbers_that_a_function_returns,
    a_function_without_autograph_calls_one_with_it,
    a_helper_that_is_not_to_be_converted,
    a_function_that_was_traced_before,
    a_decorated_call,
    a_method_that_makes_its_variable_at_its_first_call,
    a_loss_and_a_metric,
    a_helper_of_a_train_step,
]


def _converted(keras, call):
    class Layer(keras.layers.Layer):
        pass

    Layer.call = call
    return _compiled(keras, keras.layers.Dense(3, name="d"), Layer(name="own"))


def an_if_in_a_call(keras):
    def call(self, x):
        if tf.reduce_mean(x) > 0.0:
            x = x * 2.0
        return x

    return _converted(keras, call)


def a_loop_in_a_call(keras):
    def call(self, x):
        y = x
        for column in tf.transpose(x):
            y = y * 0.5 + _positive(tf.expand_dims(column, 1))
        return y

    return _converted(keras, call)


def _positive(x):
    if tf.reduce_sum(x) > 0.0:
        return x
    return -x


def an_if_in_a_cell_of_an_rnn(keras):
    class Cell(keras.layers.Layer):
        state_size = output_size = 3

        def build(self, shape):
            self.kernel = self.add_weight(name="kernel", shape=(3, 3), initializer="glorot_uniform")

        def call(self, x, states):
            state = tf.tanh(tf.matmul(states[0] + x, self.kernel))
            if tf.reduce_sum(state) > 0.0:
                state = state * 0.5
            return state, [state]

    inputs = keras.Input((4, 3), name="x")
    hidden = keras.layers.RNN(Cell(name="cell"), return_sequences=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="p")(hidden[:, -1]))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"model": model, "x": numbers(4, 3), "y": numbers(1, seed=1), **WHOLE}


def a_loss_and_a_metric_that_ask_autograph(keras):
    class Loss(keras.losses.Loss):
        def call(self, y_true, y_pred):
            error = tf.abs(y_true - y_pred)
            if tf.reduce_max(error) > 1.0:
                error = error / tf.reduce_max(error)
            return tf.reduce_mean(error, -1)

    def spread(y_true, y_pred):
        low = tf.reduce_min(y_pred, -1)
        if tf.reduce_any(low > 0.0):
            low = low * 0.0
        return tf.reduce_max(y_pred, -1) - low

    return _compiled(keras, keras.layers.Dense(3, name="d"), loss=Loss(), metrics=[spread])


def a_model_of_its_own_class(keras):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = keras.layers.Dense(3), keras.layers.Dense(1)

        def call(self, x, training=None):
            x = self.first(x)
            if training:
                x = x + 0.0
            if tf.reduce_mean(x) > 0.0:
                x = tf.tanh(x)
            while tf.reduce_max(x) > 0.5:
                x = x * 0.5
            return self.last(x)

    model = Own()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"model": model, "x": numbers(3), "y": numbers(1, seed=1), **WHOLE}


# What Keras 2 converts, and Keras 3 does not.
OF_KERAS_2 = [
    an_if_in_a_call,
    a_loop_in_a_call,
    an_if_in_a_cell_of_an_rnn,
    a_loss_and_a_metric_that_ask_autograph,
    a_model_of_its_own_class,
]
