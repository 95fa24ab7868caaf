"""Trains a convnet on handwritten digits with Keras, exports it each epoch, and goes on with it in TensorFlow 1.15.

    python scripts/demo.py            (./demo makes the environment for it first)

Ends with exit status 1 where a figure of the TensorFlow 1.x program differs from Keras's by more than it may, or where
training there does not lower the loss.
The second half, what the TensorFlow 1.x program does, stands in demo_reader.py.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from find_reader import ReaderNotFoundError, clean_environ, make_reader
from sklearn.datasets import load_digits

from keras_gensynth_callback import GenSynthExportCallback, load_checkpoint

EXPORTS = Path("gensynth_exports") / "digits"
EPOCHS = 2
# How far TensorFlow 1.15 may be from Keras, relative to the largest value.
BOUND = 1e-5


def digits():
    """Returns scikit-learn's 8 x 8 digits as training images, training labels, test images and test labels."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
    labels = labels.astype("int32")
    return images[:1437], labels[:1437], images[1437:], labels[1437:]


def convnet():
    """Returns a compiled convnet with batch normalisation and dropout."""
    image = keras.Input((8, 8, 1), name="image")
    h = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)(image)
    h = keras.layers.BatchNormalization(momentum=0.9)(h)
    h = keras.layers.ReLU()(h)
    h = keras.layers.MaxPooling2D()(h)
    h = keras.layers.Flatten()(h)
    h = keras.layers.Dropout(0.25)(h)
    digit = keras.layers.Dense(10, activation="softmax", kernel_regularizer="l2", name="digit")(h)
    model = keras.Model(image, digit, name="digits")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(model, data):
    """Trains and exports each epoch. Returns Keras's verdict on the test images."""
    x_train, y_train, x_test, y_test = data
    export = GenSynthExportCallback(EXPORTS / "digits-{epoch}")
    history = model.fit(
        x_train, y_train, epochs=EPOCHS, validation_data=(x_test, y_test), verbose=0, callbacks=[export]
    ).history
    rows = [
        [epoch + 1, f"{history['loss'][epoch]:.4f}", f"{history['val_accuracy'][epoch]:.4f}", Path(prefix).name]
        for epoch, prefix in enumerate(export.checkpoints)
    ]
    print_table(["epoch", "loss", "test accuracy", "exported to"], rows)
    return evaluate(model, data)


def evaluate(model, data):
    """Returns predictions, loss and accuracy for the test images, as Keras has them."""
    x_test, y_test = data[2:]
    return {
        "predictions": model.predict(x_test, verbose=0),
        **model.evaluate(x_test, y_test, verbose=0, return_dict=True),
    }


def read(data):
    """Runs demo_reader.py over the exports, in TensorFlow 1.15 if it can be had, and returns what it found."""
    try:
        python = make_reader()
    except ReaderNotFoundError as error:
        print(f"{error}\nInstead, TensorFlow {tf.__version__} reads the export, in its v1 mode.\n")
        python = sys.executable
    np.savez(EXPORTS / "data.npz", **dict(zip(["x_train", "y_train", "x_test", "y_test"], data)))
    program = Path(__file__).with_name("demo_reader.py")
    done = subprocess.run([python, "-I", program, EXPORTS], env=clean_environ(), stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"The TensorFlow 1.x program failed:\n{done.stderr}")
    return json.loads((EXPORTS / "reader.json").read_text())


def compare(there, here):
    """Prints the figures of Keras beside those of the reader. Returns whether all are within the bound."""
    predictions = np.array(there["predictions"])
    difference = np.abs(predictions - here["predictions"]).max() / np.abs(here["predictions"]).max()
    rows = [["predictions", f"{len(predictions)} x 10", f"{len(predictions)} x 10", difference]]
    for name in ("loss", "accuracy"):
        difference = abs(there[name] - here[name]) / abs(here[name])
        rows.append([name, f"{here[name]:.6f}", f"{there[name]:.6f}", difference])
    good = [row[-1] <= BOUND for row in rows]
    rows = [
        row[:-1] + [f"{row[-1]:.1e}", "ok" if ok else f"TOO FAR, {BOUND:.0e} is allowed"] for row, ok in zip(rows, good)
    ]
    print_table(["", "Keras", there["tensorflow"], "difference", ""], rows)
    return all(good)


def print_table(header, rows):
    """Prints rows of cells under a header, the columns as wide as their widest cell."""
    cells = [[str(cell) for cell in row] for row in [header] + list(rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        print("   " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()


def main():
    shutil.rmtree(EXPORTS, ignore_errors=True)
    keras.utils.set_random_seed(1)
    data, model = digits(), convnet()

    print(f"Keras {keras.__version__}, TensorFlow {tf.__version__}: trains, and exports each epoch.\n")
    here = train(model, data)

    there = read(data)
    name = "TensorFlow " + there["tensorflow"]
    print(f"{name}, Python {there['python']}: restores {there['checkpoint']} with import_meta_graph.\n")
    good = compare(there["restored"], here)
    print("   Its collections:\n")
    print_table(["collection", "size", "first members"], there["collections"])

    print(f"{name} trains on.\n")
    print_table(["", "training loss", "test accuracy"], there["training"])
    losses = [float(loss) for _, loss, _ in there["training"]]
    if not losses[0] > losses[1] > losses[2]:
        good = False
        print("   The loss DID NOT FALL with each kind of training step.\n")

    print(f"Back in Keras: load_checkpoint reads what {name} saved.\n")
    load_checkpoint(model, EXPORTS / "tuned")
    good = compare(there["tuned"], evaluate(model, data)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
