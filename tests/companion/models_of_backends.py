"""Models of Keras 3 for any backend: one function a kind, as in `carried_models`. What is their own computes with
`keras.ops`. The classes stand at the top, where another process can import them.
"""

import keras
import numpy as np
from keras import layers, ops

SAMPLES = 40


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal((SAMPLES, *shape)).astype("float32")


def classes(count, seed=0):
    return np.random.RandomState(seed).randint(0, count, SAMPLES).astype("int32")


def sequential_convnet():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2), name="image"),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": numbers(8, 8, 2), "y": classes(3)}


def dropout_and_noise():
    inputs = keras.Input((8, 8, 3))
    hidden = layers.SpatialDropout2D(0.5)(layers.Conv2D(4, 3)(layers.GaussianNoise(0.3)(inputs)))
    hidden = layers.GaussianDropout(0.2)(layers.AlphaDropout(0.2)(hidden))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dropout(0.4)(layers.Flatten()(hidden))))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(8, 8, 3), "y": numbers(1), "random": True}


def nested_and_shared():
    inner_input = keras.Input((5,))
    inner = keras.Model(
        inner_input, layers.BatchNormalization()(layers.Dense(4, use_bias=False)(inner_input)), name="inner"
    )
    tower = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="tanh")], name="tower")
    left, right = keras.Input((5,), name="left"), keras.Input((5,), name="right")
    both = layers.Concatenate()([tower(inner(left)), tower(inner(right))])
    model = keras.Model([left, right], layers.Dense(1, name="score")(both))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), "mae")
    return {"model": model, "x": [numbers(5), numbers(5, seed=1)], "y": numbers(1)}


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


def subclassed_with_everything_custom():
    model = Net()
    model.compile(keras.optimizers.RMSprop(1e-3), quartic, metrics=[Largest()])
    return {"model": model, "x": numbers(5), "y": numbers(2)}


def never_built_before_fit():
    model = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return {"model": model, "x": numbers(3), "y": numbers(1)}


def frozen_layers_and_regularizers():
    inputs = keras.Input((6,))
    hidden = layers.Dense(5, kernel_regularizer="l1", bias_regularizer="l2", name="regular")(inputs)
    hidden = layers.Activation("elu", name="elu")(layers.BatchNormalization(trainable=False, name="frozen")(hidden))
    hidden = layers.ActivityRegularization(l2=0.02)(layers.Dense(4, activity_regularizer="l2", trainable=False)(hidden))
    model = keras.Model(inputs, layers.Dense(1, kernel_constraint="non_neg")(hidden))
    model.compile(keras.optimizers.SGD(0.05, clipnorm=1.0), "huber", metrics=["mse"])
    return {"model": model, "x": numbers(6), "y": numbers(1)}


def dicts_of_inputs_and_outputs():
    inputs = {"width": keras.Input((3,), name="width"), "height": keras.Input((2,), name="height")}
    both = layers.Concatenate()([inputs["width"], inputs["height"]])
    outputs = {
        "area": layers.Dense(1, name="area")(both),
        "kind": layers.Dense(3, activation="softmax", name="kind")(both),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        "adam",
        loss={"area": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"area": 0.3, "kind": 2.0},
        metrics={"area": ["mae"], "kind": ["accuracy"]},
    )
    x = {"width": numbers(3), "height": numbers(2, seed=1)}
    return {"model": model, "x": x, "y": {"area": numbers(1), "kind": classes(3)}}


def weighted_samples():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], weighted_metrics=["mse"])
    weights = np.random.RandomState(3).uniform(0.2, 3, SAMPLES).astype("float32")
    return {"model": model, "x": numbers(4), "y": classes(2)[:, None], "fit": {"sample_weight": weights}}


def masked_embedding_and_lstm():
    inputs = keras.Input((7,), dtype="int32", name="words")
    hidden = layers.LSTM(3, return_sequences=True)(layers.Embedding(11, 4, mask_zero=True)(inputs))
    model = keras.Model(inputs, layers.Dense(1, name="mood")(layers.GRU(3)(hidden)))
    model.compile(keras.optimizers.Adam(0.01, clipvalue=0.5), "mse")
    x = np.random.RandomState(0).randint(0, 11, (SAMPLES, 7)).astype("int32")
    x[:, 0], x[::3, 4:] = 1, 0
    return {"model": model, "x": x, "y": numbers(1)}


def attention():
    inputs = keras.Input((5, 8))
    hidden = layers.LayerNormalization()(inputs + layers.MultiHeadAttention(2, 4, use_bias=False)(inputs, inputs))
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling1D()(hidden)))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return {"model": model, "x": numbers(5, 8), "y": numbers(1)}


def uncompiled():
    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.5)(layers.BatchNormalization()(inputs))
    return {"model": keras.Model(inputs, layers.Dense(2)(hidden)), "x": numbers(4), "y": None}


class WithLossOfItsOwn(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(ops.subtract(y, y_pred))) + 0.5 * ops.mean(ops.abs(y_pred))


def own_compute_loss():
    model = WithLossOfItsOwn([keras.Input((4,)), layers.Dense(2)])
    model.compile("adam", metrics=["mae"])
    return {"model": model, "x": numbers(4), "y": numbers(2)}


def schedule_decay_and_average():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="gelu"), layers.Dense(1)])
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.7)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.02, use_ema=True, ema_momentum=0.8), "log_cosh")
    return {"model": model, "x": numbers(4), "y": numbers(1)}


MODELS = (
    sequential_convnet,
    dropout_and_noise,
    nested_and_shared,
    subclassed_with_everything_custom,
    never_built_before_fit,
    frozen_layers_and_regularizers,
    dicts_of_inputs_and_outputs,
    weighted_samples,
    masked_embedding_and_lstm,
    attention,
    uncompiled,
    own_compute_loss,
    schedule_decay_and_average,
)
