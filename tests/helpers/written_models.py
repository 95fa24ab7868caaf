"""Models that are trained, saved, and trained one step further, by the Keras that wrote them: imported by the tests,
and run as a program in TensorFlow 1.15 under Python 3.7.

Beside each file lie `x.npy`, `y.npy`, `predictions.npy` of the model that was saved, and `stepped.npy`, its predictions
after one more step.
"""

import os
import sys
import warnings

import numpy as np


def data():
    draw = np.random.RandomState(0)
    x = draw.standard_normal((16, 6, 6, 2)).astype("float32")
    return x, draw.randint(0, 3, 16).astype("int32")


def net(keras):
    """Convolution, statistics, regulariser, an optimizer with slots: all that a file can hold."""
    layers = keras.layers
    image = layers.Input((6, 6, 2), name="image")
    x = layers.Conv2D(3, 3, use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Flatten(name="flat")(layers.Activation("relu", name="relu")(x))
    kind = layers.Dense(3, "softmax", kernel_regularizer=keras.regularizers.l2(1e-3), name="kind")(x)
    model = keras.models.Model(image, kind)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def write(model, path, save=None):
    """Trains two steps, saves, notes the predictions, trains one step more, and notes them again."""
    x, y = data()
    folder = os.path.dirname(path)
    os.makedirs(folder)
    for _ in range(2):
        model.train_on_batch(x, y)
    with warnings.catch_warnings():
        # Keras says of all formats but its newest that there is a newer one.
        warnings.simplefilter("ignore")
        (save or model.save)(path)
    notes = {"x": x, "y": y, "predictions": model.predict(x, verbose=0)}
    model.train_on_batch(x, y)
    notes["stepped"] = model.predict(x, verbose=0)
    for name, value in notes.items():
        np.save(os.path.join(folder, name + ".npy"), value)
    return path


def _export(keras, model, path):
    keras.experimental.export_saved_model(model, path)


if __name__ == "__main__":
    import tensorflow as tf

    write(net(tf.keras), os.path.join(sys.argv[1], "hdf5", "net.h5"))
    exported = net(tf.keras)
    write(exported, os.path.join(sys.argv[1], "exported", "net"), lambda path: _export(tf.keras, exported, path))
