"""Metrics that give vectors: in the logs, in templates and as `monitor`."""

import json

import numpy as np
import pytest

from keras_gensynth_callback import GenSynthExportCallback
from keras_gensynth_callback._util import numbers_alone, plain_logs
from keras_gensynth_callback.errors import InvalidArgumentError
from keras_gensynth_callback.training.monitor import Monitor
from keras_gensynth_callback.training.prefix_template import PrefixTemplate

X = np.random.RandomState(0).rand(8, 3).astype("float32")
Y = np.array([[0], [1]] * 4, "float32")


def classifier(keras, thresholds):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    metric = keras.metrics.Recall(thresholds=thresholds, name="recall")
    model.compile("sgd", "binary_crossentropy", metrics=[metric], run_eagerly=True)
    return model


def test_records_and_manifests_hold_lists(keras, tmp_path):
    records = []
    export = GenSynthExportCallback(tmp_path / "net", on_export=records.append, save_on_background=False)
    classifier(keras, [0.2, 0.8]).fit(X, Y, verbose=0, callbacks=[export])
    assert [type(value) for value in records[0].logs["recall"]] == [float, float]
    assert json.loads((tmp_path / "net.json").read_text())["logs"]["recall"] == records[0].logs["recall"]


def test_an_array_with_one_element_can_be_monitored_and_name_an_export(keras, tmp_path):
    export = GenSynthExportCallback(
        tmp_path / "net-{recall:.2f}", monitor="recall", mode="max", save_best_only=True, save_on_background=False
    )
    classifier(keras, [0.0]).fit(X, Y, verbose=0, callbacks=[export])
    assert export.best == 1.0
    assert export.latest_checkpoint == str(tmp_path / "net-1.00")


def test_a_longer_one_cannot_and_the_warning_says_what_it_is(keras, tmp_path):
    export = GenSynthExportCallback(tmp_path / "net", monitor="recall", save_best_only=True)
    with pytest.warns(UserWarning, match=r"monitor='recall' as a number. Received: an array of shape \(2,\)."):
        classifier(keras, [0.2, 0.8]).fit(X, Y, verbose=0, callbacks=[export])
    assert export.latest_checkpoint is None


def test_a_file_name_holds_one_number():
    template = PrefixTemplate("net-{f1}")
    assert template.format(1, None, {"f1": [[0.5]]}) == "net-0.5"
    with pytest.raises(InvalidArgumentError, match=r"must be one number. Received: .*'f1' is an array of shape \(3,\)"):
        template.format(1, None, {"f1": [0.1, 0.2, 0.3]})


def test_plain_logs_are_floats_and_lists_of_floats():
    logs = plain_logs({"loss": np.float32(0.5), "f1": np.array([1, 2]), "note": "words", "none": None})
    assert logs == {"loss": 0.5, "f1": [1.0, 2.0], "note": "words", "none": None}
    assert numbers_alone(logs) == {"loss": 0.5, "f1": [1.0, 2.0]}


@pytest.mark.parametrize("value, number", [(0.5, 0.5), ([0.5], 0.5), ([], None), ([0.1, 0.2], None), ("a", None)])
def test_what_a_monitor_takes_as_a_number(value, number):
    assert Monitor("f1").value({"f1": value}) == number
