"""Who reads what was changed: functions of a prefix or a file, and of a folder to write to."""

import os
import pathlib
import zlib

import crafted
import numpy as np

from keras_gensynth_callback import convert_model_file, load_checkpoint, verify_checkpoint
from keras_gensynth_callback.checkpoint import (
    CheckpointManager,
    changed_files,
    check_writable,
    claim,
    lock,
    read_manifest,
    state,
    write_checkpoint,
)
from keras_gensynth_callback.model_files.contents import read_model_file
from keras_gensynth_callback.model_files.loading import load_model

# What `verify_checkpoint` runs; in such a process the graph may do what it likes.
NO_PYTHON = "/bin/false"
_SERIES = {"filepath": "net-{epoch}"}


def loaded(prefix, folder):
    """Values, into a model of this Keras."""
    import keras

    from .seeds import model_of

    keras.backend.clear_session()
    return load_checkpoint(model_of(keras, prefix.name, trained=False), prefix)


def verified(prefix, folder):
    """All of `verify_checkpoint` that happens in this process."""
    return verify_checkpoint(prefix, python=NO_PYTHON)


def checked(prefix, folder):
    """What `verify_checkpoint` looks at first."""
    found = read_manifest(prefix)
    return changed_files(prefix, found) if found else None


def listed(prefix, folder):
    """The state file."""
    return state.listed(str(prefix.parent))


def trained(prefix, folder):
    """What a training does with a folder of exports."""
    check_writable(str(prefix))
    manager = CheckpointManager(max_to_keep=1, series=_SERIES)
    held = claim(str(prefix.parent), _SERIES["filepath"])
    try:
        manager.restore(str(prefix.parent))
        write_checkpoint(str(prefix), {"w": np.ones([5], "float32")}, b"graph", {"retention": manager.label()})
        manager.add(str(prefix))
    finally:
        del held


def lock_name():
    """The name of the lock file of `trained`."""
    return os.path.basename(lock.Claim("ram://", _SERIES["filepath"])._path)


def made(path, folder):
    """The model of a file, with its optimizer."""
    _forget_models()
    return load_model(read_model_file(str(path)), {}, safe_mode=True, training=True)


def converted(path, folder):
    """All of `convert_model_file`: of some files the train step too, which takes ten times as long."""
    _forget_models()
    graph = "inference" if zlib.crc32(_content(path)) % 8 else "trainable"
    return convert_model_file(path, folder / "converted" / "net", graph=graph)


def _content(path):
    paths = [path] if path.is_file() else sorted(inner for inner in pathlib.Path(path).rglob("*") if inner.is_file())
    return b"".join(inner.read_bytes()[:100000] for inner in paths if not inner.is_symlink())


def _forget_models():
    import keras
    import tf_keras

    keras.backend.clear_session()
    tf_keras.backend.clear_session()


_ALL = {**crafted.READERS, "load": loaded, "verify": verified}
OF_MODELS = {"make": made, "convert": converted}


def of(*names):
    """{name: reader} of some readers of checkpoints."""
    return {name: _ALL[name] for name in names}
