"""What a model file says of its model: which Keras wrote it, and the configs. Nothing of it is run.

A file's kind is read off its first bytes, not off its name: up to TensorFlow 2.11 a `.keras` file was HDF5.
"""

import os
import zipfile

import tensorflow as tf

from keras_gensynth_callback.errors import GenSynthExportError, ModelFileError

from .archive import CONFIG, METADATA, check_archive, check_unpacked, read_text
from .configs import decoded
from .hdf5 import check_hdf5
from .places import check_folder, check_kind

_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
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
        stored: int, how many bytes of values it holds, or None where that was not looked at.
    """

    def __init__(self, path, kind, version, model, training=None, inputs=None, stored=None):
        self.path, self.kind, self.version = path, kind, version if isinstance(version, str) else ""
        self.model, self.training, self.inputs, self.stored = model, training, inputs, stored
        for config in (model, training):
            if config is not None and not isinstance(config, dict):
                raise ValueError(f"a config is a {type(config).__name__}, and should be a dict")

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


def read_model_file(path, safe_mode=True):
    """The ModelFile at a path.

    Args:
        path: str.
        safe_mode: bool, whether a file is refused that leads to other files, or says that it holds more than it can.

    Raises:
        ModelFileError: nothing is there, or no whole model; or a subclass.
    """
    check_kind(path)
    try:
        return _read_folder(path, safe_mode) if tf.io.gfile.isdir(path) else _read_file(path, safe_mode)
    except GenSynthExportError:
        raise
    # What parsers say of damaged files may be anything.
    except Exception as error:
        raise _truncated(path, error) from error


def _read_file(path, safe_mode):
    if not tf.io.gfile.exists(path):
        _refuse_what_is_not_there(path)
    with tf.io.gfile.GFile(path, "rb") as file:
        head = file.read(8)
    if head == _HDF5:
        return _read_hdf5(path, safe_mode)
    if head.startswith(_ZIP):
        return _read_archive(path, safe_mode)
    if _is_part_of_a_checkpoint(path):
        _refuse_checkpoint(path)
    received = f"begins with {head!r}" if head else "is empty"
    raise ModelFileError(f"{path!r} is no model file: it {received}. {_EXPECTED} Convert the file that Keras wrote.")


def _read_folder(path, safe_mode):
    names = set(tf.io.gfile.listdir(path))
    if safe_mode:
        check_folder(path)
    if {CONFIG, METADATA} <= names:
        stored = check_unpacked(path) if safe_mode else None
        return _from_json(path, lambda name: _read(os.path.join(path, name)), stored)
    if "saved_model.pb" in names:
        from .saved_model import read_saved_model, stored_values

        version, model, training, inputs = read_saved_model(path)
        stored = stored_values(path) if safe_mode else None
        return ModelFile(path, "SavedModel", version, model, training, inputs, stored)
    if "checkpoint" in names or any(map(_is_part_of_a_checkpoint, names)):
        _refuse_checkpoint(path)
    held = ", ".join(sorted(names)[:6]) or "nothing"
    raise ModelFileError(f"The folder {path!r} is no SavedModel: it holds {held}. {_EXPECTED}")


def _read_hdf5(path, safe_mode):
    import h5py

    size = tf.io.gfile.stat(path).length
    with tf.io.gfile.GFile(path, "rb") as stored:
        content = check_hdf5(path, stored, size) if safe_mode else None
    with tf.io.gfile.GFile(path, "rb") as stored, h5py.File(stored, "r") as file:
        wanted = ("model_config", "training_config", "keras_version", "layer_names")
        attributes, names = {name: file.attrs[name] for name in wanted if name in file.attrs}, set(file)
    if "model_config" not in attributes:
        if {"layer_names", "keras_version"} & set(attributes) or {"layers", "_layer_checkpoint_dependencies"} & names:
            raise ModelFileError(
                f"{path!r} holds the weights of a model, but not the model (`model_config`). {_EXPECTED} "
                + _BUILD.format(path=path)
            )
        raise ModelFileError(f"{path!r} is an HDF5 file that Keras did not write. {_EXPECTED}")
    model, training = (
        None if attributes.get(name) is None else decoded(attributes[name])
        for name in ("model_config", "training_config")
    )
    return ModelFile(path, "HDF5", _text(attributes.get("keras_version")), model, training, stored=content)


def _read_archive(path, safe_mode):
    size = tf.io.gfile.stat(path).length
    with tf.io.gfile.GFile(path, "rb") as stored, zipfile.ZipFile(stored) as archive:
        names = archive.namelist()
        if not {CONFIG, METADATA} <= set(names):
            held = ", ".join(names[:6])
            raise ModelFileError(f"{path!r} is a zip archive that Keras did not write: it holds {held}. {_EXPECTED}")
        content = check_archive(path, archive, size) if safe_mode else None
        return _from_json(path, lambda name: read_text(path, archive, name), content)


def _from_json(path, read, stored):
    config, metadata = decoded(read(CONFIG)), decoded(read(METADATA))
    training = config.pop("compile_config", None)
    if training is not None and not isinstance(training, dict):
        raise ValueError(f"`compile_config` is a {type(training).__name__}, and should be a dict")
    return ModelFile(path, "keras", metadata.get("keras_version"), config, training, _input_of(config), stored)


def _input_of(config):
    built = config.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    if not isinstance(shape, list) or not shape or not all(size is None or isinstance(size, int) for size in shape):
        return None
    return tf.TensorSpec(shape)


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _read(path):
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def _truncated(path, error):
    said = str(error) or type(error).__name__
    return ModelFileError(f"{path!r} is truncated or damaged: {said}. {_EXPECTED} Take another copy of it.")


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
