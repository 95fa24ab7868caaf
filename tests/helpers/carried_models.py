"""The models that the contract is tested with: one function a kind, for any Keras.

Each returns a dict: `model`, `x`, `y`, and where they are not the default: `fit` (arguments of `fit`), `batch` (16),
`random` (training draws random numbers), `trained` (weights after train steps can be compared), `twice` (parts of
names of layers that may stand twice).
"""

import numpy as np
import tensorflow as tf
from plain_models import MODELS, SAMPLES, classes, numbers


def _preprocessing(keras):
    """Where a Keras has its layers that prepare data: a place of their own before TensorFlow 2.6."""
    return keras.layers if hasattr(keras.layers, "Normalization") else keras.layers.experimental.preprocessing


def dropout_noise_and_augmentation(keras):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    hidden = _preprocessing(keras).RandomFlip()(inputs)
    hidden = layers.GaussianNoise(0.3)(hidden)
    hidden = layers.SpatialDropout2D(0.5)(layers.Conv2D(4, 3)(hidden))
    hidden = layers.GaussianDropout(0.2)(layers.AlphaDropout(0.2)(hidden))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dropout(0.4)(layers.Flatten()(hidden))))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(8, 8, 3), "y": numbers(1), "random": True}


def subclassed_with_everything_custom(keras):
    class Scale(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
            self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", trainable=False)

        def call(self, inputs, training=False):
            if training:
                self.seen.assign_add(1.0)
                return inputs * self.scale * 2.0
            return inputs * self.scale

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [keras.layers.Dense(6, activation="relu"), Scale()]
            self.head = keras.layers.Dense(2)

        def call(self, inputs, training=False):
            for block in self.blocks:
                inputs = block(inputs, training=training) if isinstance(block, Scale) else block(inputs)
            return self.head(inputs)

    class Largest(keras.metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.value = self.add_weight(name="value", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(tf.maximum(self.value, tf.reduce_max(tf.abs(y_pred))))

        def result(self):
            return self.value * 1.0

    def quartic(y_true, y_pred):
        return tf.reduce_mean((y_true - y_pred) ** 4, axis=-1)

    model = Net()
    model.compile(keras.optimizers.RMSprop(1e-3), quartic, metrics=[Largest()])
    return {"model": model, "x": numbers(5), "y": numbers(2)}


def weightedclasses(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": numbers(4), "y": classes(2), "fit": {"class_weight": {0: 1.0, 1: 5.0}}}


def recurrent_dropout_and_wrappers(keras):
    layers = keras.layers
    inputs = keras.Input((6, 4))
    hidden = layers.Bidirectional(layers.LSTM(3, dropout=0.3, return_sequences=True))(inputs)
    hidden = layers.TimeDistributed(layers.Dense(2))(hidden)
    model = keras.Model(inputs, layers.SimpleRNN(2, recurrent_dropout=0.2)(hidden))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(6, 4), "y": numbers(2), "random": True}


def own_train_and_test_step(keras):
    class Model(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tracker = keras.metrics.Mean(name="distance")

        @property
        def metrics(self):
            return [self.tracker]

        def distance(self, x, y, training):
            return tf.reduce_mean(tf.abs(self(x, training=training) - y)) + 0.1 * tf.reduce_mean(x**2)

        def train_step(self, data):
            x, y = data[:2]
            with tf.GradientTape() as tape:
                distance = self.distance(x, y, True)
            gradients = tape.gradient(distance, self.trainable_variables)
            gradients = [0.5 * gradient for gradient in gradients]
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            self.tracker.update_state(distance)
            return {"distance": self.tracker.result()}

        def test_step(self, data):
            x, y = data[:2]
            self.tracker.update_state(self.distance(x, y, False))
            return {"distance": self.tracker.result()}

    inputs = keras.Input((4,))
    model = Model(inputs, keras.layers.Dense(1)(keras.layers.BatchNormalization()(inputs)))
    model.compile(keras.optimizers.Adam(0.01))
    return {"model": model, "x": numbers(4), "y": numbers(1)}


def own_compute_loss(keras):
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return tf.reduce_mean((y - y_pred) ** 2) + 0.5 * tf.reduce_mean(tf.abs(y_pred))

    inputs = keras.Input((4,))
    model = Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("adam", "mse", metrics=["mae"])
    return {"model": model, "x": numbers(4), "y": numbers(1)}


def schedules_and_decay(keras):
    if hasattr(keras.optimizers, "AdamW"):
        schedule = keras.optimizers.schedules.CosineDecay(0.05, 40, warmup_steps=3, warmup_target=0.1)
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.01)
    else:  # before TensorFlow 2.11
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.PolynomialDecay(0.05, 40))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="gelu"), keras.layers.Dense(1)])
    model.compile(optimizer, "log_cosh")
    return {"model": model, "x": numbers(4), "y": numbers(1)}


def metrics_with_state(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid", name="yes")])
    metrics = [keras.metrics.AUC(name="auc", num_thresholds=20), keras.metrics.Precision(name="precision")]
    model.compile("sgd", keras.losses.BinaryCrossentropy(label_smoothing=0.1), metrics=metrics)
    return {"model": model, "x": numbers(4), "y": classes(2)[:, None]}


def constants_in_layers(keras):
    layers = keras.layers
    table = tf.constant(np.random.RandomState(1).standard_normal((4, 3)).astype("float32"))
    large = tf.constant(np.random.RandomState(2).standard_normal((3, 10000)).astype("float32") / 100)
    inputs = keras.Input((4,))
    hidden = _preprocessing(keras).Rescaling(0.5)(inputs)
    if hasattr(layers, "Normalization"):
        hidden = layers.Normalization(mean=[0.0, 1.0, 2.0, 3.0], variance=[1.0, 2.0, 3.0, 4.0])(hidden)
    model = keras.Model(inputs, layers.Dense(1)(layers.Lambda(lambda value: value @ table @ large)(hidden)))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(4), "y": numbers(1)}


def sequences_with_weights_of_time_steps(keras):
    inputs = keras.Input((6, 3))
    model = keras.Model(
        inputs,
        keras.layers.Dense(4, activation="softmax", name="tag")(keras.layers.GRU(5, return_sequences=True)(inputs)),
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    tags = np.random.RandomState(0).randint(0, 4, (SAMPLES, 6)).astype("int32")
    return {"model": model, "x": numbers(6, 3), "y": tags}


def gradient_penalty(keras):
    class Model(keras.Model):
        def train_step(self, data):
            x, y = data[:2]
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    y_pred = self(x, training=True)
                slope = inner.gradient(y_pred, x)
                loss = tf.reduce_mean((y - y_pred) ** 2) + 0.1 * tf.reduce_mean(slope**2)
            gradients = outer.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            return {"loss": loss}

    inputs = keras.Input((4,))
    model = Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(5, activation="tanh")(inputs)))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(4), "y": numbers(1)}


def average_of_weights_in_train_step(keras):
    class Model(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            shapes = [tuple(v.shape) for v in self.trainable_variables]
            self.shadows = [
                self.add_weight(name=f"shadow_{i}", shape=shape, trainable=False, initializer="zeros")
                for i, shape in enumerate(shapes)
            ]

        def train_step(self, data):
            logs = super().train_step(data)
            for shadow, variable in zip(self.shadows, self.trainable_variables):
                shadow.assign(0.9 * shadow + 0.1 * tf.convert_to_tensor(variable))
            return logs

    inputs = keras.Input((4,))
    model = Model(inputs, keras.layers.Dense(1)(keras.layers.BatchNormalization()(inputs)))
    model.compile("adam", "mse")
    return {"model": model, "x": numbers(4), "y": numbers(1)}


def conditions_and_loops(keras):
    class Steps(keras.layers.Layer):
        def build(self, shape):
            self.rounds = self.add_weight(name="rounds", shape=(), initializer="zeros", trainable=False)

        def call(self, inputs):
            inputs = tf.cond(self.rounds < 1.0, lambda: inputs * 2.0, lambda: inputs - 1.0)
            return tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 0.9 + 0.1), (0, inputs))[1]

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1)(Steps(name="steps")(keras.layers.Dense(3)(inputs))))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(4), "y": numbers(1)}


def two_players(keras):
    """A GAN: two optimizers, trained on something else than it is called on."""

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            layers = keras.layers
            self.maker = keras.Sequential(
                [keras.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(3)], name="maker"
            )
            self.critic = keras.Sequential(
                [keras.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(1)], name="critic"
            )

        def call(self, inputs):
            return self.maker(inputs)

        def compile(self, maker_optimizer, critic_optimizer):
            super().compile(optimizer=maker_optimizer)
            self.critic_optimizer = critic_optimizer

        def train_step(self, data):
            noise, real = data[:2]
            with tf.GradientTape() as tape:
                fake = self.critic(self.maker(noise, training=True), training=True)
                loss = tf.reduce_mean(tf.nn.softplus(fake)) + tf.reduce_mean(
                    tf.nn.softplus(-self.critic(real, training=True))
                )
            gradients = tape.gradient(loss, self.critic.trainable_variables)
            self.critic_optimizer.apply_gradients(zip(gradients, self.critic.trainable_variables))
            with tf.GradientTape() as tape:
                fooled = tf.reduce_mean(tf.nn.softplus(-self.critic(self.maker(noise, training=True), training=True)))
            gradients = tape.gradient(fooled, self.maker.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.maker.trainable_variables))
            return {"critic": loss, "maker": fooled}

        def test_step(self, data):
            noise, real = data[:2]
            return {"maker": tf.reduce_mean(tf.nn.softplus(-self.critic(self.maker(noise))))}

    model = Model()
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.RMSprop(0.01))
    model(tf.zeros((1, 4)))
    model.critic(tf.zeros((1, 3)))
    return {"model": model, "x": numbers(4), "y": numbers(3)}


ALL = [
    *MODELS,
    *(
        value
        for value in list(globals().values())
        if getattr(value, "__module__", "") == __name__ and not value.__name__.startswith("_")
    ),
]
BY_NAME = {make.__name__: make for make in ALL}
