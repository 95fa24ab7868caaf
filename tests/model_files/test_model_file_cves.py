"""`convert_model_file`: the faults of Keras's loaders that have a CVE, each in every format that has its like.

Nothing is executed, read or written; the file is refused in words.
"""

import base64
import json
import os
import sys

import h5py
import pytest
from hostile_files import (
    ARCHIVES,
    FORMATS,
    OF_HDF5,
    change_config,
    change_layer,
    change_weights,
    datasets,
    entries_of,
    function,
    write_archive,
    written,
)
from needs import needs

from keras_gensynth_callback import convert_model_file
from keras_gensynth_callback.errors import (
    GenSynthExportError,
    MissingCustomObjectError,
    ModelFileError,
    UnsafeModelFileError,
)

pytestmark = needs(tf="newest", reason="the loaders of each Keras have other faults")

in_each_format = pytest.mark.parametrize("keras_name, name", FORMATS)
in_hdf5 = pytest.mark.parametrize("keras_name, name", OF_HDF5)
in_archives = pytest.mark.parametrize("keras_name, name", ARCHIVES)


@pytest.fixture
def file(keras_name, name, tmp_path):
    return written(keras_name, name, tmp_path)


def refused(path, error=GenSynthExportError):
    """The words in which a file is refused, after which its folder is as it was."""
    before = sorted(os.listdir(path.parent))
    with pytest.raises(error) as raised:
        convert_model_file(path, path.parent / "out" / "net")
    assert sorted(os.listdir(path.parent)) == before
    return str(raised.value)


@in_each_format
def test_cve_2024_3660_a_lambda_of_bytecode(file):
    """And CVE-2025-9905: the same in HDF5, and CVE-2026-12481: where no scope had set Keras's `safe_mode`."""
    bytecode = base64.b64encode(b"no bytecode at all").decode()
    change_layer(file, class_name="Lambda", config={"function": [bytecode, None, None], "function_type": "lambda"})
    assert "would run code that stands in it: a lambda in the layer `hidden`" in refused(file, UnsafeModelFileError)
    change_layer(file, class_name="Lambda", config={"function": [bytecode, None, None]})
    assert "would run code that stands in it: a lambda in the layer `hidden`" in refused(file, UnsafeModelFileError)
    stored = {"class_name": "__lambda__", "config": {"value": bytecode, "defaults": None, "closure": None}}
    change_layer(file, class_name="Lambda", config={"function": stored})
    assert "would run code that stands in it: a lambda in the layer `hidden`" in refused(file, UnsafeModelFileError)


@in_each_format
@pytest.mark.parametrize(
    "module, called", [("builtins", "exec"), ("os", "system"), ("harmful_by_import", "level"), ("__main__", "exec")]
)
def test_cve_2025_1550_functions_and_classes_of_any_module(file, module, called, tmp_path, monkeypatch):
    (tmp_path / "harmful_by_import.py").write_text("def level(x): return x")
    monkeypatch.syspath_prepend(str(tmp_path))
    change_layer(file, activation=function(module, called))
    assert f"needs 1 object(s) that are not Keras's: {called}." in refused(file, MissingCustomObjectError)
    change_layer(file, activation={"module": module, "class_name": called, "config": {}, "registered_name": None})
    assert f"needs 1 object(s) that are not Keras's: {called}." in refused(file, MissingCustomObjectError)
    change_layer(file, class_name="Lambda", config={"function": function(module, called), "function_type": "function"})
    assert f"needs 1 object(s) that are not Keras's: {called}." in refused(file, MissingCustomObjectError)
    change_layer(file, activation="relu", class_name=[called], module=module)
    refused(file)
    assert "harmful_by_import" not in sys.modules


@in_each_format
@pytest.mark.parametrize(
    "module, called",
    [
        ("keras.utils", "get_file"),
        ("keras.src.utils.file_utils", "get_file"),
        ("keras.models", "load_model"),
        ("keras.src.saving.saving_lib", "load_model"),
    ],
)
def test_cve_2025_8747_functions_of_keras_that_are_no_part_of_models(file, module, called):
    """And CVE-2025-12060, CVE-2025-12638: `get_file`, which unpacked archives to anywhere, is never called."""
    change_layer(file, class_name="Lambda", config={"function": function(module, called), "function_type": "function"})
    assert f"would run code that stands in it: {module}.{called}" in refused(file, UnsafeModelFileError)


@in_each_format
def test_cve_2025_9906_a_config_that_turns_off_the_safe_mode(file):
    for module in ("keras.config", "keras.__internal__", "keras.src.saving.serialization_lib"):
        unlock = function(module, "enable_unsafe_deserialization")
        change_layer(file, class_name="Lambda", config={"function": unlock, "function_type": "function"})
        assert f"would run code that stands in it: {module}.enable_unsafe_deserialization" in refused(file)


@in_each_format
@pytest.mark.parametrize("layer", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_cve_2025_12058_a_vocabulary_that_is_a_path_or_an_address(file, layer, tmp_path):
    (tmp_path / "secret").write_text("SECRETWORD\n")
    for place in (str(tmp_path / "secret"), "http://localhost:1/vocabulary", "gs://bucket/vocabulary", "../secret"):
        change_layer(file, class_name=layer, config={"vocabulary": place})
        words = refused(file, UnsafeModelFileError)
        assert f"would read other files of this machine, which it names: vocabulary={place!r}" in words


@in_each_format
@pytest.mark.parametrize("layer", ["TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"])
def test_cve_2025_49655_and_cve_2026_1462_layers_that_load_what_their_config_names(file, layer, tmp_path):
    """Pickled modules and functions, and SavedModels."""
    change_layer(
        file, class_name=layer, module="keras.layers", config={"module": "gASVCg==", "filepath": str(tmp_path)}
    )
    assert layer in refused(file)
    change_layer(file, class_name=layer, module=None, config={"module": "gASVCg==", "filepath": str(tmp_path)})
    assert layer in refused(file)


@in_hdf5
def test_cve_2026_0897_a_shape_without_values(file):
    """Also where it is compressed, and in a slot of the optimizer."""

    def change(weights):
        for name in datasets(weights):
            del weights[name]
            weights.create_dataset(name, (10**6, 10**6), "f4", chunks=(100, 100), compression="gzip", fillvalue=1)

    change_weights(file, change)
    words = refused(file, ModelFileError)
    assert "says that it holds 4000000.0 MB of values, and has " in words
    assert "Expected: at most " in words


def external(weights, name, secret):
    weights.create_dataset(name, (3, 4), "f4", external=[(str(secret), 0, 48)])


def virtual(weights, name, secret):
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "values", (3, 4))
    weights.create_virtual_dataset(name, layout)


def external_link(weights, name, secret):
    weights[name] = h5py.ExternalLink(str(secret), "/values")


@in_hdf5
@pytest.mark.parametrize("store", [external, virtual, external_link])
@pytest.mark.parametrize("which", [0, -1])
def test_cve_2026_1669_and_cve_2026_12480_values_that_are_stored_in_other_files(file, store, which, tmp_path):
    """Weights, and slots of the optimizer; the second is the virtual datasets, which the mend of the first forgot."""
    (tmp_path / "secret").write_bytes(b"SECRETBYTES!" * 50)

    def change(weights):
        name = datasets(weights)[which]
        del weights[name]
        store(weights, name, tmp_path / "secret")

    change_weights(file, change)
    assert "would read other files of this machine: " in refused(file, UnsafeModelFileError)


@in_each_format
@pytest.mark.parametrize("outside", ["../../outside", "../outside", "assets/../../../outside", "{folder}/outside"])
def test_cve_2026_12479_names_of_layers_that_lead_elsewhere(file, outside, tmp_path):
    """Keras made folders of names, in which layers keep their vocabularies."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "vocabulary.txt").write_text("SECRETWORD\n")
    change_layer(file, class_name="StringLookup", config={"vocabulary": None})
    change_config(file, lambda config: rename(config, "hidden", outside.format(folder=tmp_path)))
    if file.suffix == ".keras":
        write_archive(file, {**entries_of(file), "assets/vocabulary.txt": b"a"})
    refused(file)
    assert os.listdir(folder) == ["vocabulary.txt"]


def rename(config, old, new):
    changed = json.loads(json.dumps(config).replace(json.dumps(old), json.dumps(new)))
    config.clear()
    config.update(changed)


@in_each_format
@pytest.mark.parametrize(
    "module, called", [("keras.utils", "pad_sequences"), ("keras.config", "set_dtype_policy"), ("os", "system")]
)
def test_functions_that_a_call_passes_to_a_layer(file, module, called):
    """Keras finds them while it calls the layers, also one that no output needs."""

    def change(config):
        layer = config["config"]["layers"][1]
        dead = dict(layer, name="dead", config=dict(layer["config"], name="dead"))
        call = json.loads(json.dumps(layer["inbound_nodes"][0]))
        arguments = call["kwargs"] if isinstance(call, dict) else call[0][3]
        arguments["training"] = function(module, called)
        config["config"]["layers"].append(dict(dead, inbound_nodes=[call]))

    change_config(file, change)
    assert called in refused(file, (UnsafeModelFileError, MissingCustomObjectError))


@in_each_format
def test_a_shape_to_build_a_layer_for_that_its_call_does_not_have(file):
    def change(config):
        config["config"]["layers"][1]["build_config"] = {"input_shape": [None, 10**9]}
        config["config"]["layers"][1]["inbound_nodes"] = []
        config["config"]["output_layers"] = config["config"]["input_layers"]

    change_config(file, change)
    refused(file, ModelFileError)


@in_archives
def test_weights_in_the_format_of_numpy(file):
    entries = entries_of(file)
    entries["model.weights.npz"] = entries.pop("model.weights.h5")
    write_archive(file, entries)
    assert "it holds 'model.weights.npz', which Keras does not write" in refused(file, ModelFileError)


@in_archives
@pytest.mark.parametrize("name_of_entry", ["../escaped", "/tmp/escaped", "assets/../../escaped", "assets\\..\\escaped"])
def test_entries_of_an_archive_that_lead_elsewhere(file, name_of_entry):
    """What CVE-2025-12060 and CVE-2025-12638 are about, in the archive itself."""
    write_archive(file, {**entries_of(file), name_of_entry: b""})
    assert f"would write outside of its folder: it holds {name_of_entry!r}" in refused(file, UnsafeModelFileError)
