"""Models that reports are made of, exported once."""

import numpy as np
from kerases import keras_of

LONG_NAME = "a_name_of_forty_characters_for_one_layer"


def nested(folder):
    """A model with a nested one, a recurrent layer, two inputs and two outputs, and a name of 40 characters; its
    prefix.
    """
    from keras_gensynth_callback import export_checkpoint

    keras = keras_of("keras")
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(4, name="dense"),
            layers.BatchNormalization(name="level"),
            layers.Dropout(0.5, name="drop"),
        ],
        name="encoder",
    )
    image, words = keras.Input((8,), name="image"), keras.Input((5, 3), name="words")
    h = layers.Concatenate(name="both")([encoder(image), layers.LSTM(6, name="memory")(words)])
    outputs = {"one": layers.Dense(2, name="one")(h), "two": layers.Dense(3, name=LONG_NAME)(h)}
    model = keras.Model([image, words], outputs, name="nested")
    model.compile("adam", "mse")
    return export_checkpoint(model, folder / "nested").prefix


def resnet50(folder):
    """Keras's ResNet50, as large as its authors made it; its prefix."""
    from keras_gensynth_callback import export_checkpoint

    keras = keras_of("keras")
    model = keras.applications.ResNet50(weights=None)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return export_checkpoint(model, folder / "resnet50").prefix


def fit(keras, epochs, callbacks):
    """Fits a small model."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="level")])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), epochs=epochs, verbose=0, callbacks=callbacks)
