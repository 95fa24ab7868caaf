"""What is installed, what checkpoints can be tried in, and whether an export works here."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Dict, Optional

from keras_gensynth_callback._util import find_readers, installed_version

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Tried

_PACKAGES = ("keras-gensynth-callback", "tensorflow", "tensorflow-cpu", "keras", "tf_keras", "wrapt", "numpy", "h5py")
_OF_THE_COMMAND_LINE = ("click", "rich")


def diagnose(self_test: bool = True) -> Dict[str, Any]:
    """Looks at this machine.

    Args:
        self_test: bool, whether a small model is exported and tried, which takes some seconds.

    Returns:
        dict: `versions`, name -> version, or None for what is not installed; `readers`, a list of `python` and
        `tensorflow`; `self_test`, what `try_checkpoint` returned, or None; `ok`.
    """
    names = (*_PACKAGES, *_OF_THE_COMMAND_LINE)
    versions = {"python": sys.version.split()[0], **{name: installed_version(name) for name in names}}
    readers = find_readers()
    tried = _self_test(readers[0].python if readers else None) if self_test else None
    return {
        "versions": versions,
        "readers": [dict(reader._asdict()) for reader in readers],
        "self_test": tried,
        "ok": tried is None or tried["ok"],
    }


def _self_test(python: Optional[str]) -> Tried:
    import tensorflow as tf

    from keras_gensynth_callback.public import export_checkpoint

    from .trying import try_checkpoint

    layers, inputs = tf.keras.layers, tf.keras.Input((4,), name="input")
    hidden = layers.Dropout(0.5)(layers.BatchNormalization()(layers.Dense(3)(inputs)))
    model = tf.keras.Model(inputs, layers.Dense(2, name="output")(hidden))
    model.compile("sgd", "mse", metrics=["mae"])
    with tempfile.TemporaryDirectory() as folder:
        prefix = export_checkpoint(model, os.path.join(folder, "net")).prefix
        return try_checkpoint(prefix, python=python)
