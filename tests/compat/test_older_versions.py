"""What older TensorFlows and Kerases are told, and variables that Python makes at each call, as in TensorFlow 1.x."""

import pathlib
import sys
import types

import pytest
import tensorflow as tf

from keras_gensynth_callback import compat as tf_private
from keras_gensynth_callback.errors import UnsupportedBackendError, UnsupportedModelError
from keras_gensynth_callback.lift import check_environment
from keras_gensynth_callback.lift.adapters.v1_variables import OwnVariables, own_variables
from keras_gensynth_callback.tensorflow_version import TRIED, check_tensorflow, warn_of_other_versions


def test_a_model_of_the_package_keras_2_is_told_the_way_out():
    model = type("Model", (), {"__module__": "keras.engine.training", "_make_train_function": None, "name": "net"})()
    with pytest.raises(UnsupportedBackendError, match=r"`net` is of the package keras .*convert_model_file"):
        check_environment(model)


def test_an_eager_model_that_is_exported_from_graph_mode_alone_is_told_how_to_get_there():
    body = {"_make_train_function": None, "built": False}
    model = type("Model", (tf.Module,), {"__module__": "tensorflow.python.keras.engine.training", **body})("net")
    with pytest.raises(UnsupportedBackendError, match=r"Call `tf.compat.v1.disable_eager_execution\(\)` right after"):
        check_environment(model)


def test_tensorflow_1_13_is_told_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(__version__="1.13.2"))
    with pytest.raises(UnsupportedBackendError, match=r'Received: TensorFlow 1.13.2. .*target="1.13"'):
        check_tensorflow()


def test_a_version_that_was_not_tried_is_warned_of_once():
    with pytest.warns(UserWarning, match="was not tried beside TensorFlow 2.99.1, but beside 1.14 to "):
        warn_of_other_versions("2.99", "2.99.1")
    warn_of_other_versions("2.99", "2.99.1")  # a second warning would be an error


def test_the_versions_that_are_not_warned_of_are_those_that_the_table_has_results_of():
    text = pathlib.Path(__file__).parents[2].joinpath("docs", "kerases.md").read_text(encoding="utf-8")
    rows = [line.strip("| \n").split(" | ") for line in text.split("<!--")[1].splitlines() if line.startswith("| ")]
    tried = [row[0] for row in rows[1:] if "not run" not in row]
    assert rows[0][0] == "TensorFlow" and len(rows) > 20
    assert list(dict.fromkeys(".".join(version.split(".")[:2]) for version in tried)) == list(TRIED)


def area(y_true, y_pred):
    return tf.compat.v1.metrics.auc(y_true, y_pred, num_thresholds=20)[1]


def other_area(y_true, y_pred):
    return tf.compat.v1.metrics.auc(y_true, y_pred, num_thresholds=20)[1]


@pytest.fixture
def model(keras2):
    """A model of graph mode with two metrics that make variables of equal names and shapes."""
    with tf.Graph().as_default():
        model = keras2.Sequential([keras2.Input((3,)), keras2.layers.Dense(1, activation="sigmoid")])
        model.compile("sgd", "mse", metrics=[area, other_area])
        yield model


def test_variables_that_metrics_make_are_told_from_those_of_keras(model):
    of_metrics, others = own_variables(model)
    names = ["true_positives", "false_negatives", "true_negatives", "false_positives"]
    assert [variable.name.split("/")[-1] for variable in of_metrics] == [f"{name}:0" for name in names * 2]
    assert others == []


def test_a_variable_that_is_asked_for_again_is_the_one_in_its_place(model):
    own, found = OwnVariables(model), []

    def body(y_true, y_pred):
        with own.found_again(), tf.name_scope("metrics"):
            for metric in (other_area, area):
                with tf.name_scope(metric.__name__):
                    metric(y_true, y_pred)
        found.extend(tf.compat.v1.local_variables())

    tf_private.function_graph(body, [tf.TensorSpec([None, 1])] * 2)
    assert [id(variable) for variable in found] == [id(v) for v in [*own.of_metrics[4:], *own.of_metrics[:4]]]


def test_a_variable_that_is_not_there_is_refused_in_words(model):
    own = OwnVariables(model)

    def body():
        with own.found_again(), tf.name_scope("gate"):
            tf.Variable([1.0, 2.0, 3.0], name="scale")

    with pytest.raises(UnsupportedModelError, match=r"makes a variable 'gate/scale' .* Make the variable once"):
        tf_private.function_graph(body, [])
