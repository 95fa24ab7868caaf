"""GenSynthExportCallback is a `Callback` of the Keras that the program uses, whichever that is."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback import GenSynthExportCallback, inspect_checkpoint

PROGRAM = """
import sys
from keras_gensynth_callback import GenSynthExportCallback

export = GenSynthExportCallback("net")
assert "tf_keras" not in sys.modules
import tf_keras
assert isinstance(export, tf_keras.callbacks.Callback)
print(*[base.__module__.split(".")[0] for base in GenSynthExportCallback.__bases__])
"""


def test_it_is_a_callback_of_each_keras(keras, tmp_path):
    assert isinstance(GenSynthExportCallback(tmp_path / "net"), keras.callbacks.Callback)
    assert isinstance(GenSynthExportCallback(tmp_path / "net"), tf.keras.callbacks.Callback)


def test_a_class_of_the_users_is_one(keras, tmp_path):
    class Mine(GenSynthExportCallback):
        pass

    assert isinstance(Mine(tmp_path / "net"), keras.callbacks.Callback)
    assert not issubclass(GenSynthExportCallback, Mine)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda callback: pickle.loads(pickle.dumps(callback))])
def test_a_copy_exports_as_scikeras_has_it(keras, tmp_path, copied):
    """scikeras clones its estimators, refuses callbacks that are no `Callback`, and gives copies of them to `fit`."""
    given = GenSynthExportCallback(tmp_path / "net", save_freq="train_end")
    callbacks = [copied(callback) for callback in [given] if isinstance(callback, keras.callbacks.Callback)]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0, callbacks=callbacks)
    assert callbacks[0].latest_checkpoint == str(tmp_path / "net") and given.latest_checkpoint is None
    assert inspect_checkpoint(tmp_path / "net")["parameters"]["total"] == 4


@needs(both=True, reason="the program imports tf_keras")
def test_no_keras_is_imported_for_it_and_one_that_comes_later_counts():
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().split()[0] == "keras_gensynth_callback" and b"tf_keras" in done.stdout
