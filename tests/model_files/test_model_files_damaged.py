"""`convert_model_file`: files that are damaged or ask for too much are refused in words, whatever is wrong."""

import json
import os
import shutil
import stat
import zipfile

import h5py
import numpy as np
import pytest
from hostile_files import (
    ARCHIVES,
    FORMATS,
    KERAS2,
    OF_HDF5,
    change_config,
    change_entry,
    change_layer,
    change_weights,
    datasets,
    entries_of,
    write_archive,
    written,
)
from needs import needs

from keras_gensynth_callback import convert_model_file
from keras_gensynth_callback.errors import ModelFileError, UnsafeModelFileError

pytestmark = needs(tf="newest", reason="the loaders of each Keras have other faults")


def start(value):
    """The name of a case."""
    return repr(value)[:9]


in_each_format = pytest.mark.parametrize("keras_name, name", FORMATS)
in_hdf5 = pytest.mark.parametrize("keras_name, name", OF_HDF5)
in_archives = pytest.mark.parametrize("keras_name, name", ARCHIVES)
in_hdf5_files = pytest.mark.parametrize("keras_name, name", [pair for pair in FORMATS if pair[1].endswith(".h5")])


@pytest.fixture
def file(keras_name, name, tmp_path):
    return written(keras_name, name, tmp_path)


def refused(path, error=ModelFileError):
    """The words in which a file is refused; they name it."""
    with pytest.raises(error) as raised:
        convert_model_file(path, path.parent / "out" / "net")
    assert not (path.parent / "out").exists()
    assert str(path) in str(raised.value)
    return str(raised.value)


# Configs


@in_archives
@pytest.mark.parametrize(
    "content, problem",
    [
        (b"[" * 100_000, "a config is nested more than 400 levels deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "a config is nested more than 400 levels deep"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "a config is nested more than 400 levels deep"),
        (b"\xff\xfe{}", "'utf-8' codec can't decode"),
        (b"[]", "a config is a list, and should be a dict"),
        (b"", "Expecting value"),
    ],
)
@pytest.mark.parametrize("entry", ["config.json", "metadata.json"])
def test_json_that_is_none_in_an_archive(file, content, problem, entry):
    change_entry(file, entry, lambda _: content)
    assert f"is truncated or damaged: {problem}" in refused(file)


@in_hdf5_files
@pytest.mark.parametrize("attribute", ["model_config", "training_config"])
@pytest.mark.parametrize(
    "value", [7, np.ones(3), b"\xff", ["{}", "{}"], "[" * 30_000, "[]", h5py.Empty("f")], ids=start
)
def test_attributes_of_another_type(file, attribute, value):
    with h5py.File(file, "a") as stored:
        stored.attrs[attribute] = value
    assert "is truncated or damaged: " in refused(file)


@in_each_format
@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.pop("class_name"),
        lambda config: config.update(config=None),
        lambda config: config.update(config="net"),
        lambda config: config["config"]["layers"][1].pop("name"),
        lambda config: config["config"]["layers"][1].update(config=None),
        lambda config: config["config"]["layers"][1].update(registered_name={}, module=["x"]),
        lambda config: config["config"]["layers"][1].update(module=[]),
        lambda config: config["config"]["layers"][1].update(module=0),
        lambda config: config["config"]["layers"][1].update(inbound_nodes=7),
        lambda config: config["config"].update(output_layers=[["gone", 0, 0]]),
    ],
)
def test_configs_that_keras_never_wrote(file, change):
    change_config(file, change)
    refused(file)


@in_each_format
@pytest.mark.parametrize("units", [10**12, 10**9, 10**400, -1, None, "many", float("nan")])
def test_layers_that_are_larger_than_the_values_in_the_file(file, units):
    change_layer(file, units=units)
    words = refused(file)
    if units in (10**12, 10**9):
        assert f"wants a variable of 3 x {units}, which makes " in words
        assert "Expected: variables for the values in the file, which are " in words


@in_each_format
def test_an_embedding_of_terabytes(file):
    change_layer(file, class_name="Embedding", config={"input_dim": 10**9, "output_dim": 10**6})
    assert "wants a variable of 1000000000 x 1000000, which makes " in refused(file)


@in_each_format
def test_a_million_boundaries(file):
    change_layer(file, class_name="Discretization", config={"bin_boundaries": list(range(10**6))})
    assert "the layer 'hidden' asks for 1000000 bin_boundaries" in refused(file)


def test_models_whose_layers_wait_for_each_other(tmp_path):
    for name in ("net.h5", "net.keras", "net"):
        file = written(KERAS2, name, tmp_path)
        change_layer(file, inbound_nodes=[[["level", 0, 0, {}]]])
        assert "the layer 'hidden' waits for a tensor that no layer gives" in refused(file)


@in_each_format
def test_calls_on_no_tensor(file):
    change_layer(file, inbound_nodes=[["_CONSTANT_VALUE", -1, 3, {}]])
    assert "the layer 'hidden' is called on no tensor" in refused(file)


@in_each_format
def test_loops_of_a_million_steps(file):
    change_layer(file, class_name="SpectralNormalization", config={"layer": None, "power_iterations": 10**6})
    assert "the layer 'hidden' asks for 1000000 power_iterations" in refused(file)


# HDF5


def grow(weights):
    weights.create_dataset("more", (10**5, 10**5), "f4")


def group_twice(weights):
    weights["again"] = weights["/"]


def dataset_twice(weights):
    weights["again"] = weights[datasets(weights)[0]]


def soft_link(weights):
    weights["again"] = h5py.SoftLink("/" + datasets(weights)[0])


def reference(weights):
    weights.attrs["root"] = weights["/"].ref


def objects(weights):
    weights.create_dataset("texts", data=["a"] * 3, dtype=h5py.string_dtype())


def type_of_its_own(weights):
    weights["type"] = np.dtype("f8")


def deep(weights):
    for _ in range(150):
        weights = weights.create_group("in")


def group_for_a_dataset(weights):
    name = datasets(weights)[0]
    del weights[name]
    weights.create_group(name)


def another_shape(weights):
    name = datasets(weights)[0]
    del weights[name]
    weights[name] = np.ones((4, 3), "float32")


@in_hdf5
@pytest.mark.parametrize(
    "change",
    [
        grow,
        group_twice,
        dataset_twice,
        soft_link,
        reference,
        objects,
        type_of_its_own,
        deep,
        group_for_a_dataset,
        another_shape,
    ],
)
def test_weights_that_keras_never_wrote(file, change):
    change_weights(file, change)
    refused(file)


@in_hdf5_files
@pytest.mark.parametrize("names", [7, [b"\xff\xfe"], ["../../x", "gone"]], ids=str)
def test_lists_of_names_that_are_none(file, names):
    for group, attribute in (("model_weights", "layer_names"), ("optimizer_weights", "weight_names")):
        with h5py.File(file, "a") as stored:
            before = stored[group].attrs[attribute]
            stored[group].attrs[attribute] = names
        refused(file)
        with h5py.File(file, "a") as stored:
            stored[group].attrs[attribute] = before


# Archives


@in_archives
def test_entries_that_keras_does_not_write(file):
    entries = entries_of(file)
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for extra, problem in (
        (("model.weights.npz", b""), "it holds 'model.weights.npz', which Keras does not write"),
        (("config.json", entries["config.json"]), "it holds 'config.json' twice"),
        ((link, b"/etc/passwd"), "'assets/link' in it is no file"),
    ):
        write_archive(file, [*entries.items(), extra])
        assert f"is truncated or damaged: {problem}" in refused(file)


@in_archives
def test_an_archive_that_is_encrypted(file):
    content = bytearray(file.read_bytes())
    for head, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(head)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(head, at + 4)
    file.write_bytes(content)
    assert "in it is encrypted" in refused(file)


@in_archives
def test_archives_that_grow(file):
    entries = entries_of(file)
    write_archive(file, {**entries, "assets/zeros": bytes(100 * 2**20)}, compression=zipfile.ZIP_DEFLATED)
    assert "MB of values, and has " in refused(file)
    config = entries["config.json"] + b" " * (20 * 2**20)
    write_archive(file, {**entries, "config.json": config}, compression=zipfile.ZIP_DEFLATED)
    assert "'config.json' in it says that it holds " in refused(file)


@in_archives
def test_an_archive_of_zeros(file):
    file.write_bytes(b"PK\x03\x04" + bytes(10_000))
    assert "is truncated or damaged: " in refused(file)


# Folders, and what is no file


def test_places_that_never_end(tmp_path):
    pipe = tmp_path / "net.keras"
    os.mkfifo(pipe)
    assert f"{str(pipe)!r} is a named pipe. Expected: a file or a folder that Keras wrote." in refused(pipe)
    loop = tmp_path / "loop.keras"
    loop.symlink_to(loop)
    refused(loop)


def test_folders_that_lead_elsewhere(tmp_path):
    file = written(KERAS2, "net", tmp_path)
    data = next((file / "variables").glob("variables.data*"))
    data.rename(tmp_path / "secret")
    data.symlink_to(tmp_path / "secret")
    words = refused(file, UnsafeModelFileError)
    assert (
        f"would follow a link: {os.path.join('variables', data.name)!r} leads to {str(tmp_path / 'secret')!r}." in words
    )

    data.unlink()
    os.mkfifo(data)
    assert "in it is a named pipe." in refused(file)


def test_a_folder_of_keras_3_that_leads_elsewhere(tmp_path):
    file = written("keras", "net.keras", tmp_path)
    folder = tmp_path / "net"
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    assert convert_model_file(folder, tmp_path / "good" / "net", graph="inference").size
    shutil.move(folder / "model.weights.h5", tmp_path / "secret")
    (folder / "model.weights.h5").symlink_to(tmp_path / "secret")
    assert "would follow a link: 'model.weights.h5' leads to " in refused(folder, UnsafeModelFileError)


@pytest.mark.parametrize("content", [b"", b"\xff" * 1000, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x04\x2a\x02[]"])
def test_metadata_of_a_savedmodel_that_is_none(content, tmp_path):
    file = written(KERAS2, "net", tmp_path)
    (file / "keras_metadata.pb").write_bytes(content)
    assert "is truncated or damaged: " in refused(file)


def test_an_index_that_does_not_fit_the_values_of_a_savedmodel(tmp_path):
    file = written(KERAS2, "net", tmp_path)
    index = file / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:-40])
    refused(file)


def test_the_config_of_training_is_read_as_carefully(tmp_path):
    for keras_name in ("keras", KERAS2):
        file = written(keras_name, "net.h5", tmp_path)
        for training in (
            {"optimizer_config": 3},
            {"optimizer_config": {"class_name": "Adam", "config": []}, "loss": 3},
        ):
            with h5py.File(file, "a") as stored:
                stored.attrs["training_config"] = json.dumps(training)
            refused(file)


# What is of two kinds


def test_an_hdf5_file_that_is_an_archive_as_well(tmp_path):
    """Keras 2 looks at the end of a file under that name, where archives have their list."""
    (tmp_path / "archive").mkdir()
    archive, file = written(KERAS2, "net.keras", tmp_path / "archive"), written(KERAS2, "net.h5", tmp_path)
    both = tmp_path / "net.keras"
    both.write_bytes(file.read_bytes() + archive.read_bytes())
    assert "since it is an HDF5 file, and a zip archive as well." in refused(both, UnsafeModelFileError)


def test_a_savedmodel_with_the_config_of_an_archive(tmp_path):
    """Keras 2 takes it for a SavedModel, and loads its functions."""
    (tmp_path / "archive").mkdir()
    archive, folder = written(KERAS2, "net.keras", tmp_path / "archive"), written(KERAS2, "net", tmp_path)
    for name, content in entries_of(archive).items():
        (folder / name).write_bytes(content)
    assert "might run code that stands in it, since it is a folder" in refused(folder, UnsafeModelFileError)
