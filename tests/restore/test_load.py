"""The way back: Keras, an export, more training and a plain `Saver.save` in TensorFlow 1.15, and the same Keras model
again.
"""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from crafted import entry, table
from kerases import KERASES, module_of, optimizer_variables, set_random_seed

from keras_gensynth_callback import export_checkpoint, load_checkpoint
from keras_gensynth_callback.checkpoint import index_file, write_checkpoint
from keras_gensynth_callback.errors import CheckpointFormatError, CheckpointMismatchError, NotBuiltError

DRAW = np.random.RandomState(0)
X = DRAW.standard_normal((48, 6)).astype("float32")
Y = DRAW.randint(0, 3, 48).astype("int32")
ROWS = slice(0, 16)

# What somebody does who has TensorFlow 1.15, a checkpoint, and no Keras: FOLDER holds `net`, the export, and
# `data.npz`.
FINE_TUNE = """
    import os, sys
    import numpy as np
    import tensorflow as tf
    v1 = tf.compat.v1

    def values(session):
        return dict(zip([v.op.name for v in v1.global_variables()], session.run(v1.global_variables())))

    def tune(folder):
        data = np.load(os.path.join(folder, "data.npz"))
        feed = {"x:0": data["x"], "kind_target:0": data["y"], "keras_learning_phase:0": True}
        session = v1.Session()
        meta = v1.MetaGraphDef()
        with open(os.path.join(folder, "net.meta"), "rb") as file:
            meta.ParseFromString(file.read())
        saver = v1.train.import_meta_graph(meta)
        saver.restore(session, os.path.join(folder, "net"))
        step = v1.get_collection("train_op")[0]
        outputs = meta.signature_def["eval"].outputs
        predictions = meta.signature_def["serving_default"].outputs["kind"].name
        rate = [v for v in v1.global_variables() if v.op.name == "training/Adam/learning_rate"][0]

        session.run(v1.local_variables_initializer())
        session.run(rate.assign(0.005))
        for _ in range(4):
            session.run(step, feed)
        found = values(session)
        found["predictions"] = session.run(predictions, {"x:0": data["x"]})
        for name in ("loss", "accuracy"):
            found["metric " + name] = session.run(outputs["metrics/%s/value" % name].name)
        np.savez(os.path.join(folder, "tuned.npz"), **found)
        saver.save(session, os.path.join(folder, "tuned"))
        saver.save(session, os.path.join(folder, "plain"), write_meta_graph=False)

        for _ in range(3):
            session.run(step, feed)
        np.savez(os.path.join(folder, "further.npz"), **values(session))

        own = v1.train.MomentumOptimizer(0.05, 0.9)
        before = set(v1.global_variables())
        with tf.control_dependencies(v1.get_collection("update_ops")):
            minimize = own.minimize(v1.losses.get_total_loss(), v1.train.get_global_step())
        session.run(v1.variables_initializer([v for v in v1.global_variables() if v not in before]))
        session.run(minimize, feed)
        found = values(session)
        found["predictions"] = session.run(predictions, {"x:0": data["x"]})
        np.savez(os.path.join(folder, "foreign.npz"), **found)
        v1.train.Saver().save(session, os.path.join(folder, "foreign"))

    for folder in sys.argv[1:]:
        v1.reset_default_graph()
        tune(folder)
"""


def classifier(keras, units=5, optimizer=None, extra=(), head="kind", eager=True):
    """A compiled model that was never trained; every call draws other weights. Few steps are faster without a graph."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,), name="x"),
            layers.Dense(units, use_bias=False, name="hidden"),
            layers.BatchNormalization(name="norm"),
            *extra,
            layers.Dense(3, activation="softmax", name=head),
        ]
    )
    optimizer = optimizer or keras.optimizers.Adam(0.01)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=eager)
    return model


@pytest.fixture(scope="module")
def tuned(reader, tmp_path_factory):
    """Exports of both Kerases, trained on in one TensorFlow 1.15: dict, name of the Keras -> folder."""
    root = tmp_path_factory.mktemp("tuned")
    folders = {}
    for name in KERASES:
        keras = module_of(name)
        set_random_seed(keras, 7)
        model = classifier(keras, eager=False)
        model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
        folders[name] = root / name
        export_checkpoint(model, folders[name] / "net")
        np.savez(folders[name] / "data.npz", x=X[ROWS], y=Y[ROWS])
    reader.run(FINE_TUNE, *folders.values())
    return folders


@pytest.fixture
def folder(tuned, keras_name):
    return tuned[keras_name]


def array(variable):
    return np.array(tf.convert_to_tensor(variable))


def weights_of(model):
    return {name_of(variable): array(variable) for variable in model.weights}


def name_of(variable):
    """`hidden/kernel`, in any Keras."""
    path = variable.path if hasattr(variable, "path") else variable.name.split(":")[0]
    return "/".join(path.split("/")[-2:])


def optimizer_values(model):
    return [array(variable) for variable in optimizer_variables(model)]


def slots_of(model):
    """Adam's, by their names in TensorFlow 1.x: `hidden/kernel/m`."""
    names = [f"{name_of(variable)}/{slot}" for variable in model.trainable_variables for slot in ("m", "v")]
    if hasattr(model.optimizer, "get_slot"):  # before TensorFlow 2.11
        slots = [model.optimizer.get_slot(of, slot) for of in model.trainable_variables for slot in ("m", "v")]
        return dict(zip(names, map(array, slots)))
    return dict(zip(names, [value for value in optimizer_values(model) if value.shape]))


def assert_holds(model, values, rtol=0.0, atol=0.0):
    """Weights, slots, iterations and rate of the model are those that TensorFlow 1.15 had."""
    weights = weights_of(model)
    assert len(weights) == 7
    for name, value in weights.items():
        np.testing.assert_allclose(value, values[name], rtol, atol, err_msg=name)
    slots = slots_of(model)
    assert len(slots) == 2 * len(model.trainable_variables)
    for name, value in slots.items():
        np.testing.assert_allclose(value, values[f"training/Adam/{name}"], rtol, atol, err_msg=name)
    assert int(array(model.optimizer.iterations)) == values["training/Adam/iter"]
    np.testing.assert_allclose(array(model.optimizer.learning_rate), values["training/Adam/learning_rate"], rtol)


# There and back


@pytest.mark.parametrize("prefix", ["tuned", "plain"])
def test_a_model_that_was_never_fitted_takes_over_what_tensorflow_1_saved(keras, folder, prefix):
    model, values = classifier(keras), np.load(folder / "tuned.npz")
    assert (folder / f"{prefix}.meta").exists() == (prefix == "tuned")
    names = load_checkpoint(model, folder / prefix)
    assert_holds(model, values)
    assert {"hidden/kernel", "norm/moving_mean", "training/Adam/iter", "training/Adam/hidden/kernel/v"} <= set(names)
    assert names == sorted(names)
    assert int(array(model.optimizer.iterations)) == 6 + 4
    np.testing.assert_allclose(array(model.optimizer.learning_rate), 0.005)


def test_its_predictions_are_those_of_tensorflow_1(keras, folder):
    model = classifier(keras)
    assert np.abs(array(model(tf.constant(X[ROWS]))) - np.load(folder / "tuned.npz")["predictions"]).max() > 0.01
    load_checkpoint(model, folder / "tuned")
    predicted = array(model(tf.constant(X[ROWS])))
    np.testing.assert_allclose(predicted, np.load(folder / "tuned.npz")["predictions"], atol=1e-6)


def test_its_metrics_stand_where_those_of_tensorflow_1_stood(keras, folder):
    model, values = classifier(keras), np.load(folder / "tuned.npz")
    names = load_checkpoint(model, folder / "tuned")
    assert len([name for name in names if name.startswith("metrics/")]) == 4
    if hasattr(model, "get_metrics_result"):
        results = model.get_metrics_result()
    else:  # before TensorFlow 2.11
        results = {metric.name: metric.result() for metric in model.metrics}
    assert {name: float(value) for name, value in results.items()} == pytest.approx(
        {name: float(values["metric " + name]) for name in ("loss", "accuracy")}, rel=1e-6
    )


def test_it_trains_on_as_tensorflow_1_would(keras, folder):
    model = classifier(keras)
    load_checkpoint(model, folder / "plain")
    for _ in range(3):
        model.train_on_batch(X[ROWS], Y[ROWS])
    assert_holds(model, np.load(folder / "further.npz"), rtol=1e-4, atol=1e-6)


def test_a_model_that_is_being_trained_is_put_back(keras, folder):
    model = classifier(keras)
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0)
    load_checkpoint(model, folder / "tuned")
    assert_holds(model, np.load(folder / "tuned.npz"))


def test_an_export_is_read_back_bit_for_bit(keras, tmp_path):
    model = classifier(keras)
    model.fit(X, Y, batch_size=16, verbose=0)
    weights, slots = weights_of(model), optimizer_values(model)
    export_checkpoint(model, tmp_path / "net")
    model.fit(X, Y, batch_size=16, verbose=0)
    load_checkpoint(model, str(tmp_path / "net"))
    np.testing.assert_equal(weights_of(model), weights)
    np.testing.assert_equal(optimizer_values(model), slots)


def test_variables_that_tensorflow_1_added_are_passed_over(keras, folder):
    model, values = classifier(keras), np.load(folder / "foreign.npz")
    there = {name for name, _ in tf.train.list_variables(str(folder / "foreign"))}
    assert "hidden/kernel/Momentum" in there
    names = load_checkpoint(model, folder / "foreign")
    assert not any("Momentum" in name for name in names)
    assert_holds(model, values)
    np.testing.assert_allclose(array(model(tf.constant(X[ROWS]))), values["predictions"], atol=1e-6)


@pytest.mark.parametrize("writer, loader", [("keras", "tf_keras"), ("tf_keras", "keras")])
def test_one_keras_loads_what_the_other_exported(tuned, writer, loader):
    model, values = classifier(module_of(loader)), np.load(tuned[writer] / "tuned.npz")
    load_checkpoint(model, tuned[writer] / "tuned")
    assert_holds(model, values)
    np.testing.assert_allclose(array(model(tf.constant(X[ROWS]))), values["predictions"], atol=1e-6)


def test_weights_alone_are_read_where_the_optimizer_is_another(keras, folder):
    model, values = classifier(keras, optimizer=keras.optimizers.SGD(0.1)), np.load(folder / "tuned.npz")
    names = load_checkpoint(model, folder / "tuned")
    for name, value in weights_of(model).items():
        np.testing.assert_array_equal(value, values[name])
    assert not any(name.startswith("training/") for name in names)
    assert array(model.optimizer.learning_rate) == np.float32(0.1)


def test_an_uncompiled_model_gets_its_weights(keras, folder):
    layers = keras.layers
    hidden, norm = layers.Dense(5, use_bias=False, name="hidden"), layers.BatchNormalization(name="norm")
    model = keras.Sequential([keras.Input((6,)), hidden, norm, layers.Dense(3, activation="softmax", name="kind")])
    assert len(load_checkpoint(model, folder / "tuned")) == 7
    values = np.load(folder / "tuned.npz")["predictions"]
    np.testing.assert_allclose(array(model(tf.constant(X[ROWS]))), values, atol=1e-6)


# What does not fit


OTHERS = {
    "other sizes": (
        {"units": 4},
        ["hidden/kernel: (6, 4) in the model, (6, 5) in the checkpoint", "norm/gamma: (4,) in the model, (5,) in the"],
    ),
    "another name": (
        {"head": "sort"},
        ["sort/kernel (5, 3): not in the checkpoint", "kind/kernel (5, 3): not in the model"],
    ),
    "one layer more": ({"extra": ["more"]}, ["more/kernel (5, 5): not in the checkpoint"]),
}


@pytest.mark.parametrize("other, fitted", [("other sizes", True), ("another name", False), ("one layer more", True)])
def test_another_architecture_is_refused_by_name_and_shape_and_the_model_stays_as_it_is(keras, folder, other, fitted):
    options, words = OTHERS[other]
    extra = [keras.layers.Dense(5, name=name) for name in options.get("extra", ())]
    model = classifier(keras, **{**options, "extra": extra})
    if fitted:
        model.fit(X, Y, batch_size=16, verbose=0)
    before = weights_of(model), optimizer_values(model), len(optimizer_variables(model))
    with pytest.raises(CheckpointMismatchError) as refused:
        load_checkpoint(model, folder / "tuned")
    message = str(refused.value)
    assert model.name in message and str(folder / "tuned") in message
    for expected in [*words, "nothing was read", "Build the model as it was when it was exported"]:
        assert expected in message
    np.testing.assert_equal((weights_of(model), optimizer_values(model), len(optimizer_variables(model))), before)


def test_a_layer_less_is_refused_where_the_graph_tells_and_not_read_by_halves(keras, folder):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, use_bias=False, name="hidden")])
    before = weights_of(model)
    with pytest.raises(CheckpointMismatchError, match=r"kind/bias \(3,\): not in the model"):
        load_checkpoint(model, folder / "tuned")
    np.testing.assert_equal(weights_of(model), before)


def test_a_long_list_of_differences_is_cut(keras, tmp_path):
    layers = [keras.layers.Dense(2, name=f"a{index}") for index in range(8)]
    export_checkpoint(keras.Sequential([keras.Input((2,)), *layers]), tmp_path / "net")
    other = keras.Sequential([keras.Input((2,)), *[keras.layers.Dense(3, name=f"a{index}") for index in range(8)]])
    with pytest.raises(CheckpointMismatchError, match=r"\.\.\. and 4 more"):
        load_checkpoint(other, tmp_path / "net")


def with_a_terabyte(tmp_path, name):
    """A checkpoint of which one tensor is a terabyte of zeros that take no place on the disk."""
    values = {"level/bias": np.full([1], 7, "float32"), "level/kernel": np.ones([3, 1], "float32")}
    write_checkpoint(tmp_path / "net", values, b"", {})
    (tmp_path / "net.meta").unlink()
    there = dict(index_file._table((tmp_path / "net.index").read_bytes()))
    there[name.encode()] = entry(shape=[2**38], offset=16, size=2**40).SerializeToString()
    (tmp_path / "net.index").write_bytes(table(there))
    os.truncate(tmp_path / "net.data-00000-of-00001", 16 + 2**40)
    return tmp_path / "net"


def test_values_of_another_size_than_the_models_are_not_read(keras2, tmp_path):
    model = keras2.Sequential([keras2.layers.Input((3,)), keras2.layers.Dense(1, name="level")])
    with pytest.raises(CheckpointMismatchError, match=r"level/kernel: \(3, 1\) in the model, \(274877906944,\) in"):
        load_checkpoint(model, with_a_terabyte(tmp_path, "level/kernel"))


def test_values_that_the_model_has_no_variable_for_are_not_read(keras2, tmp_path):
    model = keras2.Sequential([keras2.layers.Input((3,)), keras2.layers.Dense(1, name="level")])
    assert load_checkpoint(model, with_a_terabyte(tmp_path, "other")) == ["level/bias", "level/kernel"]
    assert model.get_weights()[1].tolist() == [7]


def test_a_model_without_weights_is_refused(keras, folder):
    model = keras.Sequential([keras.layers.Dense(3, name="kind")])
    for prefix in ("tuned", "plain"):
        with pytest.raises(NotBuiltError, match=r"has no weights yet .* `model.build\(input_shape\)`"):
            load_checkpoint(model, folder / prefix)


# Files


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the fine-tuned checkpoint that a test may damage."""
    for suffix in (".meta", ".index", ".data-00000-of-00001"):
        shutil.copy(str(folder / "tuned") + suffix, tmp_path / f"net{suffix}")
    return tmp_path / "net"


def _cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _flip(path):
    path.write_bytes(bytes(byte ^ 255 for byte in path.read_bytes()))


def _garble(path):
    path.write_bytes(b"\xff\x07not this" * 50)


DAMAGE = {
    "no index": (".index", lambda path: path.unlink(), "the file .* is missing"),
    "no data": (".data-00000-of-00001", lambda path: path.unlink(), "is not whole: .* missing"),
    "index cut": (".index", _cut, "cannot be read"),
    "data cut": (".data-00000-of-00001", _cut, "is truncated: its values take"),
    "data changed": (".data-00000-of-00001", _flip, "cannot be read"),
    "meta cut": (".meta", _cut, "is not a MetaGraphDef, or truncated.*or remove it"),
    "meta of another kind": (".meta", _garble, "is not a MetaGraphDef"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_refused_and_the_model_stays_as_it_is(copy, damage, keras2):
    suffix, harm, words = DAMAGE[damage]
    harm(copy.with_name("net" + suffix))
    model = classifier(keras2)
    before = weights_of(model)
    with pytest.raises(CheckpointFormatError, match=words):
        load_checkpoint(model, copy)
    np.testing.assert_equal(weights_of(model), before)


def test_the_undamaged_copy_is_read(keras, copy):
    assert len(load_checkpoint(classifier(keras), copy)) == (
        23 if hasattr(keras.optimizers, "AdamW") else 26
    )  # before TensorFlow 2.11 with the settings of Adam


def test_what_is_no_prefix_is_refused_with_the_prefix_that_was_meant(keras, copy):
    model = classifier(keras)
    with pytest.raises(CheckpointFormatError, match="names one of its files. Pass what they have in common, '.*/net'"):
        load_checkpoint(model, str(copy) + ".index")
    with pytest.raises(CheckpointFormatError, match="this is a folder, and a prefix was expected"):
        load_checkpoint(model, copy.parent)


def test_what_is_no_keras_model_is_refused(copy):
    with pytest.raises(ValueError, match="`model` should be a Keras model on TensorFlow"):
        load_checkpoint(tf.Module(), copy)
