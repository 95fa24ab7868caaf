"""Models trained and exported here, and replayed in a TensorFlow 1.x: what the checks of the contract compare."""

import copy
import json
import pathlib
import traceback

import keras_facts
import numpy as np
import pytest
import tensorflow as tf
from kerases import KERASES, keras_of

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint

REPLAY = pathlib.Path(__file__).with_name("replay_in_tf1.py")


def replay(models, keras_name, readers, root):
    """Trains and exports models with one Keras, and replays all exports in one process of each reader.

    Args:
        models: functions of `carried_models`.
        keras_name: str, one of `kerases.KERASES`.
        readers: list of Reader; their versions are the targets of the exports.
        root: Path of a folder.

    Returns:
        dict, name of the function -> Replayed.
    """
    found = {}
    for make in models:
        folders = {reader.version: root / reader.version / make.__name__ for reader in readers}
        found[make.__name__] = Replayed(make, keras_name, folders)
    for reader in readers:
        reader.run(REPLAY, root / reader.version, timeout=900)
    return found


class Replayed:
    """One model: what Keras said, and, once `checked`, what a TensorFlow 1.x made of its export.

    Args:
        make: function of `carried_models`.
        keras_name: str, one of `kerases.KERASES`.
        folders: dict, target -> Path of a folder to be made. The model is trained once; the callback exports for the
            first of the targets.
    """

    def __init__(self, make, keras_name, folders):
        self.folders, self.error = folders, None
        for folder in folders.values():
            folder.mkdir(parents=True)
        try:
            self._export(make, keras_name)
        except Exception:
            self.error = traceback.format_exc()

    def _export(self, make, keras_name):
        self.case = make(keras_of(keras_name, seed=1))
        model, x, y = self.case["model"], self.case["x"], self.case["y"]
        more = self.case.get("export", {})
        for target, folder in self.folders.items():
            if y is None:
                export_checkpoint(model, folder / "net", target=target, **more)
        if y is not None:
            exports = [
                GenSynthExportCallback(folder / "net", save_freq="train_end", target=target, **more)
                for target, folder in self.folders.items()
            ]
            model.fit(x, y, batch_size=16, verbose=0, callbacks=exports, **self.case.get("fit", {}))
        self.trainable = [tuple(v.shape) for v in model.trainable_variables]
        self.metric_variables = sum(len(metric.variables) for metric in model.metrics)
        self.keras = keras_facts.recorded(self.case)
        for folder in self.folders.values():
            self._write_feeds(folder, x, y, self.case.get("fit", {}))

    def _write_feeds(self, folder, x, y, fit):
        tensors, feeds, kinds = _manifest(folder)["tensors"], {}, {}
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
                    feeds[name], kinds[name] = _storable(array), kind
        np.savez(folder / "feeds.npz", **feeds)
        options = {"kinds": kinds, "batch": self.case.get("batch", 16), "outputs": list(tensors["outputs"])}
        (folder / "options.json").write_text(json.dumps(options))

    def checked(self, target):
        """The same with what the TensorFlow of a target said: `folder`, `manifest`, `tf1` (numbers) and `facts`."""
        if self.error:
            pytest.fail(self.error)
        found = copy.copy(self)
        found.folder = self.folders[target]
        found.manifest = _manifest(found.folder)
        found.tf1 = dict(np.load(found.folder / "replay.npz"))
        found.facts = json.loads((found.folder / "replay.json").read_text())
        if "error" in found.facts:
            pytest.fail(found.facts["error"])
        return found

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

    def assert_within(self, bounds):
        """Compares the numbers of each kind: `bounds` has how far the largest difference may be."""
        for kind, bound in bounds.items():
            worst, errors = self.worst(kind)
            assert worst <= bound, (kind, worst, errors)


def cases_of_each_keras(models_of):
    """Pairs of the names of a Keras and of a model of it; `models_of(keras_name)` lists the models."""
    return [(keras_name, make.__name__) for keras_name in KERASES for make in models_of(keras_name)]


def replay_with_each_keras(models_of, reader, tmp_path_factory):
    """dict, name of a Keras -> what `replay` gives for its models."""
    return {name: replay(models_of(name), name, [reader], tmp_path_factory.mktemp(name)) for name in KERASES}


def _manifest(folder):
    return json.loads((folder / "net.json").read_text())


def _storable(array):
    """Strings as NumPy keeps them without pickle."""
    return np.array(array.numpy().tolist()) if tf.is_tensor(array) and array.dtype == tf.string else array


def _in_order(values):
    """Arrays in the order of a manifest: dicts by sorted keys, as tf.nest flattens them."""
    return tf.nest.flatten(values)
