"""When the callback exports, and what it tells the exporter, in `fit` of both Kerases."""

import copy
import warnings

import numpy as np
import pytest
from fake_exporter import fake_exporter_class
from needs import needs

from keras_gensynth_callback.errors import UnknownTemplateKeyError, UnsupportedOpError
from keras_gensynth_callback.training import exporter_cache
from keras_gensynth_callback.training.callback import GenSynthExportCallback

X = np.random.RandomState(0).rand(24, 3).astype("float32")
Y = (X.sum(1, keepdims=True) > 1.5).astype("float32")


@pytest.fixture
def exporter(monkeypatch):
    """The class of exporters that the callback makes; it records what they are asked for."""
    fake = fake_exporter_class()
    monkeypatch.setattr(exporter_cache, "Exporter", fake)
    return fake


@pytest.fixture
def prefix(tmp_path):
    """A prefix in an empty folder."""
    return str(tmp_path / "exports" / "net")


def make_model(keras, **options):
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((3,)), layers.Dense(4, "relu"), layers.Dropout(0.5), layers.Dense(1, "sigmoid")]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], **options)
    return model


def fit(model, callbacks, epochs=1, **options):
    """24 rows in batches of 4: 6 batches an epoch."""
    return model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks, **options)


def moments(exporter):
    return [(record.epoch, record.batch) for record in exporter.records]


def test_by_default_each_epoch_is_exported_and_nothing_twice(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix)], epochs=3)
    assert moments(exporter) == [(1, None), (2, None), (3, None)]
    assert {record.prefix for record in exporter.records} == {prefix}
    assert [type(value) for value in exporter.records[0].logs.values()] == [float, float]
    assert set(exporter.records[0].logs) == {"loss", "accuracy"}


def test_every_second_epoch_and_the_rest_when_training_ends(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix, period=2)], epochs=5)
    assert [record.epoch for record in exporter.records] == [2, 4, 5]


def test_every_fifth_batch_and_the_rest_when_training_ends(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix, save_freq=5)], epochs=2)
    assert moments(exporter) == [(1, 5), (2, 4), (2, 6)]


def test_the_last_batch_is_not_exported_twice(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix, save_freq=3)])
    assert moments(exporter) == [(1, 3), (1, 6)]


@needs(keras3="3.1", reason="several steps in one execution run out of data in Keras 3.0")
def test_steps_per_execution_counts_batches_and_not_executions(keras, exporter, prefix):
    model = make_model(keras, steps_per_execution=4)
    fit(model, [GenSynthExportCallback(prefix, save_freq=6)], epochs=2)
    assert moments(exporter) == [(1, 6), (2, 6)]


def test_train_end_exports_once(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix, save_freq="train_end")], epochs=3)
    assert moments(exporter) == [(3, None)]
    assert set(exporter.records[0].logs) == {"loss", "accuracy"}


def test_seconds_export_as_well(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix, save_secs=1e-9)])
    assert moments(exporter) == [(1, batch) for batch in [1, 2, 3, 4, 5, 6]] + [(1, 6)]


def test_epochs_are_numbered_as_keras_prints_them_with_initial_epoch(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix + "-{epoch:02d}", period=2)
    fit(make_model(keras), [callback], epochs=7, initial_epoch=3)
    assert [record.prefix[-2:] for record in exporter.records] == ["05", "07"]


def test_batch_in_the_template_is_the_last_one_of_the_epoch(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix + "-{epoch}-{batch}-{loss:.3f}")], epochs=2)
    losses = [record.logs["loss"] for record in exporter.records]
    assert [record.prefix for record in exporter.records] == [
        f"{prefix}-1-6-{losses[0]:.3f}",
        f"{prefix}-2-6-{losses[1]:.3f}",
    ]


def test_one_callback_serves_several_fits_and_one_graph_serves_them_all(keras, exporter, prefix):
    model, callback = make_model(keras), GenSynthExportCallback(prefix)
    fit(model, [callback], epochs=2)
    fit(model, [callback])
    assert [record.epoch for record in exporter.records] == [1, 2, 1]
    assert len(exporter.made) == 1


def test_a_model_that_is_compiled_anew_or_fed_otherwise_gets_a_new_graph(keras, exporter, prefix):
    model, callback = make_model(keras), GenSynthExportCallback(prefix)
    fit(model, [callback])
    model.compile("sgd", "mse")
    fit(model, [callback])
    fit(model, [callback], sample_weight=np.ones(24, "float32"))
    fit(make_model(keras), [callback])
    assert len(exporter.made) == 4
    assert [len(made.specs[0]) for made in exporter.made] == [2, 2, 3, 2]


def test_fit_without_an_epoch_exports_nothing(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix)], epochs=2, initial_epoch=2)
    assert exporter.records == []


def test_the_exporter_gets_the_callbacks_options(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, target="current", graph="inference", include_optimizer=False)
    fit(make_model(keras), [callback])
    assert vars(exporter.made[0].options) == {
        "target": "current",
        "graph": "inference",
        "include_optimizer": False,
        "input_signature": None,
        "compute_dtype": None,
        "data_format": "channels_last",
        "verify": False,
    }


# Weights that change after the last step


def test_weights_that_another_callback_restores_are_exported(keras, exporter, prefix):
    class Restore(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.model.set_weights([np.zeros_like(weight) for weight in self.model.get_weights()])

    fit(make_model(keras), [Restore(), GenSynthExportCallback(prefix)], epochs=2)
    assert [record.epoch for record in exporter.records] == [1, 2, 2]
    assert not exporter.values[-1][0].any()
    assert exporter.values[-2][0].any()


@needs(tf="2.11", reason="earlier optimizers keep no averages of weights")
def test_averaged_weights_that_keras_puts_in_place_when_training_ends_are_exported(keras, exporter, prefix):
    model = make_model(keras)
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse")
    fit(model, [GenSynthExportCallback(prefix)])
    assert len(exporter.records) == 2
    assert np.array_equal(exporter.values[-1][0], model.get_weights()[0])
    assert not np.array_equal(exporter.values[-2][0], model.get_weights()[0])


# The best one


def monitored(keras, values, key="val_loss"):
    """A callback of Keras that puts values into the logs, one an epoch; None leaves them out."""

    class Monitored(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if values[epoch] is not None:
                logs[key] = values[epoch]

    return Monitored()


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_save_best_only_exports_what_improved(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, save_best_only=True)
    fit(make_model(keras), [monitored(keras, [0.5, 0.7, 0.4, 0.4]), callback], epochs=4)
    assert [record.epoch for record in exporter.records] == [1, 3]
    assert callback.best == 0.4
    assert all(record.is_best for record in exporter.records)


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_a_threshold_is_to_be_surpassed(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, save_best_only=True, initial_value_threshold=0.45)
    fit(make_model(keras), [monitored(keras, [0.5, 0.4]), callback], epochs=2)
    assert [record.epoch for record in exporter.records] == [2]


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_without_save_best_only_the_best_is_marked_for_retention(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, monitor="val_accuracy")
    values = monitored(keras, [0.5, 0.7, 0.6], key="val_accuracy")
    fit(make_model(keras), [values, callback], epochs=3)
    assert [record.is_best for record in exporter.records] == [True, True, False]
    assert callback.best == 0.7


def test_save_best_only_works_within_an_epoch(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, monitor="loss", save_best_only=True, save_freq=1)
    fit(make_model(keras), [callback])
    losses = [record.logs["loss"] for record in exporter.records]
    assert exporter.records[0].batch == 1
    assert losses == sorted(losses, reverse=True)
    assert callback.best == losses[-1]


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_a_validation_monitor_decides_batches_at_the_epochs_end(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, save_best_only=True, save_freq=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(make_model(keras), [monitored(keras, [0.5, 0.7, 0.4]), callback], epochs=3)
    assert moments(exporter) == [(1, 6), (3, 6)]


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_an_epoch_without_a_due_batch_owes_nothing(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, save_best_only=True, save_freq=9)
    fit(make_model(keras), [monitored(keras, [0.5, 0.4]), callback], epochs=2)
    assert moments(exporter) == [(2, 6)]


def test_save_best_only_at_the_end_of_training(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, save_best_only=True, save_freq="train_end")
    model = make_model(keras)
    fit(model, [callback], validation_data=(X, Y), epochs=2)
    assert moments(exporter) == [(2, None)]
    assert callback.best == exporter.records[0].logs["val_loss"]


def test_a_missing_monitor_skips_the_export_and_says_so_once_with_the_keys_there_are(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, monitor="val_acuracy", save_best_only=True)
    with pytest.warns(UserWarning) as warned:
        fit(make_model(keras), [callback], epochs=3)
    said = [str(warning.message) for warning in warned if "monitor" in str(warning.message)]
    assert len(said) == 1
    assert "The export at epoch 1 is skipped" in said[0]
    assert "monitor='val_acuracy'" in said[0]
    assert "The keys there are: 'accuracy', 'loss'." in said[0]
    assert exporter.records == []


def test_a_missing_monitor_means_nothing_without_save_best_only(keras, exporter, prefix):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(make_model(keras), [GenSynthExportCallback(prefix)])
    assert [record.is_best for record in exporter.records] == [False]


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_an_export_that_failed_does_not_count_as_the_best(keras, exporter, prefix):
    exporter.fail_export = OSError("disk full")
    callback = GenSynthExportCallback(prefix, save_best_only=True, on_error="warn")
    with pytest.warns(UserWarning, match="disk full"):
        fit(make_model(keras), [monitored(keras, [0.4, 0.5]), callback], epochs=2)
    assert [record.epoch for record in exporter.records] == [2]
    assert callback.best == 0.5


# Errors


def test_an_unknown_template_key_is_found_when_the_first_epoch_ends(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix + "-{acuracy:.2f}", save_freq="train_end")
    with pytest.raises(UnknownTemplateKeyError) as raised:
        fit(make_model(keras), [callback], epochs=50)
    assert "-{acuracy:.2f}' holds 'acuracy', which there is not." in str(raised.value)
    assert "The keys there are: 'epoch', 'batch', 'accuracy', 'loss'." in str(raised.value)
    assert callback._epoch == 1


def test_an_unknown_template_key_is_found_when_the_first_batch_ends(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix + "-{acuracy:.2f}", save_freq=100)
    with pytest.raises(KeyError, match="'acuracy'"):
        fit(make_model(keras), [callback])
    assert callback._batch == 1


def test_a_validation_key_may_wait_for_the_first_validation(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix + "-{val_loss:.2f}", period=2)
    fit(make_model(keras), [callback], epochs=2, validation_data=(X, Y), validation_freq=2)
    assert [record.epoch for record in exporter.records] == [2]


def test_a_validation_key_without_validation_fails_at_the_first_export(keras, exporter, prefix):
    with pytest.raises(UnknownTemplateKeyError, match="'val_loss'"):
        fit(make_model(keras), [GenSynthExportCallback(prefix + "-{val_loss:.2f}")], epochs=9)


def test_a_failed_export_ends_the_training(keras, exporter, prefix):
    exporter.fail_export = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        fit(make_model(keras), [GenSynthExportCallback(prefix)])


def test_with_warn_training_goes_on_and_the_next_export_is_tried(keras, exporter, prefix):
    exporter.fail_export = OSError("disk full")
    with pytest.warns(
        UserWarning, match="The export at epoch 1 failed; training goes on, .*OSError: disk full"
    ) as warned:
        history = fit(make_model(keras), [GenSynthExportCallback(prefix, on_error="warn")], epochs=3)
    assert len(history.history["loss"]) == 3
    assert [record.epoch for record in exporter.records] == [2, 3]
    assert len([w for w in warned if "disk full" in str(w.message)]) == 1


def test_the_last_epochs_failed_export_is_tried_again_when_training_ends(keras, exporter, prefix):
    exporter.fail_export = OSError("disk full")
    with pytest.warns(UserWarning, match="disk full"):
        fit(make_model(keras), [GenSynthExportCallback(prefix, on_error="warn")])
    assert [record.epoch for record in exporter.records] == [1]


def test_on_export_gets_each_record(keras, exporter, prefix):
    seen = []
    fit(make_model(keras), [GenSynthExportCallback(prefix, on_export=seen.append)], epochs=2)
    assert seen == exporter.records
    assert len(seen) == 2


def test_what_on_export_raises_ends_the_training(keras, exporter, prefix):
    with pytest.raises(ZeroDivisionError):
        fit(make_model(keras), [GenSynthExportCallback(prefix, on_export=lambda record: 1 / 0)])
    assert len(exporter.records) == 1


def test_what_on_export_raises_is_a_warning_that_says_the_export_is_complete(keras, exporter, prefix):
    callback = GenSynthExportCallback(prefix, on_export=lambda record: 1 / 0, on_error="warn")
    with pytest.warns(UserWarning, match="is complete, but on_export failed; .*ZeroDivisionError"):
        fit(make_model(keras), [callback])
    assert len(exporter.records) == 1


def test_a_folder_that_cannot_be_written_is_an_error_before_training(keras, exporter, tmp_path):
    (tmp_path / "exports").write_text("a file")
    model = make_model(keras)
    before = model.get_weights()
    with pytest.raises(OSError, match="exports"):
        fit(model, [GenSynthExportCallback(str(tmp_path / "exports" / "net-{epoch}"))])
    assert all(map(np.array_equal, before, model.get_weights()))


# In passing


def test_verbose_speaks_in_keras_words(keras, exporter, prefix, capsys):
    fit(make_model(keras), [GenSynthExportCallback(prefix, verbose=1)])
    assert f"\nEpoch 1: saving model to {prefix}\n" in capsys.readouterr().out


@needs(tf="2.5", reason="in TensorFlow 2.4 a callback does not change the logs that the next one gets")
def test_verbose_says_what_improved_and_what_did_not(keras, exporter, prefix, capsys):
    callback = GenSynthExportCallback(prefix, verbose=1, save_best_only=True)
    fit(make_model(keras), [monitored(keras, [0.5, 0.7]), callback], epochs=2)
    said = capsys.readouterr().out
    assert f"\nEpoch 1: val_loss improved from None to 0.50000, saving model to {prefix}\n" in said
    assert "\nEpoch 2: val_loss did not improve from 0.50000\n" in said


def test_verbose_ends_with_a_line_about_the_whole_training(keras, exporter, prefix, capsys):
    callback = GenSynthExportCallback(prefix, verbose=2)
    assert repr(callback) == f"<GenSynthExportCallback {prefix}: save_freq='epoch'>"
    fit(make_model(keras), [callback], epochs=2)
    *_, record, summary = capsys.readouterr().out.splitlines()
    assert record.startswith(f"Record(prefix='{prefix}', epoch=2")
    assert summary == f"Exported 2 times, 0.00 MB; the newest is {prefix}"


def test_it_is_silent_by_default(keras, exporter, prefix, capsys):
    fit(make_model(keras), [GenSynthExportCallback(prefix)])
    assert capsys.readouterr().out == ""


@needs(keras3="3.1", reason="Keras 3.0 runs hooks in the thread that trains")
@pytest.mark.parametrize("save_freq", ["epoch", "train_end"])
def test_keras_3_may_still_run_batch_hooks_aside_of_training(save_freq, monkeypatch, keras3):
    monkeypatch.setattr("keras.src.backend.IS_THREAD_SAFE", True)
    assert keras3.callbacks.CallbackList([GenSynthExportCallback("net", save_freq=save_freq)])._async_train
    assert not keras3.callbacks.CallbackList([GenSynthExportCallback("net", save_freq=2)])._async_train


@needs(tf="2.5", reason="`CallbackList` of TensorFlow 2.4 does not have `_supports_tf_logs`")
def test_tf_keras_calls_batch_hooks_only_where_they_do_something(keras2):
    idle = keras2.callbacks.CallbackList([GenSynthExportCallback("net")])
    busy = keras2.callbacks.CallbackList([GenSynthExportCallback("net", save_freq=2)])
    assert (idle._should_call_train_batch_hooks, busy._should_call_train_batch_hooks) == (False, True)
    assert idle._supports_tf_logs and busy._supports_tf_logs


def test_a_copy_of_a_callback_works_for_itself(keras, exporter, prefix):
    original = GenSynthExportCallback(prefix, save_freq=3)
    fit(make_model(keras), [copy.deepcopy(original)])
    assert moments(exporter) == [(1, 3), (1, 6)]
    assert original._batch is None


def test_an_error_of_the_model_comes_before_the_first_weight_moves(keras, exporter, prefix):
    exporter.fail_prepare = UnsupportedOpError("layer `lambda`: op PyFunc")
    model = make_model(keras)
    before = model.get_weights()
    with pytest.raises(UnsupportedOpError, match="PyFunc"):
        fit(model, [GenSynthExportCallback(prefix)])
    assert all(map(np.array_equal, before, model.get_weights()))
    assert exporter.records == []


def test_with_warn_a_model_that_cannot_be_exported_is_trained_with_one_warning(keras, exporter, prefix):
    exporter.fail_prepare = UnsupportedOpError("layer `lambda`: op PyFunc")
    with pytest.warns(UserWarning, match="The model cannot be exported; training goes on") as warned:
        history = fit(make_model(keras), [GenSynthExportCallback(prefix, on_error="warn")], epochs=3)
    assert len([w for w in warned if "PyFunc" in str(w.message)]) == 1
    assert len(history.history["loss"]) == 3
    assert exporter.records == []


def test_logs_of_a_batch_fill_the_template(keras, exporter, prefix):
    fit(make_model(keras), [GenSynthExportCallback(prefix + "-{accuracy:.1f}", save_freq=6)])
    assert len(exporter.records) == 1
