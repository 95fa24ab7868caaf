"""Models with unusual metrics, losses and targets, as functions for any Keras: see `carried_models`."""

import carried_models
import numpy as np
import tensorflow as tf
from plain_models import classes, numbers


def _fed(width=3):
    return np.random.RandomState(1).rand(carried_models.SAMPLES, width).astype("float32")


def _model(keras, units, activation=None, width=3):
    layers = [keras.Input((width,), name="x"), keras.layers.Dense(units, activation=activation, name="p")]
    return keras.Sequential(layers)


def _compiled(model, y, loss, metrics=None, **compile_arguments):
    model.compile("sgd", loss, metrics=metrics, **compile_arguments)
    return {"model": model, "x": _fed(), "y": y}


def _binary(keras, metrics):
    return _compiled(_model(keras, 1, "sigmoid"), classes(2).reshape(-1, 1), "binary_crossentropy", metrics)


# Metrics


def vector_of_f1_scores(keras):
    y = np.eye(3, dtype="float32")[classes(3)]
    return _compiled(_model(keras, 3, "softmax"), y, "categorical_crossentropy", [keras.metrics.F1Score(name="f1")])


def several_thresholds(keras):
    metrics = keras.metrics
    found = [
        metrics.FalsePositives(thresholds=[0.2, 0.8], name="fp"),
        metrics.Recall(thresholds=[0.2, 0.8], name="recall"),
        metrics.Precision(thresholds=[0.4], name="one"),
    ]
    return _binary(keras, found)


def result_is_a_variable(keras):
    class Hits(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="hits")
            self.number = self.add_weight(name="number", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.number.assign_add(tf.reduce_sum(tf.cast(y_pred > 0.5, "float32")))

        def result(self):
            return self.number

    return _binary(keras, [Hits()])


def quotients_of_the_users_own(keras):
    """Beside an optimizer whose step sizes are quotients too."""

    class Bias(keras.metrics.Metric):
        def __init__(self, name="bias"):
            super().__init__(name=name)
            self.total = self.add_weight(name="total", shape=(), initializer="zeros")
            self.count = self.add_weight(name="count", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(tf.reduce_sum(y_pred - tf.cast(y_true, y_pred.dtype)))
            self.count.assign_add(tf.cast(tf.size(y_pred), "float32"))

        def result(self):
            return self.total / self.count

    def ratio(y_true, y_pred):
        return tf.reduce_mean(y_pred / (1.0 + tf.abs(y_true)), axis=-1)

    model = _model(keras, 2)
    if not hasattr(keras, "ops"):  # Keras 3 adds no metrics to tensors
        model.add_metric(tf.reduce_mean(model.output) / 3.0, name="third", aggregation="mean")
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=[Bias(), ratio])
    return {"model": model, "x": _fed(), "y": numbers(2)}


def reset_with_numpy(keras):
    class Seen(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="seen")
            self.sums = self.add_weight(name="sums", shape=(1,), initializer="zeros")
            self.base = self.add_weight(name="base", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.sums.assign_add(tf.reduce_sum(y_pred, 0))

        def result(self):
            return tf.reduce_sum(self.sums) + self.base

        def reset_state(self):
            self.sums.assign(np.asarray(tf.zeros(1)) + 2)
            self.base.assign(float(np.asarray(self.sums).sum()) * 3)

    return _binary(keras, [Seen()])


def reset_leaves_a_setting(keras):
    class Scaled(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="scaled")
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
            self.total = self.add_weight(name="total", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(tf.reduce_sum(y_pred))

        def result(self):
            return self.total * tf.convert_to_tensor(self.scale)

        def reset_state(self):
            self.total.assign(0.0)

    metric = Scaled()
    metric.scale.assign(3.0)
    return _binary(keras, [metric])


def logs_of_the_batch(keras):
    class Bare(keras.Model):
        def test_step(self, data):
            x, y = data[0], data[1]
            errors = (self(x, training=False) - y) ** 2
            per_output = tf.reduce_mean(errors, 0)
            return {"loss": tf.reduce_mean(errors), "each": per_output, "outputs": 2, "samples": errors[:, 0]}

    inputs = keras.Input((3,), name="x")
    model = Bare(inputs, keras.layers.Dense(2, name="p")(inputs))
    model.compile("sgd", "mse")
    return {"model": model, "x": _fed(), "y": numbers(2)}


METRICS = [
    vector_of_f1_scores,
    several_thresholds,
    result_is_a_variable,
    reset_with_numpy,
    reset_leaves_a_setting,
    logs_of_the_batch,
    quotients_of_the_users_own,
]


# Losses and sample weights


def loss_of_the_whole_batch(keras):
    class BatchLoss(keras.losses.Loss):
        def __init__(self):
            super().__init__(reduction="none", name="batch")

        def call(self, y_true, y_pred):
            return tf.reduce_mean((y_true - y_pred) ** 2)

    return _compiled(_model(keras, 1), numbers(1), BatchLoss())


def loss_that_asks_for_weights(keras):
    class Asking(keras.losses.Loss):
        def __call__(self, y_true, y_pred, sample_weight=None):
            factor = 1.0 if sample_weight is None else 5.0
            return factor * tf.reduce_mean((y_true - y_pred) ** 2)

        def call(self, y_true, y_pred):
            return tf.reduce_mean((y_true - y_pred) ** 2, -1)

    return _compiled(_model(keras, 1), numbers(1), Asking())


def loss_is_a_sum(keras):
    return _compiled(_model(keras, 2), numbers(2), keras.losses.MeanSquaredError(reduction="sum"))


def first_output_without_loss(keras):
    inputs = keras.Input((4,), dtype="int32", name="x")
    seq = keras.layers.Embedding(9, 3, name="features")(inputs)
    head = keras.layers.Dense(1, name="head")(keras.layers.GlobalAveragePooling1D()(seq))
    model = keras.Model(inputs, [seq, head])
    model.compile("sgd", [None, "mse"])
    x = np.random.RandomState(3).randint(1, 9, (carried_models.SAMPLES, 4)).astype("int32")
    return {"model": model, "x": x, "y": [np.zeros((carried_models.SAMPLES, 4, 3), "float32"), numbers(1)]}


def outputs_of_two_lengths(keras):
    layers = keras.layers
    inputs = keras.Input((6, 2), name="x")
    long = layers.Dense(1, name="long")(inputs)
    short = layers.Dense(1, name="short")(layers.AveragePooling1D(2)(inputs))
    model = keras.Model(inputs, [long, short])
    model.compile("sgd", ["mse", "mae"])
    return {"model": model, "x": numbers(6, 2), "y": [numbers(6, 1), numbers(3, 1)]}


def one_of_two_losses_has_no_weights(keras):
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, [keras.layers.Dense(2, name=name)(inputs) for name in ("all", "each")])
    model.compile("sgd", [loss_of_the_whole_batch(keras)["model"].loss, "mse"])
    return {"model": model, "x": _fed(), "y": [numbers(2), numbers(2, seed=1)]}


def loss_in_bfloat16(keras):
    loss = keras.losses.MeanSquaredError(**({"dtype": "bfloat16"} if keras.__name__ == "keras" else {}))
    return _compiled(_model(keras, 2), numbers(2), loss)


LOSSES = [
    loss_of_the_whole_batch,
    loss_that_asks_for_weights,
    loss_is_a_sum,
    first_output_without_loss,
    outputs_of_two_lengths,
    one_of_two_losses_has_no_weights,
    loss_in_bfloat16,
]

# Targets


def bool_targets(keras):
    y = np.eye(4, dtype=bool)[classes(4)]
    return _compiled(_model(keras, 4, "softmax"), y, "categorical_crossentropy", ["accuracy"])


TARGETS = [bool_targets]
