"""With `verify=True` a graph must give the numbers of Keras before anything of it is exported."""

import os

import numpy as np
import pytest
import tensorflow as tf

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint
from keras_gensynth_callback.errors import VerificationError
from keras_gensynth_callback.export import exporter
from keras_gensynth_callback.lift import adapter_of
from keras_gensynth_callback.verification import comparing_numbers as verify_numbers

X, Y = np.random.RandomState(0).rand(24, 8, 8, 3).astype("float32"), np.arange(24).astype("int32") % 3


def network(keras, dropout=True):
    layers = keras.layers
    body = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()]
    body += [layers.Dropout(0.3)] if dropout else []
    body += [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax", name="y")]
    model = keras.Sequential([keras.Input((8, 8, 3), name="x"), *body])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def compared(monkeypatch):
    """What was compared, a dict for each graph."""
    found, compare = [], verify_numbers.verify_numbers
    monkeypatch.setattr(exporter, "verify_numbers", lambda *of: found.append(compare(*of)))
    return found


def test_predictions_metrics_and_a_train_step_are_compared(keras, compared, tmp_path):
    model = network(keras, dropout=False)
    export_checkpoint(model, tmp_path / "net", verify=True)
    assert {"predictions/y", "predictions in training/y", "metrics/loss", "metrics/accuracy"} <= set(compared[0])
    assert sum(name.startswith("trained/") for name in compared[0]) == len(model.trainable_variables)
    assert compared[0]["predictions/y"] <= 1e-5 and compared[0]["trained/y/kernel"] <= 1e-3


def test_training_goes_on_bit_for_bit_as_without_and_what_is_random_is_left_out(keras, compared, tmp_path, keras_name):
    from kerases import keras_of

    weights = []
    for verify in (False, True):
        model = network(keras_of(keras_name, seed=3))
        callback = GenSynthExportCallback(tmp_path / str(verify), verify=verify, save_freq="train_end")
        history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False, callbacks=[callback])
        weights.append([np.array(v.numpy()).tobytes() for v in (one.value for one in adapter_of(model).variables())])
        weights[-1].append(repr(history.history))
    assert weights[0] == weights[1]
    assert "predictions/y" in compared[0] and "predictions in training/y" not in compared[0]


def spoiled(monkeypatch, change):
    """Graphs come out with something changed."""
    from keras_gensynth_callback.export import metagraph

    make = metagraph.make_meta_graph

    def made(*of):
        meta_graph = make(*of)
        change({node.name: node for node in meta_graph.graph_def.node})
        return meta_graph

    monkeypatch.setattr(metagraph, "make_meta_graph", made)


def test_a_graph_with_other_numbers_is_refused_and_an_earlier_export_stays(keras, tmp_path, monkeypatch):
    model = network(keras)
    export_checkpoint(model, tmp_path / "net", verify=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def softplus(nodes):
        next(node for node in nodes.values() if node.op == "Relu").op = "Softplus"

    spoiled(monkeypatch, softplus)
    with pytest.raises(VerificationError) as refused:
        export_checkpoint(model, tmp_path / "net", verify=True)
    assert "does not give the numbers of Keras. Off are: predictions/y by" in str(refused.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(VerificationError):
        model.fit(X, Y, verbose=0, callbacks=[GenSynthExportCallback(tmp_path / "other", verify=True)])
    assert not list(tmp_path.glob("other*"))


def test_a_train_step_that_moves_weights_otherwise_is_refused(keras, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="y")])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    export_checkpoint(model, tmp_path / "net", verify=True)
    found = {"trained/y/kernel": (np.ones([3, 1]), 0.0)}
    with pytest.raises(VerificationError, match="trained/y/kernel by 5.0e-01 where 1.0e-03 is allowed"):
        verify_numbers._compared(model, found, {"trained/y/kernel": np.full([3, 1], 0.5)}, {"y/kernel": np.ones(1)})
    # What moves as much in Keras when its weights are rounded may.
    moving = {"trained/y/kernel": (np.ones([3, 1]), 0.06)}
    verify_numbers._compared(model, moving, {"trained/y/kernel": np.full([3, 1], 0.5)}, {"y/kernel": np.ones(1)})


def test_a_model_that_takes_no_made_up_data_is_exported_with_a_warning(keras, tmp_path):
    class Picky(keras.layers.Layer):
        def call(self, inputs):
            with tf.control_dependencies([tf.debugging.assert_greater(tf.reduce_min(inputs), 5.0)]):
                return tf.identity(inputs)

    i = keras.Input((3,), name="x")
    model = keras.Model(i, keras.layers.Dense(1)(Picky()(i)))
    with pytest.warns(UserWarning, match="are not verified: Keras does not take data that are made up"):
        export_checkpoint(model, tmp_path / "net", verify=True)
    assert (tmp_path / "net.index").exists()


def test_texts_that_go_in_and_come_out_are_no_numbers_to_compare(keras3, tmp_path):
    words = keras3.Input((2,), dtype="string", name="words")
    ids = keras3.layers.StringLookup(vocabulary=["tea", "milk"], num_oov_indices=0)(words)
    outputs = {"score": keras3.layers.Embedding(2, 3)(ids), "words": keras3.layers.Identity()(words)}
    export_checkpoint(keras3.Model(words, outputs), tmp_path / "net", verify=True)
    assert os.path.exists(tmp_path / "net.meta")
