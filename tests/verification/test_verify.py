"""An export is reloaded by an interpreter without Keras, and a flaw is found before anybody sees the export."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from kerases import KERASES, keras_of

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint, verify_checkpoint
from keras_gensynth_callback.checkpoint import read_tensors, values, write_checkpoint
from keras_gensynth_callback.errors import CheckpointFormatError, InvalidArgumentError, VerificationError
from keras_gensynth_callback.verification.verifying import reload

X = np.random.RandomState(0).standard_normal((8, 3)).astype("float32")


def make_model(keras):
    inputs = keras.Input((3,), name="x")
    hidden = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, name="y")(hidden))
    model.compile("adam", "mse")
    return model


@pytest.fixture
def exported(tmp_path):
    model = make_model(keras_of(KERASES[0]))
    return export_checkpoint(model, tmp_path / "net").prefix, model.predict(X, verbose=0)


def test_an_export_of_either_keras_is_what_it_should_be(keras, tmp_path):
    model = make_model(keras)
    prefix = export_checkpoint(model, tmp_path / "net").prefix
    names = {"inputs": {"x": X}, "outputs": {model.output_names[0]: model.predict(X, verbose=0)}}
    found = verify_checkpoint(prefix, **names)
    assert found["tensorflow"] == tf.__version__
    assert found["variables"] == len(read_tensors(prefix))
    assert found["signatures"] == ["eval", "serving_default", "train"]
    assert list(found["differences"]) == [model.output_names[0]]


def test_tensorflow_1_can_be_the_one_that_reloads(exported, reader):
    prefix, expected = exported
    found = verify_checkpoint(prefix, inputs={"x": X}, outputs={"y": expected}, python=reader.python)
    assert found["tensorflow"] == "1.15.5"
    assert found["outputs"]["y"].shape == (8, 2)


def test_other_outputs_than_expected_are_told_with_their_difference(exported):
    prefix, expected = exported
    with pytest.raises(VerificationError, match="predicts otherwise than expected: {'y': .*where rtol=1e-05 was asked"):
        verify_checkpoint(prefix, inputs={"x": X}, outputs={"y": expected + 0.1})


def test_a_file_that_was_changed_is_named(exported):
    prefix, _ = exported
    path = pathlib.Path(prefix + ".data-00000-of-00001")
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(VerificationError, match="net.data-00000-of-00001 differ from the manifest"):
        verify_checkpoint(prefix)


def test_inputs_of_other_names_are_told(exported):
    with pytest.raises(VerificationError, match=r"The inputs are \['x'\], but got \['image'\]"):
        verify_checkpoint(exported[0], inputs={"image": X})


def test_what_is_no_checkpoint_and_what_is_no_interpreter_is_told(exported, tmp_path):
    with pytest.raises(CheckpointFormatError, match="There is no checkpoint"):
        verify_checkpoint(tmp_path / "nte")
    with pytest.raises(InvalidArgumentError, match="`python` must be an interpreter that has TensorFlow"):
        verify_checkpoint(exported[0], python="no-such-python")


def test_a_graph_that_does_not_load_and_a_value_that_is_another_are_told(exported, tmp_path):
    prefix, _ = exported
    there = read_tensors(prefix)
    with pytest.raises(VerificationError, match="other than expected are: y/bias"):
        reload(prefix, dict(there, **{"y/bias": there["y/bias"] + 1}))
    write_checkpoint(tmp_path / "broken", there, b"no graph", {})
    with pytest.raises(VerificationError, match="does not load in a clean interpreter"):
        verify_checkpoint(tmp_path / "broken")


def test_with_verify_an_export_with_another_value_is_never_committed(tmp_path, monkeypatch):
    keras = keras_of(KERASES[0])
    save, saved = values.save_tensors, []

    def spoil(prefix, tensors):
        saved.append(prefix)
        if len(saved) == 3:  # the first is for the comparison of numbers, before training
            tensors = dict(tensors, **{"y/bias": tensors["y/bias"] + 1})
        save(prefix, tensors)

    monkeypatch.setattr(values, "save_tensors", spoil)
    callback = GenSynthExportCallback(tmp_path / "net-{epoch}", verify=True)
    with pytest.raises(VerificationError, match="other than expected are: y/bias"):
        make_model(keras).fit(X, X[:, :2], epochs=2, verbose=0, callbacks=[callback])
    assert callback.checkpoints == [str(tmp_path / "net-1")]
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "net-1")
    assert not [name for name in os.listdir(tmp_path) if name.startswith(("net-2", ".gensynth-tmp"))]
