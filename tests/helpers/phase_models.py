"""Models whose training differs from inference where that is easily missed: one function a kind, for any Keras.

Each returns (model, x, y).
"""

import numpy as np
import tensorflow as tf

SAMPLES = 32


def _vectors(width=4):
    return np.random.RandomState(0).rand(SAMPLES, width).astype("float32")


def _labels():
    return np.random.RandomState(1).randint(0, 2, (SAMPLES, 1)).astype("float32")


def _binary_classifier(keras, noise, metrics):
    layers = keras.layers
    inputs = keras.Input((4,), name="x")
    hidden = noise(layers.Dense(8, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="p")(hidden))
    model.compile("sgd", "binary_crossentropy", metrics=metrics)
    return model, _vectors(), _labels()


def dropout_of_half(keras):
    """The rate is the number that the accuracy's threshold is."""
    return _binary_classifier(keras, keras.layers.Dropout(0.5), ["accuracy"])


def dropout_of_half_and_auc(keras):
    return _binary_classifier(keras, keras.layers.Dropout(0.5), [keras.metrics.AUC(num_thresholds=20, name="auc")])


def noise_of_half(keras):
    return _binary_classifier(keras, keras.layers.GaussianNoise(0.5), ["accuracy"])


def two_noises_in_a_row(keras):
    """Of sums of sums TensorFlow 1.15's arithmetic optimizer makes one."""

    class OwnNoise(keras.layers.Layer):
        def call(self, x, training=None):
            return x + tf.random.normal(tf.shape(x), 0.0, 0.5) if training else x

        def compute_output_shape(self, shape):
            return shape

    own, noise = OwnNoise(), keras.layers.GaussianNoise(0.5)
    return _binary_classifier(keras, lambda x: noise(own(x)), ["accuracy"])


def sums_that_take_a_weight_twice(keras):
    """In training, a weight that inference reads, too."""

    class Shifted(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
            self.shift = self.add_weight(name="shift", shape=(), initializer="ones")

        def call(self, x, training=None):
            plain = x * tf.convert_to_tensor(self.scale) + tf.convert_to_tensor(self.shift)
            if not training:
                return plain
            noise = tf.random.normal(tf.shape(x))
            scale, shift = tf.convert_to_tensor(self.scale), tf.convert_to_tensor(self.shift)
            return (plain + (noise + scale)) + ((noise + shift) + scale)

        def compute_output_shape(self, shape):
            return shape

    return _binary_classifier(keras, Shifted(), ["accuracy"])


def norm_of_vectors(keras):
    accuracy = keras.metrics.BinaryAccuracy(threshold=0.5, name="a")
    return _binary_classifier(keras, keras.layers.BatchNormalization(momentum=0.5), [accuracy])


def _regression(keras, inputs, outputs, x, shapes):
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse" if len(shapes) == 1 else ["mse"] * len(shapes))
    y = [np.random.RandomState(2).rand(SAMPLES, *shape).astype("float32") for shape in shapes]
    return model, x, y if len(y) > 1 else y[0]


def _images():
    return np.random.RandomState(3).rand(SAMPLES, 6, 6, 3).astype("float32")


def norm_is_the_output(keras):
    inputs = keras.Input((6, 6, 3), name="x")
    hidden = keras.layers.Conv2D(2, 3, use_bias=False)(inputs)
    return _regression(keras, inputs, keras.layers.BatchNormalization(name="o")(hidden), _images(), [(4, 4, 2)])


def norm_behind_a_linear_activation_is_the_output(keras):
    layers = keras.layers
    inputs = keras.Input((6, 6, 3), name="x")
    hidden = layers.BatchNormalization()(layers.Conv2D(2, 3, use_bias=False)(inputs))
    return _regression(keras, inputs, layers.Activation("linear", name="o")(hidden), _images(), [(4, 4, 2)])


def norm_is_an_inner_output(keras):
    layers = keras.layers
    inputs = keras.Input((6, 6, 3), name="x")
    hidden = layers.BatchNormalization(name="features")(layers.Conv2D(2, 3, use_bias=False)(inputs))
    head = layers.Dense(1, name="head")(layers.GlobalAveragePooling2D()(hidden))
    return _regression(keras, inputs, [hidden, head], _images(), [(4, 4, 2), (1,)])


def dropout_is_the_output(keras):
    inputs = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(4)(inputs)
    return _regression(keras, inputs, keras.layers.Dropout(0.3, name="o")(hidden), _vectors(), [(4,)])


def noise_is_the_output(keras):
    inputs = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(3)(inputs)
    return _regression(keras, inputs, keras.layers.GaussianNoise(0.5, name="o")(hidden), _vectors(), [(3,)])


def _recurrent(keras, layer):
    inputs = keras.Input((5, 4), name="x")
    outputs = keras.layers.Dense(1, name="o")(layer(inputs))
    return _regression(keras, inputs, outputs, np.random.RandomState(4).rand(SAMPLES, 5, 4).astype("float32"), [(1,)])


def lstm_with_dropout(keras):
    return _recurrent(keras, keras.layers.LSTM(3, dropout=0.3))


def lstm_with_both_dropouts(keras):
    return _recurrent(keras, keras.layers.LSTM(3, dropout=0.3, recurrent_dropout=0.3))


def gru_with_recurrent_dropout(keras):
    return _recurrent(keras, keras.layers.GRU(3, recurrent_dropout=0.3))


def simple_rnn_with_both_dropouts(keras):
    return _recurrent(keras, keras.layers.SimpleRNN(3, dropout=0.3, recurrent_dropout=0.3))


def stacked_cells_with_dropout(keras):
    layers = keras.layers
    return _recurrent(keras, layers.RNN([layers.LSTMCell(3, dropout=0.3), layers.GRUCell(2)]))


def noise_behind_a_loop_with_dropout(keras):
    """In a layer of the user's own, whose layers learn from its call that it is inference."""

    class Noisy(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.loop, self.noise = keras.layers.GRU(3, dropout=0.3), keras.layers.GaussianNoise(0.5)

        def build(self, shape):
            self.loop.build(shape)
            super().build(shape)

        def call(self, inputs, training=None):
            return self.noise(self.loop(inputs))

        def compute_output_shape(self, shape):
            return (shape[0], 3)

    return _recurrent(keras, Noisy())


CLASSIFIERS = [dropout_of_half, dropout_of_half_and_auc, noise_of_half, norm_of_vectors]
OUTPUTS = [
    norm_is_the_output,
    norm_behind_a_linear_activation_is_the_output,
    norm_is_an_inner_output,
    dropout_is_the_output,
    noise_is_the_output,
]
LOOPS = [
    lstm_with_dropout,
    lstm_with_both_dropouts,
    gru_with_recurrent_dropout,
    simple_rnn_with_both_dropouts,
    stacked_cells_with_dropout,
    noise_behind_a_loop_with_dropout,
]
ALL = CLASSIFIERS + OUTPUTS + LOOPS
EXACT = {"norm_of_vectors", *(make.__name__ for make in OUTPUTS[:3])}
