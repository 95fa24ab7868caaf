"""Every kind of Keras model, exported while it trains, gives Keras's numbers in TensorFlow 1.15.

Run by `test_contract_keras.py` and `test_contract_tf_keras.py`, a file each, so that two processes can share the work.
"""

import importlib
import json
import pathlib
import traceback

import carried_models
import keras_facts
import numpy as np
import pytest
import tensorflow as tf

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint

REPLAY = pathlib.Path(__file__).with_name("replay_in_tf1.py")


@pytest.fixture(scope="module")
def replayed(request, reader, tmp_path_factory):
    """Trains and exports every model with one Keras, replays all exports in one TensorFlow 1.15: dict, name ->
    _Replayed.
    """
    name = request.module.KERAS
    keras, root = importlib.import_module(name), tmp_path_factory.mktemp(name)
    found = {make.__name__: _Replayed(make, keras, root / make.__name__) for make in carried_models.ALL}
    reader.run(REPLAY, root, timeout=900)
    return found


@pytest.fixture(params=[make.__name__ for make in carried_models.ALL])
def case(request, replayed):
    return replayed[request.param].checked()


class _Replayed:
    """One model: what Keras said, and what TensorFlow 1.15 made of the export."""

    def __init__(self, make, keras, folder):
        self.folder, self.error = folder, None
        folder.mkdir()
        try:
            self._export(make, keras)
        except Exception:
            self.error = traceback.format_exc()

    def _export(self, make, keras):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        self.case = make(keras)
        model, x, y = self.case["model"], self.case["x"], self.case["y"]
        prefix = self.folder / "net"
        if y is None:
            export_checkpoint(model, prefix)
        else:
            callback = GenSynthExportCallback(prefix, save_freq="train_end")
            model.fit(x, y, batch_size=16, verbose=0, callbacks=[callback], **self.case.get("fit", {}))
        self.manifest = json.loads((self.folder / "net.json").read_text())
        self.trainable = [tuple(v.shape) for v in model.trainable_variables]
        self.metric_variables = sum(len(metric.variables) for metric in model.metrics)
        self.keras = keras_facts.recorded(self.case)
        self._write_feeds(x, y, self.case.get("fit", {}))

    def _write_feeds(self, x, y, fit):
        tensors, feeds, kinds = self.manifest["tensors"], {}, {}
        weights = fit.get("sample_weight")
        train_weights = None
        if "class_weight" in fit:
            train_weights = np.array([fit["class_weight"][int(label)] for label in y], "float32")
        for kind, names, values in (
            ("x", tensors["inputs"], x),
            ("y", tensors["targets"], y),
            ("weight", tensors["sample_weights"], weights),
            ("train_weight", tensors["sample_weights"], train_weights),
        ):
            if values is not None:
                for name, array in zip(names.values(), _in_order(values)):
                    feeds[name], kinds[name] = array, kind
        np.savez(self.folder / "feeds.npz", **feeds)
        options = {"kinds": kinds, "batch": self.case.get("batch", 16), "outputs": list(tensors["outputs"])}
        (self.folder / "options.json").write_text(json.dumps(options))

    def checked(self):
        if self.error:
            pytest.fail(self.error)
        self.tf1 = dict(np.load(self.folder / "replay.npz"))
        self.facts = json.loads((self.folder / "replay.json").read_text())
        if "error" in self.facts:
            pytest.fail(self.facts["error"])
        return self

    def names(self, kind):
        return [name for name in self.keras if name.startswith(kind + "/")]

    def worst(self, kind):
        """The largest difference relative to the largest value of each array."""
        errors = {}
        for name in self.names(kind):
            want, got = np.asarray(self.keras[name], "f8"), np.asarray(self.tf1[name], "f8")
            assert got.shape == want.shape, name
            errors[name] = np.abs(got - want).max() / max(np.abs(want).max(), 1e-6) if want.size else 0.0
        return max(errors.values(), default=0.0), errors


def _in_order(values):
    """Arrays in the order of a manifest: dicts by sorted keys, as tf.nest flattens them."""
    return tf.nest.flatten(values)


def test_predictions_are_those_of_keras(case):
    assert case.names("predict")
    assert case.worst("predict")[0] <= 1e-5


def test_loss_and_metrics_over_several_batches_are_those_of_keras(case):
    if case.case["y"] is None:
        assert list(case.facts["signatures"]) == ["serving_default"]
        return
    assert case.names("evaluate")
    assert case.worst("evaluate")[0] <= 1e-5, case.worst("evaluate")[1]


def test_update_ops_move_layer_state_in_training_and_only_then(case):
    for index, name in enumerate(case.names("before")):
        np.testing.assert_array_equal(case.tf1[f"still/{index}"], case.keras[name])
    assert case.worst("after")[0] <= 1e-5, case.worst("after")[1]


def test_three_train_steps_give_the_weights_of_three_train_on_batch(case):
    if not case.names("trained"):
        assert case.case["y"] is None or case.case.get("random")
        return
    assert case.facts["steps counted"] == 3
    assert case.worst("trained")[0] <= 1e-4, case.worst("trained")[1]


def test_every_trainable_variable_has_a_gradient_and_the_losses_add_up(case):
    assert len(case.facts["collections"].get("trainable_variables", ())) == len(case.trainable)
    if case.case["y"] is not None:
        assert case.facts["without gradient"] == []
        np.testing.assert_allclose(case.tf1["total loss"], case.tf1["loss"], rtol=1e-5)


def test_random_layers_are_random_in_training_alone(case):
    if case.case["y"] is not None:
        assert not case.facts["inference differs"]
        if case.case.get("random"):
            assert case.facts["training differs"]


def test_the_graph_is_plain(case):
    assert case.facts["functions"] == 0
    assert case.facts["devices"] == [""]
    assert case.facts["private"] == []


def test_metric_variables_are_all_there_and_update_ops_each_once(case):
    collections = case.facts["collections"]
    metric = collections.get("metric_variables", [])
    assert len(metric) == case.metric_variables
    assert metric == collections.get("local_variables", [])
    assert set(metric) <= set(collections["variables"])
    updates = collections.get("update_ops", [])
    assert len(updates) == len(set(updates))


def test_manifest_tells_the_collections_as_tensorflow_1_counts_them(case):
    told = {key: size for key, size in case.manifest["collections"].items() if not key.endswith("_context")}
    counted = {key: len(names) for key, names in case.facts["collections"].items() if not key.endswith("_context")}
    assert told == counted
