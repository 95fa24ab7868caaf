"""One model gives one graph, byte for byte, in whatever process and with whatever hash seed."""

import os
import subprocess
import sys

import pytest
from kerases import KERASES, importable

PROGRAM = """
import importlib, sys
import keras_gensynth_callback as gensynth

for number, name in enumerate(sys.argv[2:]):
    keras = importlib.import_module(name)
    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 4), name="x")
    hidden = layers.BatchNormalization()(layers.LSTM(3, dropout=0.3, return_sequences=True)(inputs))
    hidden = layers.GaussianNoise(0.1)(layers.Dropout(0.3)(layers.Flatten()(hidden)))
    outputs = [layers.Dense(2, activation="softmax", name="a")(hidden), layers.Dense(1, name="b")(hidden)]
    model = keras.Model(inputs, outputs)
    model.compile("adam", ["categorical_crossentropy", "mse"], metrics=[["accuracy", keras.metrics.AUC()], ["mae"]])
    gensynth.export_checkpoint(model, "%s/%d" % (sys.argv[1], number))
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = []
    for seed in ("1", "2", "3"):
        found.append(tmp_path_factory.mktemp("seed"))
        environ = dict(os.environ, PYTHONHASHSEED=seed, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(found[-1]), *map(importable, KERASES)]
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode()
    return found


@pytest.mark.parametrize("number", range(len(KERASES)))
def test_the_hash_seed_changes_no_byte_of_the_graph(folders, number):
    assert len({(folder / f"{number}.meta").read_bytes() for folder in folders}) == 1
