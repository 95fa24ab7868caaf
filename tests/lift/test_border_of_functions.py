"""Keras hangs masks and logits on tensors. The inside of a `tf.function` does not see those of its arguments, and
the Python outside does not see those of its results. An export, which has no functions, computes the same.
"""

import numpy as np
import pytest
import tensorflow as tf
from needs import needs
from plain_models import numbers
from replayed import cases_of_each_keras, replay_with_each_keras

pytestmark = needs(tf="2.9", reason="earlier Kerases look for logits in other ways")


def _classes(keras, loss, activation="softmax"):
    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, activation)])
    model.compile(keras.optimizers.SGD(0.1), loss)
    return {"model": model, "x": numbers(4), "y": np.eye(3, dtype="float32")[np.arange(len(numbers(4))) % 3]}


def a_loss_that_is_a_function(keras):
    @tf.function
    def loss(y_true, y_pred):
        return keras.losses.binary_crossentropy(y_true, y_pred)

    return _classes(keras, loss)


def a_loss_in_a_function_without_autograph(keras):
    inner = keras.losses.BinaryCrossentropy()

    def loss(y_true, y_pred):
        return inner(y_true, y_pred)

    return _classes(keras, tf.function(loss, autograph=False))


def an_activation_that_is_a_function(keras):
    return _classes(keras, "binary_crossentropy", tf.function(lambda x: keras.activations.softmax(x)))


def masked_words_in_a_function(keras):
    class Recurrent(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking, self.inner = True, keras.layers.SimpleRNN(4)
            self.run = tf.function(lambda x: self.inner(x), autograph=False)

        def build(self, shape):
            self.inner.build(shape)
            self.built = True

        def call(self, x):
            return self.run(x)

        def compute_mask(self, x, mask=None):
            return None

        def compute_output_shape(self, shape):
            return shape[0], 4

    layers = [keras.Input((5,), dtype="int32", name="x"), keras.layers.Embedding(7, 3, mask_zero=True)]
    model = keras.Sequential([*layers, Recurrent(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.RandomState(0).randint(0, 7, (len(numbers(1)), 5)).astype("int32")
    return {"model": model, "x": x, "y": numbers(1, seed=1)}


def _models(keras_name):
    return [
        a_loss_that_is_a_function,
        a_loss_in_a_function_without_autograph,
        an_activation_that_is_a_function,
        masked_words_in_a_function,
    ]


@pytest.fixture(scope="module")
def replayed(reader, tmp_path_factory):
    return replay_with_each_keras(_models, reader, tmp_path_factory)


@pytest.mark.parametrize("keras_name, made", cases_of_each_keras(_models))
def test_numbers_are_those_of_keras(replayed, keras_name, made):
    case = replayed[keras_name][made].checked("1.15")
    assert case.names("predict") and case.names("evaluate") and case.names("trained")
    case.assert_within({"predict": 1e-5, "evaluate": 1e-5, "trained": 1e-4})
    assert case.facts["functions"] == 0
