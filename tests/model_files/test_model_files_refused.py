"""`convert_model_file`: the files that it refuses, each with its words; nothing is written then."""

import functools
import json
import shutil
import sys
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from kerases import KERAS2, KERASES, module_of
from needs import needs

from keras_gensynth_callback import convert_model_file, export_checkpoint
from keras_gensynth_callback.errors import (
    InvalidArgumentError,
    MissingCustomObjectError,
    MissingKerasError,
    ModelFileError,
)
from keras_gensynth_callback.model_files.frameworks import version_of

pytestmark = needs(tf="2.12", keras3="3.1", reason="earlier versions write other formats and fewer files")

EXPECTED = (
    "Expected: a whole model that Keras saved, as HDF5 (`model.save('net.h5')`), `.keras` (`model.save('net.keras')`) "
    "or a SavedModel folder (`model.save('net')` of Keras 2)."
)
BOTH = KERASES


def quietly(save, path, **options):
    """Saves without what Keras says of formats that have a successor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(str(path), **options)
    return path


def small(keras):
    model = keras.Sequential([keras.layers.Input((3,), name="x"), keras.layers.Dense(2, name="level")])
    model.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
    model.train_on_batch(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
    return model


@functools.lru_cache(maxsize=None)
def _saved(folder, keras_name, name):
    return quietly(small(module_of(keras_name)).save, folder / keras_name / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for keras_name in BOTH:
        (root / keras_name).mkdir()
    return root


@pytest.fixture
def saved(folder, tmp_path):
    """A file or a folder with a small model, which the test may damage."""

    def copy(keras_name, name):
        source, path = _saved(folder, keras_name, name), tmp_path / name
        return shutil.copytree(source, path) if source.is_dir() else shutil.copy(source, path)

    return copy


def refused(path, error=ModelFileError, **options):
    """The words in which a file is refused."""
    out = path.parent / "refused"
    with pytest.raises(error) as raised:
        convert_model_file(path, out / "net", **options)
    assert not out.exists()
    return str(raised.value)


# What is no whole model


def test_a_path_where_nothing_is(tmp_path):
    path = tmp_path / "net.h5"
    assert refused(path) == f"There is no file {str(path)!r}. {EXPECTED} Pass the path of one."
    path = tmp_path / "gone" / "net.h5"
    assert f"There is no file {str(path)!r}, nor a folder {str(path.parent)!r}." in refused(path)


@pytest.mark.parametrize(
    "content, received", [(b"", "is empty"), (b"\x80\x04pickled", r"begins with b'\x80\x04pickle'")]
)
def test_a_file_of_another_kind(tmp_path, content, received):
    path = tmp_path / "net.h5"
    path.write_bytes(content)
    assert refused(path).startswith(f"{str(path)!r} is no model file: it {received}. {EXPECTED}")


def test_an_archive_and_an_hdf5_file_that_keras_did_not_write(tmp_path):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "")
    assert f"{str(path)!r} is a zip archive that Keras did not write: it holds word/document.xml." in refused(path)
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file["rain"] = np.ones(3)
    assert refused(path) == f"{str(path)!r} is an HDF5 file that Keras did not write. {EXPECTED}"


def test_a_folder_of_another_kind(tmp_path):
    path = tmp_path / "net"
    path.mkdir()
    assert refused(path) == f"The folder {str(path)!r} is no SavedModel: it holds nothing. {EXPECTED}"
    (path / "notes.txt").write_text("")
    assert "it holds notes.txt." in refused(path)


# Keras 3 writes no weights under the other name.
@pytest.mark.parametrize("keras_name, name", [*((name, "net.weights.h5") for name in KERASES), (KERAS2, "legacy.h5")])
def test_weights_without_a_model(keras, tmp_path, name):
    path = tmp_path / name
    quietly(small(keras).save_weights, path)
    words = refused(path)
    assert words.startswith(f"{str(path)!r} holds the weights of a model, but not the model (`model_config`).")
    assert f"read the weights with `model.load_weights({str(path)!r})`" in words
    assert "export it with `export_checkpoint(model, filepath)`" in words


def test_checkpoints_of_tensorflow(tmp_path, keras2):
    model = small(keras2)
    model.save_weights(str(tmp_path / "weights" / "net"))
    export_checkpoint(model, tmp_path / "exports" / "net")
    for name in ("weights/net", "weights/net.index", "weights", "exports/net", "exports/net.meta", "exports"):
        words = refused(tmp_path / name)
        assert f"{str(tmp_path / name)!r} is a TensorFlow checkpoint: it holds the weights of a model, but not" in words
        assert "Build the model by its own code, read the weights with `model.load_weights(" in words


def test_a_savedmodel_without_keras_metadata(tmp_path, keras3):
    small(keras3).export(str(tmp_path / "exported"), verbose=False)
    tf.saved_model.save(tf.Module(), str(tmp_path / "module"))
    for name in ("exported", "module"):
        words = refused(tmp_path / name)
        assert f"The SavedModel {str(tmp_path / name)!r} holds functions and weights, but not Keras's model:" in words
        for way_out in (
            "`export_checkpoint(model, filepath)`",
            "`model.save('net.keras')`",
            "`keras.layers.TFSMLayer`",
        ):
            assert way_out in words


# What is damaged


@pytest.mark.parametrize("name", ["net.h5", "net.keras"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_truncated_file(saved, keras_name, name, part):
    path = saved(keras_name, name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    assert refused(path).startswith(f"{str(path)!r} is truncated or damaged: ")


def test_a_file_whose_config_or_weights_are_damaged(saved, keras_name):
    path = saved(keras_name, "net.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"][:-9]
    assert f"{str(path)!r} is truncated or damaged: " in refused(path)

    path = saved(keras_name, "net.h5")
    with h5py.File(path, "a") as file:
        del file["model_weights"]
    words = refused(path)
    assert f"could not make the model in {str(path)!r}, which Keras {version(keras_name)} wrote: " in words
    assert "Take another copy of the file" in words

    path = saved(keras_name, "net.keras")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[:-200] if name.endswith(".h5") else content)
    assert f"{str(path)!r} is truncated or damaged: " in refused(path)


def test_a_damaged_savedmodel(saved):
    for name in ("keras_metadata.pb", "saved_model.pb"):
        path = saved(KERAS2, "net")
        content = (path / name).read_bytes()
        (path / name).write_bytes(content[: len(content) // 2])
        if name == "saved_model.pb":
            (path / "keras_metadata.pb").unlink()
        assert refused(path).startswith(f"The SavedModel {str(path)!r} is truncated or damaged: ")
        shutil.rmtree(path)
    path = saved(KERAS2, "net")
    shutil.rmtree(path / "variables")
    assert f"could not make the model in {str(path)!r}" in refused(path)


def test_a_savedmodel_whose_checkpoint_is_of_another_model(saved, tmp_path, keras2):
    path = saved(KERAS2, "net")
    other = keras2.Sequential([keras2.layers.Input((3,)), keras2.layers.ReLU()])
    other.save_weights(str(path / "variables" / "variables"))
    assert "is truncated or damaged: it lacks a value of the model" in refused(path)


def test_a_name_by_which_keras_would_not_read_the_file(saved, keras3):
    for keras_name, name, kind, suffix in (
        ("keras", "net.h5", "an HDF5 file", ".h5 or .hdf5"),
        ("keras", "net.keras", "a zip archive in the format `.keras`", ".keras"),
        ("tf_keras", "net.keras", "a zip archive in the format `.keras`", ".keras"),
    ):
        path = saved(keras_name, name)
        renamed = path.rename(path.with_suffix(".model"))
        words = (
            f"{str(renamed)!r} is {kind} of Keras {version(keras_name)}, which reads such under a name that ends in "
        )
        assert refused(renamed) == f"{words}{suffix}. Rename it."


def version(keras_name):
    return version_of(module_of(keras_name))


# What is not installed


def test_a_keras_that_is_not_installed(saved, monkeypatch, keras3):
    paths = {name: saved(name, "net.keras").rename(f"{saved(name, 'net.keras').parent}/{name}.keras") for name in BOTH}
    monkeypatch.setitem(sys.modules, "keras", None)
    words = refused(paths["keras"], MissingKerasError)
    assert "was written by Keras 3." in words and "and only Keras 3 reads it. Installed: no `keras`." in words
    assert "`pip install 'keras>=3'`, with TensorFlow 2.16 or later." in words
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    words = refused(paths["tf_keras"], MissingKerasError)
    assert "(tf.keras), and only `tf_keras` reads it beside TensorFlow 2." in words
    minor = ".".join(tf.__version__.split(".")[:2])
    assert f"Installed: no `tf_keras`. Install it: `pip install 'tf_keras~={minor}.0'`." in words
    assert isinstance(MissingKerasError(), ImportError)


def test_a_file_of_keras_3_beside_keras_2(saved, monkeypatch, keras2, keras3):
    monkeypatch.setitem(sys.modules, "keras", keras2)
    assert f"Installed: Keras {keras2.__version__}." in refused(saved("keras", "net.h5"), MissingKerasError)


# Arguments


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            {"path": 3},
            "`path` must be the path of a model file, as a str or a path object. Received: path=3 of type int.",
        ),
        ({"path": ""}, "`path` must be the path of a model file, and not empty."),
        ({"custom_objects": ["Scale"]}, "`custom_objects` must be None or a dict with names for keys."),
        ({"safe_mode": 0}, "`safe_mode` must be True or False. Received: safe_mode=0 of type int."),
        ({"graph": "frozen"}, "`graph` must be one of 'trainable', 'inference'. Received: graph='frozen' of type str."),
        ({"target": "2.0"}, "`target` must be one of '1.4', '1.8', '1.10', '1.12', '1.13', '1.14', '1.15', 'current'."),
    ],
)
def test_a_bad_argument_is_refused_in_words(saved, tmp_path, arguments, words):
    arguments = {"path": saved(KERAS2, "net.h5"), "filepath": tmp_path / "out" / "net", **arguments}
    with pytest.raises(InvalidArgumentError) as error:
        convert_model_file(**arguments)
    assert str(error.value).startswith(words)
    assert not (tmp_path / "out").exists()


# Custom objects


@functools.lru_cache(maxsize=None)
def own_objects(keras_name):
    keras = module_of(keras_name)

    class Scale(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    def bent(x):
        return tf.abs(x)

    def spread(shape, dtype=None):
        return tf.ones(shape, dtype)

    def error(y, p):
        return tf.reduce_mean(tf.abs(y - p), -1)

    def worst(y, p):
        return tf.reduce_max(tf.abs(y - p), -1)

    class Slow(keras.optimizers.SGD):
        pass

    return {thing.__name__: thing for thing in (Scale, Slow, bent, error, spread, worst)}


def of_own_objects(keras):
    own, layers = own_objects(keras.__name__), keras.layers
    steps = [
        layers.Input((3,), name="x"),
        layers.Dense(2, activation=own["bent"], kernel_initializer=own["spread"], name="hidden"),
        own["Scale"](name="scale"),
    ]
    model = keras.Sequential(steps)
    model.compile(own["Slow"](0.1), own["error"], metrics=["accuracy", own["worst"]])
    return model


FORMATS = [
    ("keras", "net.h5"),
    ("keras", "net.keras"),
    (KERAS2, "net.h5"),
    (KERAS2, "net.keras"),
    (KERAS2, "net"),
]


@pytest.mark.parametrize("keras_name, name", FORMATS)
def test_all_missing_objects_are_named_with_the_argument_that_supplies_them(keras_name, name, tmp_path):
    path = quietly(of_own_objects(module_of(keras_name)).save, tmp_path / name)
    words = refused(path, MissingCustomObjectError)
    names = ["Scale", "Slow", "bent", "error", "spread", "worst"]
    assert f"The model in {str(path)!r} needs 6 object(s) that are not Keras's: {', '.join(names)}." in words
    given = ", ".join(f"{name!r}: {name}" for name in names)
    assert f"pass them by name: `custom_objects={{{given}}}`." in words
    assert 'For training alone are Slow, error, worst: `graph="inference"` goes without.' in words
    assert ("`safe_mode=False` takes the functions that it holds" in words) == (name == "net")

    own = own_objects(keras_name)
    part = {name: own[name] for name in ("Scale", "bent", "spread")}
    words = refused(path, MissingCustomObjectError, custom_objects=part)
    assert "needs 3 object(s) that are not Keras's: Slow, error, worst." in words
    graph = "inference" if name == "net.keras" else "trainable"
    assert convert_model_file(path, tmp_path / "out" / "net", part if graph == "inference" else own, graph=graph).size


def test_objects_that_are_registered_need_not_be_given(keras, tmp_path):
    @keras.utils.register_keras_serializable("tests")
    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    model = keras.Sequential([keras.layers.Input((3,), name="x"), Doubled(), keras.layers.Dense(1)])
    path = quietly(model.save, tmp_path / "net.keras")
    try:
        assert convert_model_file(path, tmp_path / "out" / "net").size
    finally:
        keras.utils.get_custom_objects().pop("tests>Doubled")
    words = refused(path, MissingCustomObjectError)
    assert "`custom_objects={'tests>Doubled': Doubled}`" in words
    assert convert_model_file(path, tmp_path / "out" / "net", {"tests>Doubled": Doubled}).size


def test_what_a_custom_layer_raises_is_shown(keras, tmp_path):
    class Fussy(keras.layers.Layer):
        def __init__(self, **options):
            if options.get("name") != "made by hand":
                raise RuntimeError("not by file")
            super().__init__()

        def get_config(self):
            return {"name": "again"}

        def call(self, inputs):
            return inputs

    model = keras.Sequential([keras.layers.Input((3,), name="x"), Fussy(name="made by hand")])
    path = quietly(model.save, tmp_path / "net.keras")
    words = refused(path, custom_objects={"Fussy": Fussy})
    assert "not by file" in words
    assert "\nExpected: a whole file, and the same code of custom layers as when it was written." in words


def test_what_is_left_of_an_optimizers_state_is_told(saved):
    path = saved(KERAS2, "net.h5")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["training_config"])
        config["optimizer_config"]["class_name"] = "RMSprop"
        config["optimizer_config"]["config"] = {"name": "RMSprop"}
        file.attrs["training_config"] = json.dumps(config)
    with pytest.warns(
        UserWarning, match="The optimizer's state in .* does not fit the optimizer that this Keras makes"
    ):
        convert_model_file(path, path.parent / "out" / "net")
