"""Keras 3's TimeDistributed: its layer stands once where that computes the same, and once a time step where not."""

import importlib
import json

import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback import build_graph, export_checkpoint
from keras_gensynth_callback.lift.tf1_forms.time_distributed import minds_its_own_row

pytestmark = needs(keras3="3.1", reason="TimeDistributed around a Sequential model fails in Keras 3.0")


@pytest.fixture
def layers(keras3):
    keras3.backend.clear_session()
    keras3.utils.set_random_seed(0)
    return keras3.layers


def distributed(layer, steps):
    """A model that does to each of so many steps what `layer` does."""
    keras = importlib.import_module("keras")
    inputs = keras.Input((steps, 3), name="steps")
    return keras.Model(inputs, keras.layers.TimeDistributed(layer, name="each")(inputs))


def products(model):
    return [op.name for op in build_graph(model).get_operations() if op.type == "MatMul"]


@pytest.mark.parametrize("steps", [5, None])
def test_a_layer_that_minds_its_own_row_stands_once(layers, steps):
    assert products(distributed(layers.Dense(2), steps)) == ["each/MatMul"]


@pytest.mark.parametrize("steps", [5, None])
def test_predictions_are_those_of_keras(layers, steps, tmp_path, keras3):
    inner = keras3.Sequential([layers.Dense(4, activation="relu"), layers.Reshape((2, 2)), layers.LSTM(3)])
    model = distributed(inner, steps)
    x = np.random.RandomState(0).standard_normal((4, 5, 3)).astype("float32")
    record = export_checkpoint(model, tmp_path / "net", graph="inference")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.train.import_meta_graph(record.prefix + ".meta").restore(session, record.prefix)
        (output,) = json.loads((tmp_path / "net.json").read_text())["tensors"]["outputs"].values()
        found = session.run(output, {"steps:0": x})
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-6)


def test_batch_normalisation_takes_each_step_as_a_batch_as_in_keras(layers, keras3):
    model = distributed(keras3.Sequential([layers.Dense(2), layers.BatchNormalization()]), 5)
    assert len(products(model)) == 5


class OfAUser:
    """Adds what stands in other rows."""

    def call(self, inputs):
        return inputs + tf.reduce_sum(inputs, 0)


def test_what_looks_at_other_rows_or_changes_a_state_is_left_as_it_is(layers, keras3):
    functional_input = keras3.Input((3,))
    mixed = keras3.Model(functional_input, keras3.ops.flip(functional_input, axis=0))
    built = [
        layers.BatchNormalization(),
        layers.Lambda(lambda x: x + tf.reduce_sum(x, 0)),
        type("Custom", (OfAUser, layers.Layer), {})(),
        layers.Dense(2, activation=lambda x: x - tf.reduce_mean(x, 0)),
        layers.Softmax(axis=0),
        layers.Dropout(0.5, noise_shape=(1, 3)),
        layers.GRU(2, stateful=True),
        mixed,
    ]
    for layer in built:
        if not layer.built:
            layer(np.zeros((2, 4, 3) if isinstance(layer, layers.GRU) else (2, 3), "float32"))
    assert [type(layer).__name__ for layer in built if minds_its_own_row(layer)] == []


def test_frozen_layers_dropout_and_models_of_layers_mind_their_own_row(layers, keras3):
    inputs = keras3.Input((3,))
    functional = keras3.Model(inputs, layers.Dropout(0.5)(layers.Dense(2, trainable=False)(inputs)))
    assert minds_its_own_row(functional)
    assert minds_its_own_row(keras3.Sequential([inputs, layers.LayerNormalization(), layers.Dense(2, "tanh")]))
