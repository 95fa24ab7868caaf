"""Models of Keras's graph mode: inside TensorFlow 1.15, and in TensorFlow 2 with eager execution off.

Graph mode is global to a process, so each mode trains and exports its models in a process of its own
(`graph_mode_program.py`); TensorFlow 1.15 then replays them as it does all others.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf1_models
from contract import (  # noqa: F401
    test_every_trainable_variable_has_a_gradient_and_the_losses_add_up,
    test_manifest_tells_the_collections_as_tensorflow_1_counts_them,
    test_metric_variables_are_all_there_and_update_ops_each_once,
    test_predictions_are_those_of_keras,
    test_random_layers_are_random_in_training_alone,
    test_the_graph_is_plain,
    test_the_value_of_a_metric_changes_nothing,
    test_three_train_steps_give_the_weights_of_three_train_on_batch,
    test_update_ops_move_layer_state_in_training_and_only_then,
)
from needs import in_tf1, needs
from replayed import REPLAY, Replayed

pytestmark = [in_tf1, needs(keras2=True)]

REPOSITORY = pathlib.Path(__file__).parents[2]
PROGRAM = pathlib.Path(__file__).parents[1].joinpath("helpers", "graph_mode_program.py")
MODELS = ["sequential_convnet", "subclassed_with_everything_custom", "dicts_of_inputs_and_outputs"]
MODELS += [name for name, value in vars(tf1_models).items() if getattr(value, "__module__", "") == "tf1_models"]
MODELS = [name for name in MODELS if not name.startswith("_")]
# The other models are slow tests.
OFTEN = {
    "1.x": [
        "convolution_swish_and_regularizer",
        "custom_layer_loss_and_metric",
        "two_weighted_heads_on_a_shared_layer",
        "states_that_go_on",
        "trained_by_a_generator",
        "areas_and_confusions",
        "metrics_of_tensorflow_1",
    ],
    "disable_eager_execution": ["noise_and_dropout"],
    "disable_v2_behavior": ["masked_sequences"],
}


class GraphModeReplayed(Replayed):
    """A model that was trained and exported in a process of graph mode, and what TensorFlow 1.15 made of its export."""

    def __init__(self, folder):
        self.folders, self.error = {"1.15": folder}, None
        error = folder.with_suffix(".error")
        if error.exists():
            self.error = error.read_text()
            return
        self.said = json.loads((folder / "case.json").read_text())
        self.keras = dict(np.load(folder / "keras.npz"))
        self.case = {"y": True, "random": self.said["random"]}
        self.trainable, self.metric_variables = self.said["trainable"], self.said["metric_variables"]


@pytest.fixture(scope="module")
def replayed(reader, tmp_path_factory):
    """Callable, (mode, whether those models that are run often, or the others) -> folder of the models."""

    @functools.lru_cache(maxsize=None)
    def folder_of(mode, often):
        folder = tmp_path_factory.mktemp("models")
        models = [model for model in MODELS if (model in OFTEN[mode]) == often]
        if mode == "1.x":
            reader.run(PROGRAM, REPOSITORY, mode, folder, *models)
        else:
            in_a_process("-W", "ignore", PROGRAM, REPOSITORY, mode, folder, *models)
        reader.run(REPLAY, folder)
        return folder

    return folder_of


def cases():
    """All models in all modes; some of them are not slow."""
    for mode, often in OFTEN.items():
        for model in MODELS:
            marks = () if model in often else pytest.mark.slow
            yield pytest.param((mode, model), marks=marks, id=f"{mode}-{model}")


@pytest.fixture(params=cases())
def case(request, replayed):
    mode, model = request.param
    return GraphModeReplayed(replayed(mode, model in OFTEN[mode]) / model).checked("1.15")


def in_a_process(*command):
    """What a Python prints, in an environment of its own."""
    environ = dict(os.environ, PYTHONPATH=str(REPOSITORY))
    arguments = [sys.executable, *map(str, command)]
    done = subprocess.run(arguments, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_loss_and_metrics_over_several_batches_are_those_of_keras(case):
    np.testing.assert_allclose(case.tf1["average loss"], case.keras["average loss"], rtol=1e-5)
    assert case.worst("evaluate")[0] <= 1e-5, case.worst("evaluate")[1]


def test_the_loss_of_a_batch_is_that_of_keras(case):
    if "loss" in case.keras:  # `test_on_batch` takes no class weights
        np.testing.assert_allclose(case.tf1["loss"], case.keras["loss"], rtol=1e-5)


def test_names_and_signatures_are_those_of_the_contract(case):
    signatures = case.facts["signatures"]
    assert set(signatures) == {"serving_default", "eval", "train"}
    assert "keras_learning_phase" in signatures["train"]["inputs"]
    assert case.facts["collections"]["global_step"] == [case.manifest["tensors"]["global_step"] + ":0"]
    assert case.facts["collections"]["train_op"] == ["train_op"]
    names = [name.split("/")[0] for name in case.facts["collections"]["trainable_variables"]]
    assert not [name for name in names if name in ("model", "sequential", "training")]


def test_an_export_adds_no_op_to_the_graph_of_the_session(case):
    assert case.said["operations added"] == 0


def test_fit_with_the_callback_fills_the_collections_of_its_graph(case):
    there, exported = case.said["graph collections"], case.facts["collections"]
    for name in ("model_variables", "metric_variables", "local_variables", "losses", "regularization_losses"):
        assert len(there.get(name, ())) == len(exported.get(name, ())), name
    # All updates of a metric of the user's own are one call of a function there.
    calls = [name for name in there.get("update_ops", ()) if name.endswith(("FunctionCall", "PartitionedCall"))]
    assert len(there.get("update_ops", ())) == len(exported.get("update_ops", ())) or calls


LIVE = """
import logging
import sys

sys.path.insert(0, sys.argv[1])
import tensorflow as tf

if tf.executing_eagerly():
    tf.compat.v1.disable_eager_execution()
try:
    import tf_keras as keras
except ImportError:
    keras = tf.keras
from keras_gensynth_callback import GenSynthModel, export_checkpoint, init_variable_collections_from_keras
from keras_gensynth_callback.errors import InvalidArgumentError, NotBuiltError

class Logged(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []
        logger = logging.getLogger("keras_gensynth_callback")
        logger.setLevel("INFO")
        logger.addHandler(self)

    def emit(self, record):
        self.lines.append(record.getMessage())

graph = tf.compat.v1.get_default_graph()
inputs = keras.Input((3,))
outputs = keras.layers.Dense(1)(keras.layers.BatchNormalization()(inputs))
model = keras.Model(inputs, outputs)
model.compile("sgd", "mse", metrics=["mae"])
assert not graph.get_collection("update_ops") and not graph.get_collection("metric_variables")
logged = Logged()
operations = len(graph.get_operations())
added = init_variable_collections_from_keras(graph, model)
assert {name: len(members) for name, members in added.items()} == {
    "model_variables": 6, "local_variables": 2, "metric_variables": 2, "update_ops": 4, "losses": 1
}, added
assert not logged.lines
assert init_variable_collections_from_keras(graph, model) == {}
assert len(graph.get_operations()) == operations
assert len(graph.get_collection("update_ops")) == 4
model.compile("sgd", "mse")
init_variable_collections_from_keras(graph, model)
assert len(graph.get_collection("update_ops")) == 2 and not graph.get_collection("metric_variables")
# The losses of several outputs are metrics that `model.metrics` does not have.
two = keras.Model(inputs, [outputs, keras.layers.Dense(1, name="second")(inputs)])
two.compile("sgd", "mse", metrics=["mae"])
added = init_variable_collections_from_keras(graph, two)
assert len(added["metric_variables"]) == 8, added
assert len(logged.lines) == 1 and "run neither by `updates`" in logged.lines[0], logged.lines
assert all(op.name in logged.lines[0] for op in added["update_ops"] if "_loss" in op.name), logged.lines
for wrong, error in [((tf.Graph(), model), InvalidArgumentError), ((graph, "model"), InvalidArgumentError),
                     ((graph, keras.Sequential([keras.layers.Dense(1)])), NotBuiltError)]:
    try:
        init_variable_collections_from_keras(*wrong)
    except error:
        pass
    else:
        raise AssertionError(wrong)
with tf.Graph().as_default() as other:
    inputs = keras.Input((3,))
    hooked = GenSynthModel(inputs, keras.layers.BatchNormalization()(inputs))
    hooked.compile("sgd", "mse", export=sys.argv[2])
    assert len(other.get_collection("update_ops")) == 2, other.get_collection("update_ops")
print("all of it holds")
if hasattr(keras.layers, "StringLookup"):
    import numpy as np

    backend = sys.modules[keras.Model.__module__.rsplit(".engine.", 1)[0] + ".backend"]
    words = keras.Input((1,), dtype="string", name="words")
    numbers = keras.layers.StringLookup(vocabulary=["a", "b"])(words)
    model = keras.Model(words, keras.layers.Flatten()(keras.layers.Embedding(4, 2)(numbers)))
    backend.get_session().run(tf.compat.v1.tables_initializer())
    operations = len(graph.get_operations())
    export_checkpoint(model, sys.argv[2] + "-words")
    assert len(graph.get_operations()) == operations
    np.save(sys.argv[2] + "-words.npy", model.predict(np.array([["b"], ["c"], ["a"]])))
"""

LOOK_UP = """
    import sys
    import numpy as np
    import tensorflow as tf

    session = tf.compat.v1.Session()
    tf.compat.v1.train.import_meta_graph(sys.argv[1] + ".meta").restore(session, sys.argv[1])
    session.run(tf.compat.v1.tables_initializer())
    found = session.run(sys.argv[2], {"words:0": [["b"], ["c"], ["a"]]})
    assert np.array_equal(found, np.load(sys.argv[1] + ".npy")) and np.ptp(found, 0).all(), found
"""


def test_collections_are_filled_once(reader, tmp_path):
    program = tmp_path / "live.py"
    program.write_text(LIVE)
    assert "all of it holds" in in_a_process("-W", "ignore", program, REPOSITORY, tmp_path / "net")
    assert "all of it holds" in reader.run(program, REPOSITORY, tmp_path / "net")
    # The program exports a model with a table, too, where its Keras has layers with one: from TensorFlow 2.6 on.
    words = tmp_path / "net-words"
    if hasattr(tf.keras.layers, "StringLookup"):
        outputs = json.loads(words.with_suffix(".json").read_text())["tensors"]["outputs"]
        reader.run(LOOK_UP, words, *outputs.values())
