"""The way through the ages, in TensorFlow 1.15's own Keras: `round_trip_program.py REPOSITORY FOLDER`.

Every sub-folder of FOLDER is named for one of the models here and holds an export `there` of it by another Keras. It
is read into the same model of tf.keras, which then makes three more steps and is exported as `back`; what it said
meanwhile is in `said.npz` and `said.json`. The folder `other` holds an export of `words`.
"""

import json
import logging
import os
import sys

import numpy as np
import tensorflow as tf

SAMPLES = 16


def images(keras):
    """Convolutions, batch normalisation and Adam."""
    layers = keras.layers
    image = keras.Input((6, 6, 2), name="image")
    hidden = layers.Conv2D(3, 3, use_bias=False, name="filters")(image)
    hidden = layers.BatchNormalization(name="norm")(hidden)
    hidden = layers.Flatten(name="flat")(layers.DepthwiseConv2D(2, name="deep", activation="relu")(hidden))
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="kind")(hidden))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    draw = np.random.RandomState(0)
    return model, draw.standard_normal((SAMPLES, 6, 6, 2)).astype("float32"), draw.randint(0, 3, SAMPLES)


def words(keras):
    """Recurrent layers in wrappers, and SGD with momentum. What is spelt out has another default in TensorFlow 1.15."""
    layers = keras.layers
    text = keras.Input((5,), dtype="int32", name="text")
    hidden = layers.Embedding(7, 3, name="meanings")(text)
    memory = layers.LSTM(3, return_sequences=True, recurrent_activation="sigmoid", name="memory")
    hidden = layers.Bidirectional(memory, name="both")(hidden)
    hidden = layers.TimeDistributed(layers.Dense(3, name="step"), name="each")(hidden)
    hidden = layers.GRU(3, reset_after=True, recurrent_activation="sigmoid", name="gate")(hidden)
    model = keras.Model(text, layers.Dense(1, name="mood")(hidden))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    draw = np.random.RandomState(0)
    return model, draw.randint(0, 7, (SAMPLES, 5)), draw.standard_normal((SAMPLES, 1)).astype("float32")


def other(keras):
    """The model of `words` with a gate of another form, another size and one layer less."""
    layers = keras.layers
    text = keras.Input((5,), dtype="int32", name="text")
    hidden = layers.Embedding(7, 3, name="meanings")(text)
    hidden = layers.Bidirectional(layers.LSTM(4, return_sequences=True, name="memory"), name="both")(hidden)
    model = keras.Model(text, layers.GRU(3, reset_after=False, name="gate")(hidden))
    model.compile("sgd", "mse")
    return model, None, None


def main(folder, lines):
    model, x, y = globals()[os.path.basename(folder).split("-")[-1]](tf.keras)
    session, graph = tf.compat.v1.keras.backend.get_session(), tf.compat.v1.get_default_graph()
    before, operations, said = model.get_weights(), len(graph.get_operations()), {}
    try:
        said["read"] = load_checkpoint(model, os.path.join(folder, "there"))
    except ValueError as error:
        same = all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
        said.update(error=str(error), same=same, added=len(graph.get_operations()) - operations)
    else:
        operations = len(graph.get_operations())
        load_checkpoint(model, os.path.join(folder, "there"))
        said["added"] = len(graph.get_operations()) - operations
        found = {"predicted": model.predict(x), "iterations": session.run(model.optimizer.iterations)}
        for _ in range(3):
            model.train_on_batch(x, y)
        export_checkpoint(model, os.path.join(folder, "back"))
        np.savez(os.path.join(folder, "said.npz"), trained=model.predict(x), **found)
    said["log"] = lines
    with open(os.path.join(folder, "said.json"), "w") as file:
        json.dump(said, file)


class Lines(logging.Handler):
    """Keeps the lines that are logged."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from keras_gensynth_callback import export_checkpoint, load_checkpoint

    tf.compat.v1.logging.set_verbosity("ERROR")
    logger = logging.getLogger("keras_gensynth_callback")
    logger.setLevel("INFO")
    for name in sorted(os.listdir(sys.argv[2])):
        tf.compat.v1.keras.backend.clear_session()
        logged = Lines()
        logger.addHandler(logged)
        main(os.path.join(sys.argv[2], name), logged.lines)
        logger.removeHandler(logged)
