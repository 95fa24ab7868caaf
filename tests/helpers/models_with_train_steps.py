"""Models with a `train_step` of their own that calls the layers alone, or the model twice, each a function for any
Keras.

Each returns a dict: `model`, `x`, `y` (or None), and `random` where training draws random numbers.
"""

import numpy as np
import tensorflow as tf
from plain_models import numbers


def _functional(keras, inputs, *layers, name):
    first = outputs = keras.Input((inputs,))
    for layer in layers:
        outputs = layer(outputs)
    return keras.Model(first, outputs, name=name)


def autoencoder(keras):
    """A variational one: an encoder, a layer that samples, a decoder, three trackers, and no `call`."""
    layers = keras.layers

    class Sampling(layers.Layer):
        def call(self, inputs):
            mean, log_variance = inputs
            return mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))

    class Autoencoder(keras.Model):
        def __init__(self, encoder, decoder):
            super().__init__()
            self.encoder, self.decoder = encoder, decoder
            self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "reconstruction", "kl")]

        @property
        def metrics(self):
            return self.trackers

        def train_step(self, data):
            with tf.GradientTape() as tape:
                mean, log_variance, sample = self.encoder(data)
                reconstruction = tf.reduce_mean(tf.reduce_sum((data - self.decoder(sample)) ** 2, -1))
                kl = tf.reduce_mean(-0.5 * (1 + log_variance - mean**2 - tf.exp(log_variance)))
                loss = reconstruction + kl
            weights = self.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
            for tracker, value in zip(self.trackers, (loss, reconstruction, kl)):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.trackers}

    inputs = keras.Input((6,))
    hidden = layers.Dense(5, activation="relu")(inputs)
    mean, log_variance = layers.Dense(2, name="mean")(hidden), layers.Dense(2, name="log_variance")(hidden)
    encoder = keras.Model(inputs, [mean, log_variance, Sampling()([mean, log_variance])], name="encoder")
    decoder = _functional(keras, 2, layers.Dense(5, activation="relu"), layers.Dense(6), name="decoder")
    model = Autoencoder(encoder, decoder)
    model.compile(keras.optimizers.Adam(0.01))
    return {"model": model, "x": numbers(6), "y": None, "random": True, "metrics": ["kl", "loss", "reconstruction"]}


def adversaries(keras, base=None):
    """A generator and a discriminator, each with its optimizer, handed to a `compile` of their own. What is generated
    of comes with the data, so that nothing is random.
    """
    layers = keras.layers

    class Adversaries(base or keras.Model):
        def __init__(self, generator, discriminator):
            super().__init__()
            self.generator, self.discriminator = generator, discriminator

        def compile(self, d_optimizer, g_optimizer, loss_fn, **more):
            super().compile(**more)
            self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn
            self.d_metric = keras.metrics.Mean(name="d_loss")
            self.g_metric = keras.metrics.Mean(name="g_loss")

        @property
        def metrics(self):
            return [self.d_metric, self.g_metric]

        def train_step(self, data):
            real, latent = data[0], data[1]
            both = tf.concat([self.generator(latent, training=True), real], 0)
            ones = tf.ones([tf.shape(real)[0], 1])
            labels = tf.concat([ones, 0.0 * ones], 0)
            with tf.GradientTape() as tape:
                d_loss = self.loss_fn(labels, self.discriminator(both, training=True))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights))
            with tf.GradientTape() as tape:
                g_loss = self.loss_fn(0.0 * ones, self.discriminator(self.generator(latent, training=True)))
            weights = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights))
            self.d_metric.update_state(d_loss)
            self.g_metric.update_state(g_loss)
            return {"d_loss": self.d_metric.result(), "g_loss": self.g_metric.result()}

    generator = _functional(
        keras,
        2,
        layers.Dense(4, use_bias=False),
        layers.BatchNormalization(),
        layers.LeakyReLU(),
        layers.Dense(3),
        name="generator",
    )
    discriminator = _functional(keras, 3, layers.Dense(5, activation="tanh"), layers.Dense(1), name="discriminator")
    model = Adversaries(generator, discriminator)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.1, momentum=0.9), loss)
    return {"model": model, "x": numbers(3), "y": numbers(2, seed=1), "metrics": ["d_loss"]}


def distillation(keras):
    """A student that learns from a teacher, which is frozen, by a loss of its own."""
    layers = keras.layers

    class Distiller(keras.Model):
        def __init__(self, student, teacher):
            super().__init__()
            self.student, self.teacher = student, teacher
            self.tracker = keras.metrics.Mean(name="loss")

        @property
        def metrics(self):
            return [self.tracker]

        def compile(self, optimizer, student_loss_fn, distillation_loss_fn, alpha, temperature):
            super().compile(optimizer=optimizer)
            self.student_loss_fn, self.distillation_loss_fn = student_loss_fn, distillation_loss_fn
            self.alpha, self.temperature = alpha, temperature

        def call(self, x, training=None):
            return self.student(x, training=training)

        def losses_of(self, x, y, training):
            taught = tf.nn.softmax(self.teacher(x, training=False) / self.temperature)
            answer = self.student(x, training=training)
            distilled = self.distillation_loss_fn(taught, tf.nn.softmax(answer / self.temperature))
            return self.alpha * self.student_loss_fn(y, answer) + (1 - self.alpha) * self.temperature**2 * distilled

        def train_step(self, data):
            x, y = data[0], data[1]
            with tf.GradientTape() as tape:
                loss = self.losses_of(x, y, True)
            weights = self.student.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
            self.tracker.update_state(loss)
            return {"loss": self.tracker.result()}

        def test_step(self, data):
            x, y = data[0], data[1]
            self.tracker.update_state(self.losses_of(x, y, False))
            return {"loss": self.tracker.result()}

    student = _functional(keras, 4, layers.Dense(3, activation="relu"), layers.Dense(3), name="student")
    teacher = _functional(keras, 4, layers.Dense(8, activation="relu"), layers.Dense(3), name="teacher")
    teacher.trainable = False
    model = Distiller(student, teacher)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), cross_entropy, keras.losses.KLDivergence(), 0.3, 3.0)
    classes = np.random.RandomState(0).randint(0, 3, 40).astype("int32")
    return {"model": model, "x": numbers(4), "y": classes, "metrics": ["loss"]}


def inner_model(keras):
    """A model that trains another one, handed to it."""

    class Trainer(keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.tracker = inner, keras.metrics.Mean(name="loss")

        @property
        def metrics(self):
            return [self.tracker]

        def call(self, x):
            return self.inner(x)

        def train_step(self, data):
            x, y = data[0], data[1]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self.inner(x, training=True) - y) ** 2)
            weights = self.inner.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
            self.tracker.update_state(loss)
            return {"loss": self.tracker.result()}

    layers = keras.layers
    inner = _functional(
        keras, 3, layers.Dense(4, use_bias=False), layers.BatchNormalization(), layers.Dense(2), name="inner"
    )
    model = Trainer(inner)
    model.compile(keras.optimizers.Adam(0.01))
    return {"model": model, "x": numbers(3), "y": numbers(2, seed=1), "metrics": ["loss"]}


def read_twice(keras):
    """Rows of an embedding are taken twice for a step: Keras's Adam squares the slices of their gradient one by one."""
    layers = keras.layers

    class ReadTwice(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding, self.out = layers.Embedding(7, 4), layers.Dense(2)
            self.tracker = keras.metrics.Mean(name="loss")

        @property
        def metrics(self):
            return [self.tracker]

        def call(self, x):
            return self.out(tf.reduce_mean(self.embedding(x), 1))

        def train_step(self, data):
            x, y = data[0], data[1]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((0.5 * (self(x, training=True) + self(x, training=True)) - y) ** 2)
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
            self.tracker.update_state(loss)
            return {"loss": self.tracker.result()}

    model = ReadTwice()
    model.compile(keras.optimizers.Adam(0.01))
    tokens = np.random.RandomState(0).randint(0, 7, (40, 5)).astype("int32")
    return {"model": model, "x": tokens, "y": numbers(2, seed=1), "metrics": ["loss"]}


def accumulated(keras):
    """Gradients are added up over two steps: the optimizer moves the weights in a branch that returns nothing."""
    layers = keras.layers

    class Accumulated(keras.Model):
        def train_step(self, data):
            x, y = data[0], data[1]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
            weights = self.trainable_variables
            gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, [weight.value for weight in weights]), 0.5)
            self.optimizer.apply_gradients(zip(gradients, weights))
            return {"loss": loss}

    inputs = keras.Input((3,), name="input_1")
    model = Accumulated(inputs, layers.Dense(2)(layers.Dense(4, activation="tanh")(inputs)))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2))
    return {"model": model, "x": numbers(3), "y": numbers(2, seed=1), "metrics": []}


ALL = [autoencoder, adversaries, distillation, inner_model, read_twice]
