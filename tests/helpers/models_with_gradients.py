"""Models whose Python takes gradients, each a function for any Keras, as in `carried_models`."""

import numpy as np
import tensorflow as tf
from plain_models import numbers


def _compiled(keras, model, inputs, outputs, loss="mse", optimizer=None):
    """A case of a subclassed model that was called once."""
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss)
    x = numbers(inputs)
    model(x[:2])
    return {"model": model, "x": x, "y": numbers(outputs, seed=1)}


def _trained_by(keras, step, optimizer=None, inputs=3, outputs=2):
    """A case of a model with the layers `first`, `second` and `other` and a `train_step` that calls
    `step(model, x, y)`, which returns gradients and the weights that they are for.
    """

    class Trained(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.layers.Dense(4, activation="tanh")
            self.second, self.other = keras.layers.Dense(outputs), keras.layers.Dense(1)

        def call(self, x):
            hidden = self.first(x)
            self.other(hidden)
            return self.second(hidden)

        def train_step(self, data):
            x, y = data[0], data[1]
            gradients, weights = step(self, x, y)
            pairs = [(gradient, weight) for gradient, weight in zip(gradients, weights) if gradient is not None]
            self.optimizer.apply_gradients(pairs)
            return {"loss": tf.reduce_mean(self(x) - y)}

    return _compiled(keras, Trained(), inputs, outputs, "mse", optimizer or keras.optimizers.SGD(0.1))


def _variable(weight):
    """The tf.Variable of a weight of any Keras."""
    value = getattr(weight, "value", weight)
    return weight if callable(value) else value


def _error(prediction, y):
    return tf.reduce_mean((prediction - y) ** 2)


# -- gradients in a call


def slope_of_an_energy_in_a_call(keras):
    class Slope(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm = keras.layers.BatchNormalization()
            self.hidden, self.energy = keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)

        def call(self, x, training=None):
            with tf.GradientTape() as tape:
                tape.watch(x)
                energy = self.energy(self.norm(self.hidden(x), training=training))
            return tf.concat([energy, tape.gradient(energy, x)], -1)

    return _compiled(keras, Slope(), 3, 4)


def second_derivatives_in_a_layer(keras):
    """As a network that is informed by physics has them."""

    class Laplace(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.hidden, self.field = keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(1)

        def call(self, x):
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    field = self.field(self.hidden(x))
                slope = inner.gradient(field, x)
            return tf.concat([field, slope, outer.gradient(slope, x)], -1)

    inputs = keras.Input((2,))
    model = keras.Sequential([inputs, Laplace()]) if keras.__name__ == "keras" else None
    if model is None:
        model = keras.Model(inputs, Laplace()(inputs))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return {"model": model, "x": numbers(2), "y": numbers(5, seed=1)}


def jacobians_in_a_call(keras):
    class Jacobian(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(2)

        def call(self, x):
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(x)
                hidden = self.hidden(x)
                total = tf.reduce_sum(hidden, 0)
            per_sample = tape.batch_jacobian(hidden, x)
            whole = tape.jacobian(total, x)
            return self.out(hidden) + tf.reduce_sum(per_sample**2, 2)[:, :2] + tf.reduce_sum(whole, [0, 2])[:, None]

    return _compiled(keras, Jacobian(), 3, 2, optimizer=keras.optimizers.SGD(0.01))


def tf_gradients_in_a_call(keras):
    class Graph(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.energy = keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(2)

        def call(self, x):
            if tf.executing_eagerly():
                return self.energy(self.hidden(x)) + 0.0 * x[:, :2]
            energy = self.energy(self.hidden(x))
            return energy + tf.gradients(energy, x)[0][:, :2]

    return _compiled(keras, Graph(), 3, 2)


def gradients_in_a_loop_and_in_a_branch(keras):
    class Descent(keras.layers.Layer):
        """Goes down its energy three times, and once more where that is high."""

        def build(self, shape):
            self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

        def slope(self, x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                energy = tf.reduce_sum(self.scale * x**4)
            return tape.gradient(energy, x)

        def call(self, x):
            x = tf.tanh(x)
            _, x = tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x - 0.05 * self.slope(x)), [0, x])
            return tf.cond(tf.reduce_sum(self.scale) > 0.0, lambda: x - 0.1 * self.slope(x), lambda: x + 0.0)

        def compute_output_shape(self, shape):
            return shape

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(Descent()(keras.layers.Dense(3)(inputs))))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"model": model, "x": numbers(3), "y": numbers(2, seed=1)}


def products_with_a_jacobian_forwards(keras):
    class Forwards(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(2)

        def call(self, x):
            with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as forwards:
                hidden = self.hidden(x)
            return self.out(forwards.jvp(hidden) + hidden)

    return _compiled(keras, Forwards(), 3, 2)


def gradient_in_a_loss(keras):
    def smooth(y_true, y_pred):
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            energy = tf.reduce_sum(tf.sin(y_pred - y_true), -1)
        return tf.reduce_sum(tape.gradient(energy, y_pred) ** 2, -1) + energy

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(4, activation="tanh")(inputs)))
    model.compile(keras.optimizers.SGD(0.1), smooth)
    return {"model": model, "x": numbers(3), "y": numbers(2, seed=1)}


def gradient_in_a_metric(keras):
    class Steepness(keras.metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            with tf.GradientTape() as tape:
                tape.watch(y_pred)
                energy = tf.reduce_sum((y_pred - tf.cast(y_true, y_pred.dtype)) ** 4, -1)
            return super().update_state(tf.reduce_sum(tape.gradient(energy, y_pred) ** 2, -1))

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(4, activation="tanh")(inputs)))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=[Steepness(name="steepness")])
    return {"model": model, "x": numbers(3), "y": numbers(2, seed=1)}


# -- gradients in a train step


def weights_reached_through_an_inner_gradient_alone(keras):
    def step(model, x, y):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                energy = model.other(model.first(x))
            slope = inner.gradient(energy, x)
            loss = _error(model.second(x[:, :1] * tf.ones([1, 4])), y) + tf.reduce_mean(
                (tf.norm(slope, axis=1) - 1) ** 2
            )
        return outer.gradient(loss, model.trainable_variables), model.trainable_variables

    return _trained_by(keras, step, keras.optimizers.Adam(0.01))


def a_gradient_of_weights_in_the_loss(keras):
    """As meta-learning does: the loss of the weights after a step."""

    def step(model, x, y):
        weights = model.first.trainable_variables
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = _error(model(x, training=True), y)
            kernel, bias = [w - 0.1 * g for w, g in zip(weights, inner.gradient(loss, weights))]
            hidden = tf.tanh(tf.matmul(x, kernel) + bias)
            loss = _error(model.second(hidden), y)
        return outer.gradient(loss, model.trainable_variables), model.trainable_variables

    return _trained_by(keras, step)


def two_losses_of_one_tape(keras):
    def step(model, x, y):
        with tf.GradientTape(persistent=True) as tape:
            hidden = model.first(x)
            loss, other = _error(model.second(hidden), y), tf.reduce_mean(model.other(hidden) ** 2)
        shared = model.first.trainable_variables
        mixed = [a - b for a, b in zip(tape.gradient(loss, shared), tape.gradient(other, shared))]
        heads = model.second.trainable_variables
        return mixed + tape.gradient(loss, heads), shared + heads

    return _trained_by(keras, step)


def a_gradient_inside_of_its_own_tape(keras):
    def step(model, x, y):
        weights = model.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            loss = _error(model(x, training=True), y)
            gradients = tape.gradient(loss, weights)
        return gradients, weights

    return _trained_by(keras, step)


def an_optimizer_inside_of_another_tape(keras):
    def step(model, x, y):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = _error(model(x, training=True), y)
            heads = model.second.trainable_variables
            model.optimizer.apply_gradients(zip(inner.gradient(loss, heads), heads))
            loss = tf.reduce_mean(model.other(model.first(x)) ** 2)
        weights = model.first.trainable_variables + model.other.trainable_variables
        return outer.gradient(loss, weights), weights

    case = _trained_by(keras, step)
    case["model"].optimizer.build(case["model"].trainable_variables)
    case["steps"] = 6
    return case


def a_tape_that_watches_one_layer(keras):
    def step(model, x, y):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for weight in model.second.trainable_variables:
                tape.watch(_variable(weight))
            loss = _error(model(x, training=True), y)
        return tape.gradient(loss, model.trainable_variables), model.trainable_variables

    return _trained_by(keras, step)


def what_was_computed_before_the_tape_is_a_constant(keras):
    def step(model, x, y):
        before = model.first(x)
        with tf.GradientTape() as tape:
            now = model.first(x)
            loss = _error(model.second(now * before), y)
        return tape.gradient(loss, model.trainable_variables), model.trainable_variables

    return _trained_by(keras, step)


def what_a_tape_does_not_record_is_a_constant(keras):
    def step(model, x, y):
        with tf.GradientTape() as tape:
            hidden = model.first(x)
            with tape.stop_recording():
                scale = tf.reduce_mean(hidden**2, 0)
            loss = _error(model.second(hidden * scale), y)
        return tape.gradient(loss, model.trainable_variables), model.trainable_variables

    return _trained_by(keras, step)


def a_tape_that_is_reset(keras):
    def step(model, x, y):
        with tf.GradientTape() as tape:
            hidden = model.first(x)
            tape.reset()
            loss = _error(model.second(hidden), y)
        return tape.gradient(loss, model.trainable_variables), model.trainable_variables

    return _trained_by(keras, step)


def vectors_with_gradients_of_their_own(keras):
    def step(model, x, y):
        weights = [_variable(weight) for weight in model.trainable_variables]
        with tf.GradientTape() as tape:
            errors = (model.second(model.first(x)) - y) ** 2
        zeros = tf.UnconnectedGradients.ZERO
        given = tf.nn.softmax(errors, 0) / 10.0
        gradients = tape.gradient(errors, weights, output_gradients=given, unconnected_gradients=zeros)
        return gradients, model.trainable_variables

    return _trained_by(keras, step, keras.optimizers.SGD(0.1, momentum=0.9))


def weights_moved_to_where_the_loss_is_high(keras):
    """Sharpness-aware minimisation: two gradients, the second one of moved weights."""

    def step(model, x, y):
        weights = model.first.trainable_variables + model.second.trainable_variables
        with tf.GradientTape() as tape:
            loss = _error(model(x, training=True), y)
        moves = [0.05 * gradient for gradient in tape.gradient(loss, weights)]
        for weight, move in zip(weights, moves):
            weight.assign_add(move)
        with tf.GradientTape() as tape:
            loss = _error(model(x, training=True), y)
        gradients = tape.gradient(loss, weights)
        for weight, move in zip(weights, moves):
            weight.assign_sub(move)
        return gradients, weights

    return _trained_by(keras, step)


def gradients_of_each_sample(keras):
    """Clipped one by one, as for privacy."""

    def step(model, x, y):
        weights = model.first.trainable_variables + model.second.trainable_variables

        def clipped(pair):
            with tf.GradientTape() as tape:
                loss = _error(model.second(model.first(pair[0][None])), pair[1][None])
            return tf.clip_by_global_norm(tape.gradient(loss, weights), 0.5)[0]

        return [tf.reduce_mean(gradient, 0) for gradient in tf.vectorized_map(clipped, (x, y))], weights

    return _trained_by(keras, step)


def gradients_of_rows(keras):
    """A penalty on the gradient of embedded words."""

    class Words(keras.Model):
        def __init__(self):
            super().__init__()
            self.table, self.out = keras.layers.Embedding(9, 3), keras.layers.Dense(2)

        def call(self, x):
            return self.out(tf.reduce_mean(self.table(x), 1) ** 2)

        def train_step(self, data):
            x, y = data[0], data[1]
            with tf.GradientTape() as outer:
                embedded = self.table(x)
                with tf.GradientTape() as inner:
                    inner.watch(embedded)
                    loss = _error(self.out(tf.reduce_mean(embedded, 1) ** 2), y)
                loss += 10.0 * tf.reduce_sum(inner.gradient(loss, embedded) ** 2)
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(outer.gradient(loss, weights), weights))
            return {"loss": loss}

    model = Words()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = np.abs(9 * np.tanh(numbers(4))).astype("int32")
    model(x[:2])
    return {"model": model, "x": x, "y": numbers(2, seed=1)}


ALL = [
    value
    for value in list(globals().values())
    if getattr(value, "__module__", "") == __name__ and not value.__name__.startswith("_")
]
