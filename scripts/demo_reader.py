"""The second half of the demo: a TensorFlow 1.x program that knows neither Keras nor the package.

    python scripts/demo_reader.py FOLDER

FOLDER holds the exports and `data.npz`. What is found is written to FOLDER/reader.json, for demo.py to show.
It runs in TensorFlow 1.15, on Python 3.7, and in the v1 mode of later ones.
"""

import json
import os
import platform
import sys
import textwrap

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
tf.logging.set_verbosity("ERROR")

BATCH = 32
EPOCHS = 3


def batches(x, y, random=None):
    """Yields batches of images and labels, in random order if there is a random generator."""
    order = np.arange(len(x)) if random is None else random.permutation(len(x))
    for start in range(0, len(x), BATCH):
        rows = order[start : start + BATCH]
        yield x[rows], y[rows]


class Digits:
    """The restored graph, with what its signatures and collections name."""

    def __init__(self, session, meta):
        self.session = session
        self.eval = meta.signature_def["eval"]
        self.learning_phase = tf.get_default_graph().get_tensor_by_name("keras_learning_phase:0")

    def feed(self, x, y):
        inputs = self.eval.inputs
        return {inputs["image"].name: x, inputs["digit_target"].name: y}

    def evaluate(self, x, y):
        """Returns predictions, loss and accuracy: the metric counts over batches, as `tf.metrics` do."""
        outputs = self.eval.outputs
        names = [outputs["predictions/digit" if "predictions/digit" in outputs else "predictions"].name]
        names += [outputs["loss"].name, outputs["metrics/accuracy/update_op"].name]
        self.session.run(tf.local_variables_initializer())
        results = [self.session.run(names, self.feed(*batch)) for batch in batches(x, y)]
        sizes = [len(predictions) for predictions, _, _ in results]
        return {
            "predictions": np.concatenate([predictions for predictions, _, _ in results]).tolist(),
            "loss": float(np.average([loss for _, loss, _ in results], weights=sizes)),
            "accuracy": float(self.session.run(outputs["metrics/accuracy/value"].name)),
            "tensorflow": "TensorFlow " + tf.__version__,
        }

    def train(self, step, x, y):
        """Runs a training step over the data, a few times, in the training phase."""
        random = np.random.RandomState(1)
        for _ in range(EPOCHS):
            for batch in batches(x, y, random):
                feed = self.feed(*batch)
                feed[self.learning_phase] = True
                self.session.run(step, feed)


def momentum_step(session):
    """Returns a step of an optimizer that the exporting program never heard of."""
    optimizer = tf.train.MomentumOptimizer(0.02, 0.9)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = optimizer.minimize(tf.losses.get_total_loss(), global_step=tf.train.get_global_step())
    session.run(tf.variables_initializer(optimizer.variables()))
    return step


def collections():
    """Returns a row for each collection: its name, its size and its first members."""
    rows = []
    for name in tf.get_default_graph().get_all_collection_keys():
        members = tf.get_collection(name)
        names = ", ".join(str(getattr(member, "name", type(member).__name__)) for member in members)
        rows.append([name, len(members), textwrap.shorten(names, 72, placeholder=" ...")])
    return sorted(rows)


def main(folder):
    data = np.load(os.path.join(folder, "data.npz"))
    train, test = (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])

    prefix = tf.train.latest_checkpoint(folder)
    meta = tf.MetaGraphDef()
    with open(prefix + ".meta", "rb") as f:
        meta.ParseFromString(f.read())
    saver = tf.train.import_meta_graph(meta)
    found = {"tensorflow": tf.__version__, "python": platform.python_version(), "checkpoint": os.path.basename(prefix)}
    found["collections"] = collections()

    with tf.Session() as session:
        saver.restore(session, prefix)
        digits = Digits(session, meta)
        found["restored"] = digits.evaluate(*test)
        steps = [
            ("as restored", None),
            ("%d epochs with Keras's own train_op" % EPOCHS, tf.get_collection("train_op")),
            ("%d epochs with tf.train.MomentumOptimizer" % EPOCHS, momentum_step(session)),
        ]
        found["training"] = []
        for title, step in steps:
            if step is not None:
                digits.train(step, *train)
            loss, accuracy = digits.evaluate(*train)["loss"], digits.evaluate(*test)["accuracy"]
            found["training"].append([title, "%.4f" % loss, "%.4f" % accuracy])
        found["tuned"] = digits.evaluate(*test)
        saver.save(session, os.path.join(folder, "tuned"), write_meta_graph=False)

    with open(os.path.join(folder, "reader.json"), "w") as f:
        json.dump(found, f, indent=1)


if __name__ == "__main__":
    main(sys.argv[1])
