"""What a model file says of its model: which Keras wrote it, and the configs. Nothing of it is run.

A file's kind is read off its first bytes, not off its name: up to TensorFlow 2.11 a `.keras` file was HDF5.
"""

import json
import os
import zipfile

import tensorflow as tf

from ..errors import ModelFileError

_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_CONFIG, _METADATA = "config.json", "metadata.json"
_EXPECTED = (
    "Expected: a whole model that Keras saved, as HDF5 (`model.save('net.h5')`), `.keras` (`model.save('net.keras')`) "
    "or a SavedModel folder (`model.save('net')` of Keras 2)."
)
_BUILD = (
    "Build the model by its own code, read the weights with `model.load_weights({path!r})`, and export it with "
    "`export_checkpoint(model, filepath)`."
)


class ModelFile:
    """What a model file says.

    Attributes:
        path: str.
        kind: "HDF5", "keras" or "SavedModel".
        version: str, the version of the Keras that wrote it, or "" where the file does not tell.
        model: dict, the model's config; None in a SavedModel of a class without one.
        training: dict, what it was compiled with, or None.
        inputs: nest of tf.TensorSpec, what the model was called with, or None where the file does not tell.
    """

    def __init__(self, path, kind, version, model, training=None, inputs=None):
        self.path, self.kind, self.version = path, kind, version or ""
        self.model, self.training, self.inputs = model, training, inputs

    @property
    def is_folder(self):
        """Whether it is a folder, as Keras 3 writes one with `zipped=False`."""
        return tf.io.gfile.isdir(self.path)

    @property
    def of_keras_3(self):
        """Whether Keras 3 wrote it."""
        major = self.version.split(".")[0]
        if major.isdigit():
            return int(major) >= 3
        return self.kind == "keras" and str((self.model or {}).get("module")).startswith("keras.src.models")


def read_model_file(path):
    """The ModelFile at a path.

    Raises:
        ModelFileError: nothing is there, or no whole model.
    """
    if tf.io.gfile.isdir(path):
        return _read_folder(path)
    if not tf.io.gfile.exists(path):
        _refuse_what_is_not_there(path)
    with tf.io.gfile.GFile(path, "rb") as file:
        head = file.read(8)
    if head == _HDF5:
        return _read_hdf5(path)
    if head.startswith(_ZIP):
        return _read_archive(path)
    if _is_part_of_a_checkpoint(path):
        _refuse_checkpoint(path)
    received = f"begins with {head!r}" if head else "is empty"
    raise ModelFileError(f"{path!r} is no model file: it {received}. {_EXPECTED} Convert the file that Keras wrote.")


def _read_folder(path):
    names = set(tf.io.gfile.listdir(path))
    if {_CONFIG, _METADATA} <= names:
        return _from_json(path, lambda name: _read(os.path.join(path, name)))
    if "saved_model.pb" in names:
        from .saved_model import read_saved_model

        return ModelFile(path, "SavedModel", *read_saved_model(path))
    if "checkpoint" in names or any(map(_is_part_of_a_checkpoint, names)):
        _refuse_checkpoint(path)
    held = ", ".join(sorted(names)[:6]) or "nothing"
    raise ModelFileError(f"The folder {path!r} is no SavedModel: it holds {held}. {_EXPECTED}")


def _read_hdf5(path):
    import h5py

    try:
        with tf.io.gfile.GFile(path, "rb") as stored, h5py.File(stored, "r") as file:
            attributes, names = dict(file.attrs), set(file)
    except (OSError, RuntimeError, KeyError) as error:
        raise _truncated(path, error) from error
    if "model_config" not in attributes:
        if {"layer_names", "keras_version"} & set(attributes) or {"layers", "_layer_checkpoint_dependencies"} & names:
            raise ModelFileError(
                f"{path!r} holds the weights of a model, but not the model (`model_config`). {_EXPECTED} "
                + _BUILD.format(path=path)
            )
        raise ModelFileError(f"{path!r} is an HDF5 file that Keras did not write. {_EXPECTED}")
    model, training = (_decoded(path, attributes.get(name)) for name in ("model_config", "training_config"))
    return ModelFile(path, "HDF5", _text(attributes.get("keras_version")), model, training)


def _read_archive(path):
    try:
        with tf.io.gfile.GFile(path, "rb") as stored, zipfile.ZipFile(stored) as archive:
            if not {_CONFIG, _METADATA} <= set(archive.namelist()):
                held = ", ".join(archive.namelist()[:6])
                raise ModelFileError(
                    f"{path!r} is a zip archive that Keras did not write: it holds {held}. {_EXPECTED}"
                )
            return _from_json(path, archive.read)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise _truncated(path, error) from error


def _from_json(path, read):
    config, metadata = _decoded(path, read(_CONFIG)), _decoded(path, read(_METADATA))
    training = config.pop("compile_config", None)
    shape = (config.get("build_config") or {}).get("input_shape")
    inputs = tf.TensorSpec(shape) if shape and all(size is None or isinstance(size, int) for size in shape) else None
    return ModelFile(path, "keras", metadata.get("keras_version"), config, training, inputs)


def _decoded(path, value):
    if value is None:
        return None
    try:
        decoded = json.loads(_text(value))
    except ValueError as error:
        raise _truncated(path, error) from error
    if not isinstance(decoded, dict):
        raise _truncated(path, f"a config is a {type(decoded).__name__}, and should be a dict")
    return decoded


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _read(path):
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def _truncated(path, error):
    return ModelFileError(f"{path!r} is truncated or damaged: {error}. {_EXPECTED} Take another copy of it.")


def _refuse_what_is_not_there(path):
    if tf.io.gfile.exists(path + ".index"):
        _refuse_checkpoint(path)
    folder = os.path.dirname(path) or "."
    near = "" if tf.io.gfile.isdir(folder) else f", nor a folder {folder!r}"
    raise ModelFileError(f"There is no file {path!r}{near}. {_EXPECTED} Pass the path of one.")


def _is_part_of_a_checkpoint(name):
    stem, suffix = os.path.splitext(name)
    return suffix in (".index", ".meta") or suffix.startswith(".data-") or os.path.basename(name) == "checkpoint"


def _refuse_checkpoint(path):
    raise ModelFileError(
        f"{path!r} is a TensorFlow checkpoint: it holds the weights of a model, but not the model. {_EXPECTED} "
        + _BUILD.format(path=os.path.splitext(path)[0] if _is_part_of_a_checkpoint(path) else path)
    )
