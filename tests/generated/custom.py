"""Layers, losses and metrics of a user's own, for either Keras on TensorFlow, in the ways that people write
them.
"""

import functools

import tensorflow as tf


@functools.lru_cache(None)
def custom(keras):
    """The classes and functions, by name."""
    layers = _layers(keras)
    return {**layers, **_losses(keras), **_metrics(keras), **_parts(keras)}


def _layers(keras):
    class OwnScale(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
            super().build(shape)

        def call(self, x):
            return x * self.scale

    class OwnPhase(keras.layers.Layer):
        """Does something else in training, by Python."""

        def call(self, x, training=None):
            if training:
                return x * 0.5
            return x

    class OwnNoise(keras.layers.Layer):
        def call(self, x, training=False):
            if training:
                return x + tf.random.normal(tf.shape(x), stddev=0.5)
            return x

    class OwnLoss(keras.layers.Layer):
        def call(self, x):
            self.add_loss(0.5 * tf.reduce_mean(tf.square(x)))
            return x

    class OwnMean(keras.layers.Layer):
        """Holds a moving mean of its own."""

        def build(self, shape):
            self.mean = self.add_weight(name="mean", shape=(shape[-1],), initializer="zeros", trainable=False)
            super().build(shape)

        def call(self, x, training=None):
            if training:
                now = tf.reduce_mean(x, axis=list(range(len(x.shape) - 1)))
                self.mean.assign(self.mean * 0.5 + now * 0.5)
            return x - self.mean

    class OwnGate(keras.layers.Layer):
        """Layers within a layer."""

        def build(self, shape):
            self.value = keras.layers.Dense(shape[-1], activation="tanh")
            self.gate = keras.layers.Dense(shape[-1], activation="sigmoid")
            self.drop = keras.layers.Dropout(0.5)
            self.value.build(shape)
            self.gate.build(shape)
            super().build(shape)

        def call(self, x, training=None):
            return x + self.drop(self.value(x), training=training) * self.gate(x)

    class Positions(keras.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(name="table", shape=(64, shape[-1]), initializer="random_normal")
            super().build(shape)

        def call(self, x):
            return x + tf.convert_to_tensor(self.table)[: tf.shape(x)[1]]

    for layer in (OwnScale, OwnPhase, OwnNoise, OwnLoss, OwnMean, OwnGate, Positions):
        layer.compute_output_shape = lambda self, shape: shape
    return {layer.__name__: layer for layer in (OwnScale, OwnPhase, OwnNoise, OwnLoss, OwnMean, OwnGate, Positions)}


def _losses(keras):
    def own_function(y_true, y_pred):
        return tf.reduce_mean(tf.square(tf.cast(y_true, y_pred.dtype) - 0.5 - y_pred), axis=-1)

    def focal(y_true, y_pred):
        y_true, y_pred = tf.cast(y_true, y_pred.dtype), tf.clip_by_value(y_pred, 1e-4, 1 - 1e-4)
        right = y_true * y_pred + (1 - y_true) * (1 - y_pred)
        return -tf.reduce_mean(tf.square(1 - right) * tf.math.log(right), axis=-1)

    class OwnClass(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return tf.reduce_sum(tf.abs(tf.cast(y_true, y_pred.dtype) - y_pred), axis=-1) * 0.5

    return {"own_loss_function": own_function, "focal": focal, "OwnLossClass": OwnClass}


def _metrics(keras):
    def own_metric_function(y_true, y_pred):
        return tf.reduce_mean(tf.abs(tf.cast(y_true, y_pred.dtype) - y_pred), axis=-1)

    class OwnMetric(keras.metrics.Metric):
        """The share of predictions above a threshold."""

        def __init__(self, name="own", **kwargs):
            super().__init__(name=name, **kwargs)
            self.hits = self.add_weight(name="hits", shape=(), initializer="zeros")
            self.seen = self.add_weight(name="seen", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.hits.assign_add(tf.reduce_sum(tf.cast(y_pred > 0.5, "float32")))
            self.seen.assign_add(tf.cast(tf.size(y_pred), "float32"))

        def result(self):
            return self.hits / tf.maximum(self.seen, 1.0)

    return {"own_metric_function": own_metric_function, "OwnMetric": OwnMetric}


def _parts(keras):
    class OwnRegularizer(keras.regularizers.Regularizer):
        def __call__(self, x):
            return 0.5 * tf.reduce_mean(tf.abs(x))

    class OwnConstraint(keras.constraints.Constraint):
        def __call__(self, w):
            return tf.clip_by_value(w, -0.5, 0.5)

    class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.02 / (1.0 + 0.5 * tf.cast(step, "float32"))

        def get_config(self):
            return {}

    return {
        "OwnRegularizer": OwnRegularizer,
        "OwnConstraint": OwnConstraint,
        "OwnSchedule": OwnSchedule,
        "own_activation": lambda x: tf.nn.relu(x) * 0.5 + 0.25,
    }
