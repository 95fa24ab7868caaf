"""The files that are changed: two exports, and the model files of each Keras. Made once, and kept in a folder."""

import pathlib

import numpy as np
from kerases import KERAS2, KERASES, keras_of

EXPORTS = ("cnn", "lstm")
DONE = "done-2"  # a number for each set of files


def made(folder):
    """Makes the files where they are missing; the folder."""
    folder = pathlib.Path(folder)
    if (folder / DONE).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    from keras_gensynth_callback import export_checkpoint

    for keras_name in KERASES:
        keras = keras_of(keras_name)
        for name in EXPORTS:
            model = model_of(keras, name)
            if keras_name == KERASES[0]:
                export_checkpoint(model, folder / name)
            for ending in (".keras", ".h5", "-saved") if keras_name == KERAS2 else (".keras", ".h5"):
                model.save(str(folder / f"{keras_name}-{name}{ending}"))
    (folder / DONE).touch()
    return folder


def model_of(keras, name, trained=True):
    """A small model, trained for a step, or as it is made."""
    layers = keras.layers
    if name == "cnn":
        inside = [layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Dropout(0.3), layers.Flatten()]
        shape = (6, 6, 2)
    else:
        inside, shape = [layers.LSTM(3, name="memory")], (4, 2)
    model = keras.Sequential([keras.Input(shape, name="x"), *inside, layers.Dense(2, name="y")], name=name)
    if not trained:
        return model
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, *shape)), np.ones((4, 2)), verbose=0)
    return model
