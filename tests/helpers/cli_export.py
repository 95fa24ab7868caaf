"""One small export, and the model and the data that it was made of, for the tests of what reads files."""

import collections
import pathlib
import shutil

import numpy as np
from kerases import keras_of

# `prefix` is the checkpoint's, `file` that of the model; `x`, `y` are data, `predicted` is what Keras makes of `x`.
SmallExport = collections.namedtuple("SmallExport", ["prefix", "file", "model", "x", "y", "predicted"])


def small_export(folder):
    """Trains a convnet with batch normalisation and dropout for two steps, exports and saves it."""
    from keras_gensynth_callback import export_checkpoint

    keras = keras_of("keras")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3), name="image"),
            layers.Conv2D(4, 3, name="edges"),
            layers.BatchNormalization(name="level"),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax", name="digit"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    random = np.random.RandomState(0)
    x, y = random.rand(16, 6, 6, 3).astype("float32"), (np.arange(16) % 4).astype("int32")
    model.fit(x, y, verbose=0, batch_size=8)
    prefix = export_checkpoint(model, folder / "net").prefix
    file = str(folder / "net.keras")
    model.save(file)
    return SmallExport(prefix, file, model, x, y, model.predict(x, verbose=0))


def copied_to(folder, prefix):
    """Copies the files of an export into a folder; the prefix there."""
    prefix = pathlib.Path(prefix)
    for path in prefix.parent.glob(prefix.name + ".*"):
        shutil.copy(path, folder)
    return str(folder / prefix.name)
