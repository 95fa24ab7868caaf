"""Model files as somebody would change them who means harm: a small model of each Keras in each format, and edits."""

import functools
import io
import json
import os
import shutil
import tempfile
import warnings
import zipfile

import h5py
import numpy as np
from kerases import KERAS2, module_of

# Keras and file: all formats that are read.
FORMATS = [("keras", "net.h5"), ("keras", "net.keras"), (KERAS2, "net.h5"), (KERAS2, "net.keras"), (KERAS2, "net")]
OF_HDF5 = [pair for pair in FORMATS if "." in pair[1]]
ARCHIVES = [pair for pair in FORMATS if pair[1].endswith(".keras")]


@functools.lru_cache(maxsize=None)
def _written(keras_name, name):
    keras = module_of(keras_name)
    inputs = keras.layers.Input((3,), name="x")
    hidden = keras.layers.Dense(4, "relu", name="hidden")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="level")(hidden), name="net")
    model.compile("adam", "mse", run_eagerly=True)
    model.train_on_batch(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
    path = os.path.join(tempfile.mkdtemp(), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


def written(keras_name, name, folder):
    """A copy of the small model's file, in a folder: three layers, `x`, `hidden` and `level`, trained by Adam."""
    source, path = _written(keras_name, name), folder / name
    return shutil.copytree(source, path) if os.path.isdir(source) else folder / shutil.copy(source, path)


def change_config(path, change):
    """Changes the config of the model in a file of any format."""
    if path.is_dir():
        _change_metadata(path / "keras_metadata.pb", change)
    elif path.suffix == ".h5":
        with h5py.File(path, "a") as file:
            file.attrs["model_config"] = json.dumps(_changed(file.attrs["model_config"], change))
    else:
        change_entry(path, "config.json", lambda content: json.dumps(_changed(content, change)))


def _changed(text, change):
    config = json.loads(text)
    change(config)
    return config


def _change_metadata(path, change):
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata.FromString(path.read_bytes())
    root = json.loads(metadata.nodes[0].metadata)
    change(root["model_config"])
    metadata.nodes[0].metadata = json.dumps(root)
    path.write_bytes(metadata.SerializeToString())


def change_layer(path, **fields):
    """Changes the layer `hidden`: fields of its config, or `class_name`, `module` and so on of itself."""

    def change(config):
        layer = config["config"]["layers"][1]
        for key, value in fields.items():
            if key in ("class_name", "module", "registered_name", "inbound_nodes"):
                layer[key] = value
            elif key == "config":
                layer["config"] = {"name": "hidden", **value}
                layer.pop("build_config", None)
            else:
                layer["config"][key] = value

    change_config(path, change)


def change_entry(path, name, change):
    """Replaces the content of an entry of an archive by what `change` makes of it."""
    with zipfile.ZipFile(path) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    parts[name] = change(parts[name])
    write_archive(path, parts)


def write_archive(path, parts, **options):
    """An archive of names, or ZipInfos, and contents: a dict, or pairs of them."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", **options) as archive:
        warnings.simplefilter("ignore")  # of names that stand there twice
        for entry, content in parts.items() if isinstance(parts, dict) else parts:
            archive.writestr(entry, content)


def entries_of(path):
    """The entries of an archive: dict, name -> content."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def change_weights(path, change):
    """Calls `change` with the open HDF5 file that holds the weights of an HDF5 file or an archive."""
    if path.suffix == ".h5":
        with h5py.File(path, "a") as file:
            change(file)
        return

    def changed(content):
        stored = io.BytesIO(content)
        with h5py.File(stored, "a") as file:
            change(file)
        return stored.getvalue()

    change_entry(path, "model.weights.h5", changed)


def datasets(file, shape=(3, 4)):
    """The names of all datasets of a shape: the kernel of `hidden`, and its slots."""
    names = []

    def visit(name, member):
        if isinstance(member, h5py.Dataset) and member.shape == shape:
            names.append(name)

    file.visititems(visit)
    return names


def function(module, name):
    """A function as Keras stores it."""
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}
