"""`convert_model_file`: code in a file does not run, unless that is asked for."""

import json
import os
import shutil
import sys
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from kerases import KERAS2, KERASES, module_of
from needs import needs

from keras_gensynth_callback import convert_model_file
from keras_gensynth_callback.errors import MissingCustomObjectError, ModelFileError, UnsafeModelFileError

pytestmark = needs(tf="2.12", keras3="3.1", reason="earlier versions write other formats and fewer files")

FORMATS = [
    ("keras", "net.h5"),
    ("keras", "net.keras"),
    (KERAS2, "net.h5"),
    (KERAS2, "net.keras"),
    (KERAS2, "net"),
]


def saved(keras_name, layers, path):
    """A file with a model of some layers between an input and a dense layer."""
    keras = module_of(keras_name)
    steps = [keras.layers.Input((3,), name="x"), *layers(keras), keras.layers.Dense(1, name="level")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras.Sequential(steps).save(str(path))
    return path


def with_lambda(keras):
    # Once it runs, the environment tells.
    return [
        keras.layers.Lambda(lambda x: 2 * x * len(__import__("os").environ.setdefault("LAMBDA_RAN", "1")), name="two")
    ]


def refused(path, error, **options):
    with pytest.raises(error) as raised:
        convert_model_file(path, path.parent / "out" / "net", **options)
    assert not (path.parent / "out").exists()
    return str(raised.value)


@pytest.mark.parametrize("keras_name, name", FORMATS)
def test_a_lambda_runs_only_where_that_is_asked_for(keras_name, name, tmp_path, monkeypatch):
    path = saved(keras_name, with_lambda, tmp_path / name)
    monkeypatch.setenv("LAMBDA_RAN", "1")
    monkeypatch.delenv("LAMBDA_RAN")
    words = refused(path, UnsafeModelFileError)
    assert words.startswith(f"Reading {str(path)!r} would run code that stands in it: a lambda in the layer `two`. ")
    assert "if you trust whoever wrote the file, pass `safe_mode=False`." in words
    assert "LAMBDA_RAN" not in os.environ
    assert isinstance(UnsafeModelFileError(), ModelFileError) and isinstance(UnsafeModelFileError(), ValueError)

    assert convert_model_file(path, tmp_path / "out" / "net", safe_mode=False, graph="inference").size
    # A SavedModel has the function that was traced of it as well.
    assert name == "net" or os.environ["LAMBDA_RAN"] == "1"


def change_config(path, change):
    """Changes the config in a `.keras` or an HDF5 file, as somebody would who means harm."""
    if path.suffix == ".h5":
        with h5py.File(path, "a") as file:
            config = json.loads(file.attrs["model_config"])
            change(config["config"]["layers"][-1])
            file.attrs["model_config"] = json.dumps(config)
        return
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config["config"]["layers"][-1])
    parts["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


@pytest.mark.parametrize("keras_name", KERASES)
def test_a_module_that_the_file_names_is_not_imported(keras_name, tmp_path, monkeypatch):
    (tmp_path / "harmful_by_import.py").write_text("def level(x): return x")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = saved(keras_name, lambda keras: [], tmp_path / "net.keras")
    change_config(path, lambda layer: layer["config"].update(activation=function("harmful_by_import", "level")))
    words = refused(path, MissingCustomObjectError)
    assert "needs 1 object(s) that are not Keras's: level." in words
    assert "harmful_by_import" not in sys.modules


@pytest.mark.parametrize(
    "keras_name, module, name",
    [
        ("keras", "keras.utils", "get_file"),
        ("keras", "keras.saving", "load_model"),
        (KERAS2, "keras.utils", "get_file"),
        (KERAS2, "tf_keras.src.utils.generic_utils", "func_load"),
        (KERAS2, "keras.src.saving.saving_lib", "tempfile.mkdtemp"),
    ],
)
def test_functions_of_keras_that_are_no_part_of_models_are_refused(keras_name, module, name, tmp_path):
    path = saved(keras_name, lambda keras: [], tmp_path / "net.keras")
    change_config(path, lambda layer: layer["config"].update(activation=function(module, name)))
    assert f"would run code that stands in it: {module}.{name}. " in refused(path, UnsafeModelFileError)


def test_a_class_that_is_a_function_in_disguise_is_refused(tmp_path):
    path = saved(KERAS2, lambda keras: [], tmp_path / "net.keras")
    change_config(path, lambda layer: layer.update(module="tf_keras.src.utils.generic_utils", class_name="func_load"))
    assert "it: tf_keras.src.utils.generic_utils.func_load. " in refused(path, UnsafeModelFileError)


@pytest.mark.parametrize("symbol", ["io.write_file", "py_function", "keras.utils.get_file", "compat.v1.py_func"])
def test_operations_that_do_more_than_compute_are_refused(symbol, tmp_path):
    path = saved(KERAS2, lambda keras: [], tmp_path / "net.h5")
    change_config(path, lambda layer: layer.update(class_name="TFOpLambda", config={"name": "op", "function": symbol}))
    assert f"it: tf.{symbol}. " in refused(path, UnsafeModelFileError)


def test_ordinary_operations_and_named_functions_are_no_code(tmp_path, keras2):
    x = keras2.layers.Input((3,), name="x")
    y = keras2.layers.Dense(2, activation=keras2.activations.gelu)(x * 2 + 1)
    model = keras2.Model(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("net.h5", "net.keras", "net"):
            model.save(str(tmp_path / name))
            assert convert_model_file(tmp_path / name, tmp_path / "out" / "net", graph="inference").size


@pytest.fixture(scope="module")
def of_functions(tmp_path_factory, keras2):
    """A SavedModel of a layer class that is not at hand."""

    class Thrice(keras2.layers.Layer):
        def call(self, inputs):
            return 3 * inputs

    return saved(KERAS2, lambda keras: [Thrice()], tmp_path_factory.mktemp("functions") / "net")


def test_functions_of_a_savedmodel_are_taken_only_where_that_is_asked_for(of_functions, tmp_path, reader, keras2):
    path = shutil.copytree(of_functions, tmp_path / "net")
    words = refused(path, MissingCustomObjectError)
    assert "`custom_objects={'Thrice': Thrice}`. If you trust whoever wrote the file, `safe_mode=False`" in words

    x = np.random.RandomState(0).standard_normal((4, 3)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "expected.npy", keras2.models.load_model(str(path), compile=False)(x))
    convert_model_file(path, tmp_path / "out" / "net", safe_mode=False, graph="inference")
    difference = reader.run(PREDICT, tmp_path)
    assert float(difference) < 1e-5


PREDICT = """
    import os, sys
    import numpy as np
    import tensorflow as tf

    folder = sys.argv[1]
    with tf.compat.v1.Session() as session:
        prefix = os.path.join(folder, "out", "net")
        tf.compat.v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
        meta = tf.compat.v1.MetaGraphDef.FromString(open(prefix + ".meta", "rb").read())
        serving = meta.signature_def["serving_default"]
        (source,), (result,) = serving.inputs.values(), serving.outputs.values()
        found = session.run(result.name, {source.name: np.load(os.path.join(folder, "x.npy"))})
        print(np.abs(found - np.load(os.path.join(folder, "expected.npy"))).max())
"""
