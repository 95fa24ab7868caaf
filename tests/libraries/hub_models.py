"""tensorflow_hub: a SavedModel as a layer."""

import importlib
import tempfile

from .cases import classes, classified, floats

LIBRARY, ENVIRONMENT = "tensorflow-hub", "tf.keras"


def _loaded(trainable):
    def make(keras):
        hub, folder = importlib.import_module("tensorflow_hub"), tempfile.mkdtemp(prefix="libraries-")
        layers = [keras.Input((6,)), keras.layers.Dense(5, "tanh"), keras.layers.BatchNormalization()]
        keras.Sequential(layers).save(folder, save_format="tf")
        outputs = keras.layers.Dense(2)
        model = keras.Sequential([keras.Input((6,)), hub.KerasLayer(folder, trainable=trainable), outputs])
        return classified(keras, model, floats(6), classes())

    return make


MODELS = {"KerasLayer": _loaded(False), "KerasLayer, trainable": _loaded(True)}
