"""What the disk refuses while a model trains: the training is not lost, and neither is the last good export."""

import errno
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from needs import needs

from keras_gensynth_callback import GenSynthExportCallback
from keras_gensynth_callback.checkpoint import changed_files, read_manifest, values
from keras_gensynth_callback.errors import CheckpointWriteError

pytestmark = needs(tf="newest", reason="a disk that fails is tested beside the newest TensorFlow")

X = np.ones((4, 3), "float32")


def fit(callbacks, epochs=4):
    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], epochs=epochs, verbose=0, callbacks=callbacks)
    return model


def disk_full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def no_rename(*args, **kwargs):
    raise tf.errors.UnimplementedError(None, None, "rename; Function not implemented")


FAILURES = {"disk full": (values, "save_tensors", disk_full), "no rename": (tf.io.gfile, "rename", no_rename)}


class FailsInEpochTwo(tf_keras.callbacks.Callback):
    """Stands in front of the export."""

    def __init__(self, export, failure):
        super().__init__()
        self._export, self._failure = export, failure

    def on_epoch_end(self, epoch, logs=None):
        self._export._exports._writer.wait()
        owner, name, failing = self._failure
        if epoch == 1:
            self._works = getattr(owner, name)
            setattr(owner, name, failing)
        elif epoch == 2:
            setattr(owner, name, self._works)


@pytest.fixture(params=FAILURES)
def failure(request, monkeypatch):
    owner, name, failing = FAILURES[request.param]
    monkeypatch.setattr(owner, name, getattr(owner, name))  # is put back, whatever happens
    return owner, name, failing


def assert_sound(prefix):
    assert changed_files(prefix, read_manifest(prefix)) == []


def test_with_raise_training_ends_at_the_next_hook_with_the_way_out(tmp_path, failure):
    export = GenSynthExportCallback(tmp_path / "net-{epoch}")
    with pytest.raises(CheckpointWriteError, match="choose another folder|free some space"):
        fit([FailsInEpochTwo(export, failure), export])
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "net-1")
    assert_sound(tmp_path / "net-1")


def test_with_warn_training_goes_on_and_the_next_export_is_there(tmp_path, failure):
    export = GenSynthExportCallback(tmp_path / "net-{epoch}", on_error="warn")
    with pytest.warns(UserWarning) as warned:
        fit([FailsInEpochTwo(export, failure), export])
    said = [str(warning.message) for warning in warned if issubclass(warning.category, UserWarning)]
    assert said[0].startswith("The export at epoch 2 failed; training goes on, as on_error='warn' asks.")
    assert said[-1].startswith(f"Of this training's exports these are missing: '{tmp_path / 'net-2'}' (epoch 2).")
    assert export.checkpoints == [str(tmp_path / f"net-{epoch}") for epoch in (1, 3, 4)]
    for prefix in export.checkpoints:
        assert_sound(prefix)


def test_a_folder_that_is_removed_while_training_goes_on_is_made_again(tmp_path):
    class Remove(tf_keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                export.wait_until_finished()
                shutil.rmtree(tmp_path / "exports")

    export = GenSynthExportCallback(tmp_path / "exports" / "net-{epoch}", max_to_keep=2)
    fit([Remove(), export])
    assert export.latest_checkpoint == tf.train.latest_checkpoint(tmp_path / "exports")
    assert_sound(export.latest_checkpoint)
