"""Exports that are written while training goes on: which values they hold, and how they end."""

import json
import threading

import numpy as np
import pytest
from fake_exporter import fake_exporter_class
from needs import needs

from keras_gensynth_callback import GenSynthExportCallback
from keras_gensynth_callback.checkpoint import read_manifest, read_tensors
from keras_gensynth_callback.errors import CheckpointWriteError, FolderInUseError, InvalidArgumentError
from keras_gensynth_callback.export import exporter
from keras_gensynth_callback.lift import adapter_of
from keras_gensynth_callback.training import exporter_cache

DRAW = np.random.RandomState(0)
X = DRAW.randint(0, 30, (24, 5)).astype("int32")
Y = DRAW.standard_normal((24, 1)).astype("float32")


def make_model(keras, **options):
    """A model with sparse gradients, a random state, statistics and metrics."""
    layers = keras.layers
    body = [layers.Embedding(30, 4), layers.Flatten(), layers.BatchNormalization(), layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((5,), dtype="int32"), *body, layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], **options)
    return model


def fit(model, callbacks, epochs=3, **options):
    return model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks, **options)


@pytest.fixture
def fake(monkeypatch):
    cls = fake_exporter_class()
    monkeypatch.setattr(exporter_cache, "Exporter", cls)
    return cls


@pytest.fixture
def slow_disk(monkeypatch):
    """Files are written only when somebody waits for them, or for a slot: after further steps of training."""
    wanted, write = threading.Event(), exporter.write_checkpoint

    def waiting(*args):
        assert wanted.wait(60)
        return write(*args)

    def wants(original):
        def method(*args, **kwargs):
            wanted.set()
            return original(*args, **kwargs)

        return method

    from keras_gensynth_callback.training.writer_thread import Writer

    for name in ("wait_for_slot", "wait"):
        monkeypatch.setattr(Writer, name, wants(getattr(Writer, name)))
    monkeypatch.setattr(exporter, "write_checkpoint", waiting)


def copying(keras, model, copies):
    """A callback that stands before the export and copies all values at each epoch's end."""

    class Copy(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            copies.append({v.name: np.array(v.value.numpy()) for v in adapter_of(model).variables()})

    return Copy()


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param(
            {"jit_compile": True},
            marks=needs(tf="2.8", reason="earlier versions do not compile a model with `jit_compile`"),
        ),
        pytest.param(
            {"steps_per_execution": 4},
            marks=needs(keras3="3.1", reason="several steps in one execution run out of data in Keras 3.0"),
        ),
    ],
    ids=json.dumps,
)
def test_each_export_holds_the_bits_of_its_moment(keras, tmp_path, slow_disk, options):
    model, copies = make_model(keras, **options), []
    callback = GenSynthExportCallback(tmp_path / "net-{epoch}")
    fit(model, [copying(keras, model, copies), callback], epochs=4)
    assert len(copies) == len(callback.checkpoints) == 4
    for prefix, copy in zip(callback.checkpoints, copies):
        values = read_tensors(prefix)
        assert {name: value.tobytes() for name, value in values.items()} == {
            name: copy[name].astype(value.dtype).tobytes() for name, value in values.items()
        }
    assert not np.array_equal(copies[0]["embedding/embeddings"], copies[1]["embedding/embeddings"])


def test_when_fit_returns_all_is_written(keras, tmp_path, slow_disk):
    callback = GenSynthExportCallback(tmp_path / "net-{epoch}")
    fit(make_model(keras), [callback])
    assert callback.latest_checkpoint == str(tmp_path / "net-3")
    assert [read_manifest(prefix)["epoch"] for prefix in callback.checkpoints] == [1, 2, 3]


def test_on_request_training_waits_for_the_files(keras, fake, tmp_path):
    threads = []
    callback = GenSynthExportCallback(
        tmp_path / "net", save_on_background=False, on_export=lambda record: threads.append(threading.current_thread())
    )
    fit(make_model(keras), [callback])
    assert callback.save_on_background is False
    assert threads == [threading.current_thread()] * 3


def test_save_on_background_is_checked(tmp_path):
    with pytest.raises(InvalidArgumentError, match="`save_on_background` must be True or False. Received: "):
        GenSynthExportCallback(tmp_path / "net", save_on_background="yes")


def test_on_export_is_called_after_the_commit_in_the_thread_that_writes(keras, tmp_path):
    seen = []

    def on_export(record):
        callback.wait_until_finished()  # does not wait for itself
        seen.append((record.prefix, callback.latest_checkpoint, threading.current_thread() is threading.main_thread()))
        assert record.seconds <= record.seconds_to_disk

    callback = GenSynthExportCallback(tmp_path / "net-{epoch}", on_export=on_export)
    fit(make_model(keras), [callback], epochs=2)
    assert seen == [(str(tmp_path / f"net-{epoch}"),) * 2 + (False,) for epoch in (1, 2)]


def test_a_failure_ends_the_training_at_the_next_hook(keras, fake, tmp_path):
    fake.fail_export = CheckpointWriteError("disk full")
    callback = GenSynthExportCallback(tmp_path / "net", save_freq=2)
    model, steps = make_model(keras), []

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            callback._exports._writer.wait()
            steps.append(batch)

    with pytest.raises(CheckpointWriteError, match="disk full"):
        fit(model, [callback, Count()])
    assert steps == [0, 1]


def test_a_failure_after_the_last_hook_is_raised_when_fit_returns(keras, fake, tmp_path):
    fake.fail_export = CheckpointWriteError("disk full")
    with pytest.raises(CheckpointWriteError, match="disk full"):
        fit(make_model(keras), [GenSynthExportCallback(tmp_path / "net", save_freq="train_end")])


def test_a_failure_that_an_interrupted_training_left_is_raised_by_the_next(keras, fake, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    fake.fail_export = CheckpointWriteError("disk full")
    model, callback = make_model(keras), GenSynthExportCallback(tmp_path / "net")
    with pytest.raises(KeyboardInterrupt):
        fit(model, [callback, Interrupt()])
    callback._exports._writer.wait()
    with pytest.raises(CheckpointWriteError, match="disk full"):
        fit(model, [callback])
    fit(model, [callback], epochs=1)
    assert [record.epoch for record in fake.records] == [1]


def test_wait_until_finished_raises_what_failed(keras, fake, tmp_path):
    callback = GenSynthExportCallback(tmp_path / "net")

    class Wait(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with pytest.raises(CheckpointWriteError, match="disk full"):
                callback.wait_until_finished()

    fake.fail_export = CheckpointWriteError("disk full")
    fit(make_model(keras), [callback, Wait()], epochs=1)


def test_with_warn_what_is_missing_is_said_at_the_end(keras, fake, tmp_path):
    fake.fail_export = CheckpointWriteError("disk full")
    callback = GenSynthExportCallback(tmp_path / "net-{epoch}", on_error="warn")
    with pytest.warns(UserWarning) as warned:
        fit(make_model(keras), [callback])
    said = [str(warning.message) for warning in warned if issubclass(warning.category, UserWarning)]
    assert said[0].startswith("The export at epoch 1 failed; training goes on, as on_error='warn' asks.")
    assert said[-1].startswith(f"Of this training's exports these are missing: '{tmp_path / 'net-1'}' (epoch 1).")
    assert [record.epoch for record in fake.records] == [2, 3]


def test_with_warn_nothing_is_missing_that_was_written_later_under_the_same_name(keras, fake, tmp_path):
    fake.fail_export = CheckpointWriteError("disk full")
    with pytest.warns(UserWarning) as warned:
        fit(make_model(keras), [GenSynthExportCallback(tmp_path / "net", on_error="warn")])
    assert not [warning for warning in warned if "missing" in str(warning.message)]


def monitored(keras, values):
    class Monitored(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = values[epoch]

    return Monitored()


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_a_best_export_that_fails_after_a_worse_one_was_due_does_not_stand_in_its_way(keras, fake, tmp_path):
    """0.4 is on its way when 0.5 must be decided: it waits, and learns that 0.4 is not going to be there."""
    wanted = threading.Event()
    fake.fail_export = CheckpointWriteError("disk full")
    callback = GenSynthExportCallback(tmp_path / "net-{epoch}", save_best_only=True, on_error="warn")
    begin, wait = fake.begin, callback.wait_until_finished

    def slow_begin(self, *args, **kwargs):
        write = begin(self, *args, **kwargs)
        return lambda: wanted.wait(60) and write()

    def waiting():
        wanted.set()
        wait()

    fake.begin, callback.wait_until_finished = slow_begin, waiting
    with pytest.warns(UserWarning) as warned:
        fit(make_model(keras), [monitored(keras, [0.4, 0.5, 0.6]), callback])
    assert "disk full" in str(next(warning.message for warning in warned if warning.category is UserWarning))
    assert [record.epoch for record in fake.records] == [2]
    assert callback.best == 0.5


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_a_worse_value_than_one_on_its_way_is_not_the_best(keras, fake, tmp_path):
    callback = GenSynthExportCallback(tmp_path / "net-{epoch}", save_best_only=True)
    fit(make_model(keras), [monitored(keras, [0.5, 0.4, 0.45]), callback])
    assert [record.epoch for record in fake.records] == [1, 2]
    assert callback.best == 0.4


# A program that is started again, or twice


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_a_program_that_is_started_again_goes_on_with_what_it_finds(keras, tmp_path):
    options = {"monitor": "val_loss", "max_to_keep": 1}
    first = GenSynthExportCallback(tmp_path / "net-{epoch}", **options)
    fit(make_model(keras), [monitored(keras, [0.3, 0.2, 0.4]), first])
    again = GenSynthExportCallback(tmp_path / "net-{epoch}", save_best_only=True, **options)
    fit(make_model(keras), [monitored(keras, [0, 0, 0, 0.25, 0.1]), again], epochs=5, initial_epoch=3)
    assert first.checkpoints == [str(tmp_path / "net-2"), str(tmp_path / "net-3")]
    assert again.checkpoints == [str(tmp_path / "net-5")]
    assert again.best == 0.1
    assert sorted(path.name for path in tmp_path.glob("*.index")) == ["net-5.index"]
    assert not list(tmp_path.glob(".*"))


def test_a_series_that_another_process_writes_is_an_error_before_training(keras, fake, tmp_path, monkeypatch):
    def taken(folder, series):
        raise FolderInUseError("written by another training")

    monkeypatch.setattr("keras_gensynth_callback.training.series.claim", taken)
    model = make_model(keras)
    before = model.get_weights()
    with pytest.raises(FolderInUseError, match="another training"):
        fit(model, [GenSynthExportCallback(tmp_path / "net")])
    assert all(map(np.array_equal, before, model.get_weights()))
