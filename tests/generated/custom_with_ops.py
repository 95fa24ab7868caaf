"""What `custom` makes, for Keras 3 on any backend: computed with `keras.ops`, at the top of a module, where another
process can import it.
"""

import keras
from keras import layers, ops


class _SameShape(layers.Layer):
    def compute_output_shape(self, shape):
        return shape


class OwnScale(_SameShape):
    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.scale


class OwnPhase(_SameShape):
    def call(self, x, training=None):
        if training:
            return x * 0.5
        return x


class OwnNoise(_SameShape):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.draws = keras.random.SeedGenerator()

    def call(self, x, training=False):
        if training:
            return x + keras.random.normal(ops.shape(x), stddev=0.5, seed=self.draws)
        return x


class OwnLoss(_SameShape):
    def call(self, x):
        self.add_loss(0.5 * ops.mean(ops.square(x)))
        return x


class OwnMean(_SameShape):
    def build(self, shape):
        self.mean = self.add_weight(name="mean", shape=(shape[-1],), initializer="zeros", trainable=False)

    def call(self, x, training=None):
        if training:
            now = ops.mean(x, axis=list(range(len(x.shape) - 1)))
            self.mean.assign(self.mean * 0.5 + now * 0.5)
        return x - self.mean


class OwnGate(_SameShape):
    def build(self, shape):
        self.value = layers.Dense(shape[-1], activation="tanh")
        self.gate = layers.Dense(shape[-1], activation="sigmoid")
        self.drop = layers.Dropout(0.5)
        self.value.build(shape)
        self.gate.build(shape)

    def call(self, x, training=None):
        return x + self.drop(self.value(x), training=training) * self.gate(x)


class Positions(_SameShape):
    def build(self, shape):
        self.table = self.add_weight(name="table", shape=(64, shape[-1]), initializer="random_normal")

    def call(self, x):
        return x + ops.convert_to_tensor(self.table)[: ops.shape(x)[1]]


def own_activation(x):
    return ops.relu(x) * 0.5 + 0.25


def own_loss_function(y_true, y_pred):
    return ops.mean(ops.square(ops.cast(y_true, y_pred.dtype) - 0.5 - y_pred), axis=-1)


def focal(y_true, y_pred):
    y_true, y_pred = ops.cast(y_true, y_pred.dtype), ops.clip(y_pred, 1e-4, 1 - 1e-4)
    right = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    return -ops.mean(ops.square(1 - right) * ops.log(right), axis=-1)


class OwnLossClass(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.sum(ops.abs(ops.cast(y_true, y_pred.dtype) - y_pred), axis=-1) * 0.5


def own_metric_function(y_true, y_pred):
    return ops.mean(ops.abs(ops.cast(y_true, y_pred.dtype) - y_pred), axis=-1)


class OwnMetric(keras.metrics.Metric):
    def __init__(self, name="own", **kwargs):
        super().__init__(name=name, **kwargs)
        self.hits = self.add_weight(name="hits", shape=(), initializer="zeros")
        self.seen = self.add_weight(name="seen", shape=(), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.hits.assign_add(ops.sum(ops.cast(y_pred > 0.5, "float32")))
        self.seen.assign_add(ops.cast(ops.size(y_pred), "float32"))

    def result(self):
        return self.hits / ops.maximum(self.seen, 1.0)


class OwnRegularizer(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.5 * ops.mean(ops.abs(x))

    def get_config(self):
        return {}


class OwnConstraint(keras.constraints.Constraint):
    def __call__(self, w):
        return ops.clip(w, -0.5, 0.5)


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.02 / (1.0 + 0.5 * ops.cast(step, "float32"))

    def get_config(self):
        return {}


_NAMED = (OwnScale, OwnPhase, OwnNoise, OwnLoss, OwnMean, OwnGate, Positions, own_activation, own_loss_function, focal)
_NAMED += (OwnLossClass, own_metric_function, OwnMetric, OwnRegularizer, OwnConstraint, OwnSchedule)
CUSTOM = {value.__name__: value for value in _NAMED}
