"""Models of Keras 3 for any backend: one function a kind, as in `carried_models`. What is their own computes with
`keras.ops`. The classes stand at the top, where another process can import them.
"""

import keras
from keras import layers, ops
from plain_models import MODELS as PLAIN
from plain_models import numbers


def dropout_and_noise(_):
    inputs = keras.Input((8, 8, 3))
    hidden = layers.SpatialDropout2D(0.5)(layers.Conv2D(4, 3)(layers.GaussianNoise(0.3)(inputs)))
    hidden = layers.GaussianDropout(0.2)(layers.AlphaDropout(0.2)(hidden))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dropout(0.4)(layers.Flatten()(hidden))))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(8, 8, 3), "y": numbers(1), "random": True}


class Scale(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
        self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.seen.assign_add(1.0)
            return inputs * self.scale * 2.0
        return inputs * self.scale


class Net(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [layers.Dense(6, activation="relu"), Scale()]
        self.head = layers.Dense(2)

    def call(self, inputs, training=False):
        hidden = self.blocks[1](self.blocks[0](inputs), training=training)
        return self.head(hidden)


class Largest(keras.metrics.Metric):
    def __init__(self, name="largest", **kwargs):
        super().__init__(name=name, **kwargs)
        self.value = self.add_weight(name="value", shape=(), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(ops.maximum(self.value, ops.max(ops.abs(y_pred))))

    def result(self):
        return self.value * 1.0


def quartic(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 4, axis=-1)


def subclassed_with_everything_custom(_):
    model = Net()
    model.compile(keras.optimizers.RMSprop(1e-3), quartic, metrics=[Largest()])
    return {"model": model, "x": numbers(5), "y": numbers(2)}


class WithLossOfItsOwn(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(ops.subtract(y, y_pred))) + 0.5 * ops.mean(ops.abs(y_pred))


def own_compute_loss(_):
    model = WithLossOfItsOwn([keras.Input((4,)), layers.Dense(2)])
    model.compile("adam", metrics=["mae"])
    return {"model": model, "x": numbers(4), "y": numbers(2)}


def _pooled(inputs):
    pooled = layers.AveragePooling2D(3, strides=2, padding="same")(layers.Conv2D(3, 2, padding="same")(inputs))
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling2D()(pooled)))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(7, 8, 2), "y": numbers(1)}


def pooled_at_an_edge(_):
    return _pooled(keras.Input((7, 8, 2)))


def pooled_at_an_edge_of_any_size(_):
    return _pooled(keras.Input((None, None, 2)))


def schedule_decay_and_average(_):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="gelu"), layers.Dense(1)])
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.7)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.02, use_ema=True, ema_momentum=0.8), "log_cosh")
    return {"model": model, "x": numbers(4), "y": numbers(1)}


MODELS = (
    *PLAIN,
    dropout_and_noise,
    subclassed_with_everything_custom,
    own_compute_loss,
    pooled_at_an_edge,
    pooled_at_an_edge_of_any_size,
    schedule_decay_and_average,
)
