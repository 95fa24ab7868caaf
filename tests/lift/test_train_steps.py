"""Models that are trained by their layers alone: exported while they train, and trained on in TensorFlow 1.15."""

import json

import models_with_train_steps as models
import numpy as np
import pytest
import tensorflow as tf
from keras_facts import _array
from kerases import KERASES, keras_of

from keras_gensynth_callback import GenSynthExportCallback, GenSynthMixin, export_checkpoint

BATCH = 16
TRAIN_ON = """
    import json, os, sys, numpy as np, tensorflow as tf
    v1 = tf.compat.v1
    for folder in sys.argv[1:]:
        v1.reset_default_graph()
        session = v1.Session()
        saver = v1.train.import_meta_graph(folder + "/net.meta")
        saver.restore(session, folder + "/net")
        meta = v1.MetaGraphDef.FromString(open(folder + "/net.meta", "rb").read())
        signatures, found, facts = meta.signature_def, {}, {}
        feeds = dict(np.load(folder + "/feeds.npz"))
        if "serving_default" in signatures:
            serving = signatures["serving_default"]
            (fed,), (out,) = serving.inputs.values(), serving.outputs.values()
            found["predict"] = session.run(out.name, {fed.name: feeds[fed.name]})
        feed = {name: value[:16] for name, value in feeds.items()}
        feed["keras_learning_phase:0"] = True
        variables = v1.trainable_variables()
        found.update(("before/%d" % i, value) for i, value in enumerate(session.run(variables)))
        step = v1.train.get_global_step()
        before = session.run(step)
        for _ in range(3):
            session.run(v1.local_variables_initializer())  # Keras sets metrics back for each `train_on_batch`
            session.run(v1.get_collection("train_op")[0], feed)
        facts["steps"] = int(session.run(step) - before)
        found.update(("trained/%d" % i, value) for i, value in enumerate(session.run(variables)))
        for name, info in signatures["train"].outputs.items():
            if name.endswith("/value"):
                found[name] = session.run(info.name)
        facts["signatures"] = {name: [sorted(s.inputs), sorted(s.outputs)] for name, s in signatures.items()}
        keys = v1.get_default_graph().get_all_collection_keys()
        facts["collections"] = {name: len(v1.get_collection(name)) for name in keys}
        np.savez(folder + "/found.npz", **found)
        json.dump(facts, open(folder + "/facts.json", "w"))
"""


class TrainedOn:
    """A case, what Keras says of it, and what TensorFlow 1.15 does."""

    def __init__(self, make, keras_name, folder):
        folder.mkdir()
        self.case, self.folder = make(keras_of(keras_name, seed=1)), folder
        model, x, y = self.case["model"], self.case["x"], self.case["y"]
        callback = GenSynthExportCallback(folder / "net", save_freq="train_end")
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0, callbacks=[callback])
        manifest = json.loads((folder / "net.json").read_text())
        self.notes = manifest["not_carried_over"]
        self._write_feeds(manifest["tensors"])
        self.keras = {}
        if manifest["tensors"]["outputs"]:
            self.keras["predict"] = model.predict(x, verbose=0)
        if self.case.get("random"):
            return
        for _ in range(3):
            logs = model.train_on_batch(x[:BATCH], None if y is None else y[:BATCH], return_dict=True)
        self.keras.update({f"trained/{i}": _array(v) for i, v in enumerate(model.trainable_variables)})
        self.keras.update({f"metrics/{name}/value": np.array(logs[name]) for name in self.case["metrics"]})

    def _write_feeds(self, tensors):
        feeds = {}
        for names, value in ((tensors["inputs"], self.case["x"]), (tensors["targets"], self.case["y"])):
            feeds.update({name: value for name in names.values()})
        feeds.setdefault("input_1:0", self.case["x"])
        np.savez(self.folder / "feeds.npz", **feeds)

    def read(self):
        """Takes what TensorFlow 1.15 left."""
        self.tf1 = dict(np.load(self.folder / "found.npz"))
        self.facts = json.loads((self.folder / "facts.json").read_text())
        return self


@pytest.fixture(scope="module", params=KERASES)
def trained(request, reader, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    found = {make.__name__: TrainedOn(make, request.param, root / make.__name__) for make in models.ALL}
    reader.run(TRAIN_ON, *(case.folder for case in found.values()), timeout=300)
    return {name: case.read() for name, case in found.items()}


@pytest.fixture(params=[make.__name__ for make in models.ALL])
def case(request, trained):
    return trained[request.param]


def test_three_steps_predictions_and_metrics_are_those_of_keras(case):
    assert case.facts["steps"] == 3
    for name, value in case.keras.items():
        np.testing.assert_allclose(case.tf1[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_each_weight_is_trained(case):
    count = len(case.case["model"].trainable_variables)
    assert case.facts["collections"]["trainable_variables"] == count
    moved = [np.abs(case.tf1[f"trained/{i}"] - case.tf1[f"before/{i}"]).max() for i in range(count)]
    assert min(moved) > 0


def test_an_optimizer_that_accumulates_gradients_moves_weights_in_a_step_of_the_users_own(reader, tmp_path, keras3):
    case = TrainedOn(models.accumulated, keras3.__name__, tmp_path / "net")
    reader.run(TRAIN_ON, case.folder)
    case.read()
    assert case.facts["steps"] == 3
    for name, value in case.keras.items():
        np.testing.assert_allclose(case.tf1[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    assert not np.array_equal(case.tf1["trained/0"], case.tf1["before/0"])


def test_there_is_a_train_signature_and_what_it_gives(case):
    inputs, outputs = case.facts["signatures"]["train"]
    assert "keras_learning_phase" in inputs and "loss" in outputs
    assert {f"metrics/{name}/{kind}" for name in case.case["metrics"] for kind in ("value", "update_op")} <= set(
        outputs
    )
    for collection in ("train_op", "global_step", "update_ops", "metric_variables", "losses"):
        assert case.facts["collections"][collection], collection


def test_a_model_without_a_call_has_no_predictions_and_says_so(trained):
    for name in ("autoencoder", "adversaries"):
        case = trained[name]
        assert "serving_default" not in case.facts["signatures"] and "eval" not in case.facts["signatures"]
        assert "no `serving_default` signature: the model has no `call`" in case.notes
    assert "serving_default" in trained["distillation"].facts["signatures"]
    assert "serving_default" in trained["inner_model"].facts["signatures"]


def test_a_teacher_is_not_trained(trained):
    case = trained["distillation"]
    assert case.facts["collections"]["trainable_variables"] == 4
    assert case.facts["collections"]["model_variables"] == 8


def test_it_is_prepared_before_the_first_step(keras, tmp_path):
    """So that what cannot be exported is told before a weight moves."""
    case = models.inner_model(keras)
    callback = GenSynthExportCallback(tmp_path / "net", save_freq="train_end")
    steps = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(callback._way.preparation._exporter.prepared)

    case["model"].fit(case["x"], case["y"], batch_size=BATCH, verbose=0, callbacks=[callback, Watch()])
    assert steps[0] is True
    assert not case["model"].built


def test_layers_that_are_built_in_the_first_step_are_waited_for(keras, tmp_path):
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)])

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self.inner(x) - y) ** 2)
            weights = self.inner.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
            return {"loss": loss}

    model = Late()
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(
        np.ones((8, 3), "float32"),
        np.ones((8, 2), "float32"),
        verbose=0,
        callbacks=[GenSynthExportCallback(tmp_path / "net")],
    )
    names = [name for name, _ in tf.train.list_variables(str(tmp_path / "net"))]
    assert len([name for name in names if name.endswith("/kernel")]) == 2


def test_compiled_without_a_loss_there_are_predictions_alone(keras, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam")
    export_checkpoint(model, tmp_path / "net")
    meta = tf.compat.v1.MetaGraphDef.FromString((tmp_path / "net.meta").read_bytes())
    assert list(meta.signature_def) == ["serving_default"]
    assert "train_op" not in meta.collection_def


def test_a_gensynth_model_with_such_a_step_exports_by_itself(keras, tmp_path):
    class Base(GenSynthMixin, keras.Model):
        pass

    case = models.adversaries(keras, base=Base)
    case["model"].fit(case["x"], case["y"], batch_size=BATCH, verbose=0, export=str(tmp_path / "net"))
    meta = tf.compat.v1.MetaGraphDef.FromString((tmp_path / "net.meta").read_bytes())
    assert list(meta.signature_def) == ["train"]


@pytest.mark.parametrize("outputs", ["one", "dict", "list"])
def test_a_functional_model_is_called_once_to_predict_and_to_evaluate(keras, outputs, tmp_path):
    """The trace of `test_step` has what `predict_step` gives; the other call is that of the train step."""
    calls = []

    class Counted(keras.layers.Dense):
        def call(self, inputs):
            calls.append(inputs)
            return super().call(inputs)

    given = keras.Input((3,), name="given")
    hidden = Counted(4)(given)
    heads = {name: keras.layers.Dense(1, name=name)(hidden) for name in ("b", "a")}
    structure = {"one": heads["b"], "dict": heads, "list": [heads["b"], heads["a"]]}[outputs]
    names = {"one": ["b"], "dict": ["a", "b"], "list": ["b", "a"]}[outputs]
    model = keras.Model(given, structure)
    model.compile("sgd", {name: "mse" for name in names} if outputs == "dict" else "mse")
    x, y = np.ones((4, 3), "f"), np.ones((4, 1), "f")
    model.train_on_batch(x, {name: y for name in names} if outputs == "dict" else [y for _ in names])
    del calls[:]
    export_checkpoint(model, tmp_path / "net")
    assert len(calls) == 2
    meta = tf.compat.v1.MetaGraphDef.FromString((tmp_path / "net.meta").read_bytes())
    assert set(meta.signature_def["serving_default"].outputs) == set(names)
    assert set(meta.signature_def["eval"].outputs) >= {f"predictions/{name}" for name in names}
