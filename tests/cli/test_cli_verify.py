"""`verify` uses a checkpoint as a TensorFlow 1.x program does, in a process of its own, and judges what comes of it."""

import json
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback import export_checkpoint
from keras_gensynth_callback._util.interpreters import Reader, find_readers
from keras_gensynth_callback.checkpoint import read_tensors, write_checkpoint
from keras_gensynth_callback.errors import InvalidArgumentError
from keras_gensynth_callback.tools.trying import try_checkpoint

pytestmark = needs(tf="newest", reason="the command line is tested beside the newest TensorFlow")


@pytest.fixture
def rewritten(small_export, tmp_path):
    """Writes the export again with other values; returns the prefix."""

    def write(change):
        values = dict(read_tensors(small_export.prefix))
        change(values)
        write_checkpoint(tmp_path / "net", values, pathlib.Path(small_export.prefix + ".meta").read_bytes(), {})
        return str(tmp_path / "net")

    return write


def test_all_that_can_be_done_with_an_export_is_done_in_tensorflow_1(small_export, tmp_path, reader, run_command):
    np.savez(tmp_path / "data.npz", image=small_export.x, digit_target=small_export.y)
    options = ["--reader", reader.python, "--against", small_export.file, "--data", tmp_path / "data.npz"]
    done = run_command("verify", small_export.prefix, *options)
    assert done.exit_code == 0, done.output
    first, *verdicts = done.stdout.splitlines()
    assert first == f"{small_export.prefix}, in TensorFlow 1.15.5 ({reader.python})"
    assert [line[:4] for line in verdicts] == ["ok  "] * 10
    said = dict(line[4:].split(": ") for line in verdicts)
    assert said["loads"] == "27 variables"
    assert said["values"] == "27 as the files have them"
    assert said["predicts"] == "digit 16 x 4"
    assert said["runs the updates"] == "6 ops move 2 of 2 weights that are not trained"
    assert said["trains by train_op"] == said["trains by an optimizer of its own"] == "moves 6 of 6 trained weights"
    loss = small_export.model.evaluate(small_export.x, small_export.y, verbose=0, return_dict=True)["loss"]
    assert f"loss {loss:.4g}" in said["evaluates"]
    assert set(said) >= {"predicts as Keras does", "evaluates as Keras does"}


def test_a_model_that_is_another_and_numbers_that_are_none_are_verdicts_of_no(small_export, rewritten, run_command):
    def spoil(values):
        values["digit/bias"] = values["digit/bias"] + np.float32([0, 0, 0, 1])
        values["level/gamma"] = values["level/gamma"] * np.float32("nan")

    options = ["--reader", sys.executable, "--against", small_export.file, "--json"]
    done = run_command("verify", rewritten(spoil), *options)
    assert done.exit_code == 1
    verdicts = {verdict["name"]: verdict["ok"] for verdict in json.loads(done.stdout)["verdicts"]}
    assert verdicts["loads"] is True
    assert verdicts["predicts"] is False
    assert verdicts["predicts as Keras does"] is False


def test_an_interpreter_that_cannot_try_is_told(small_export, tmp_path, run_command):
    done = run_command("verify", small_export.prefix, "--reader", tmp_path / "python")
    assert done.exit_code == 2
    assert "`python` must be an interpreter that has TensorFlow. Received: python=" in done.stderr
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(InvalidArgumentError, match="which says: ModuleNotFoundError: No module named"):
        try_checkpoint(small_export.prefix, python=str(bare))


def test_data_of_another_kind_are_told(small_export, tmp_path, run_command):
    (tmp_path / "data.npz").write_text("no arrays")
    done = run_command("verify", small_export.prefix, "--reader", sys.executable, "--data", tmp_path / "data.npz")
    assert done.exit_code == 2
    assert "is no .npz file of arrays" in done.stderr


def test_interpreters_are_found_by_their_files(tmp_path, monkeypatch):
    for name, package in [("one", "tensorflow-1.13.2.dist-info"), ("two", "tensorflow_gpu-1.15.5.dist-info"),
                          ("new", "tensorflow-2.4.0.dist-info"), ("none", "numpy-1.18.5.dist-info")]:  # fmt: skip
        (tmp_path / "versions" / name / "lib" / "python3.7" / "site-packages" / package).mkdir(parents=True)
        (tmp_path / "versions" / name / "bin").mkdir()
        (tmp_path / "versions" / name / "bin" / "python").touch()
    for name in ("PATH", "CONDA_EXE", "WORKON_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.delenv("KERAS_GENSYNTH_READER", raising=False)
    python = lambda name: str(tmp_path / "versions" / name / "bin" / "python")  # noqa: E731
    assert find_readers() == [Reader(python("two"), "1.15.5"), Reader(python("one"), "1.13.2")]
    monkeypatch.setenv("KERAS_GENSYNTH_READER", python("one"))
    assert find_readers()[0] == Reader(python("one"), "1.13.2")


def test_made_up_texts_and_ids_are_those_that_the_model_knows(keras3, tmp_path, reader):
    """A `StringLookup` without unknown words fails on any other word, an embedding on an id that it has no row for."""
    layers = keras3.layers
    words, ids = keras3.Input((3,), dtype="string", name="words"), keras3.Input((2,), dtype="int32", name="ids")
    known = layers.StringLookup(vocabulary=["tea", "milk"], num_oov_indices=0)(words)
    parts = [layers.Embedding(2, 4)(known), layers.Embedding(1, 4)(ids)]
    export_checkpoint(keras3.Model([words, ids], layers.Concatenate(axis=1)(parts)), tmp_path / "net")
    found = {verdict["name"]: verdict for verdict in try_checkpoint(tmp_path / "net", python=reader.python)["verdicts"]}
    assert found["predicts"]["ok"] is True, found["predicts"]


def test_a_no_that_made_up_data_may_be_the_reason_of_says_so(keras3, tmp_path, run_command):
    layers = keras3.layers
    x = keras3.Input((3,), name="x")
    root = layers.Lambda(lambda tensor: tf.sqrt(tensor - 2.0))(x)
    export_checkpoint(keras3.Model(x, layers.Dense(1)(root)), tmp_path / "net")
    done = run_command("verify", tmp_path / "net", "--reader", sys.executable)
    assert done.exit_code == 1
    assert "(`x` was made up; with data of your own it may be otherwise)" in done.stdout
    np.savez(tmp_path / "data.npz", x=np.full((2, 3), 3.0, "float32"))
    again = run_command("verify", tmp_path / "net", "--reader", sys.executable, "--data", tmp_path / "data.npz")
    assert "made up" not in again.stdout
    assert again.exit_code == 0, again.stdout


def test_updates_of_a_model_that_trains_all_its_weights_are_told_plainly(keras3, tmp_path, reader, run_command):
    model = keras3.Sequential([keras3.Input((3,)), keras3.layers.Dense(1)])
    model.compile("sgd", "mse")
    export_checkpoint(model, tmp_path / "net")
    done = run_command("verify", tmp_path / "net", "--reader", reader.python)
    assert "2 ops run; the model has no weights but those that are trained" in done.stdout, done.stdout
