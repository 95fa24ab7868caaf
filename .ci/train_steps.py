#!/usr/bin/env python
"""A second opinion on the referee's check "3 train_op steps", variable by variable. Run it in TensorFlow 1.15:

    python .ci/train_steps.py OUT_DIR       OUT_DIR is what the referee was given

The referee measures how far each weight is from Keras's relative to the largest value of that weight. For one kind of
weight that says nothing: where the true gradient is 0, as for the bias of an attention's keys (softmax is blind to a
shift of all scores), the computed gradient is rounding noise. An optimizer that divides a gradient by its size (Adam,
RMSprop) turns the noise into steps, other ones in each program, and the weight, which began at 0, is nothing else.

So the steps are run again and compared with the same bound, leaving out exactly those variables whose gradient, as
Keras itself recorded it, is below 1e-6 of the largest gradient. It fails if any other variable falls short, or if more
than one variable in ten is left out.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

tf.compat.v1.logging.set_verbosity("ERROR")

BOUND = 1e-4
# The referee's own floor for the scale of a weight.
FLOOR = 1e-6
NOISE = 1e-6
MOST_LEFT_OUT = 0.1
STEPS = 3


class Witness:
    """What Keras said: data, gradients, and the weights after the steps."""

    def __init__(self, folder):
        with open(os.path.join(folder, "witness.json")) as f:
            self.facts = json.load(f)
        self.arrays = np.load(os.path.join(folder, "witness.npz"))

    def group(self, kind):
        """The arrays of a kind by their number."""
        found = [name.split("/") for name in self.arrays.files]
        return {int(number): self.arrays[start + "/" + number] for start, number in found if start == kind}

    def noise(self):
        """The variables whose gradient is noise: by number, the size of it relative to the largest gradient."""
        sizes = {number: np.abs(gradient).max() for number, gradient in self.group("gradient").items()}
        largest = max(sizes.values())
        return {number: size / largest for number, size in sizes.items() if size < NOISE * largest}


def feed_for(signature, witness):
    """The first batch, fed by signature key: by Keras's names where they are there, else in the order of the keys."""
    tensors = {key: info.name for key, info in signature.inputs.items()}
    feed = {tensors.pop("keras_learning_phase"): True}
    targets = {key for key in tensors if key.endswith("_target")}
    inputs = {key for key in tensors if not key.endswith("_sample_weights")} - targets
    for kind, names, keys in (
        ("x", witness.facts["inputs"], inputs),
        ("y", [name + "_target" for name in witness.facts["outputs"]], targets),
    ):
        order = names if set(names) == keys else sorted(keys)
        for number, array in witness.group(kind).items():
            feed[tensors[order[number]]] = array[: witness.facts["batch"]]
    return feed


def train(folder, witness):
    """Returns the trainable variables and their values after the steps."""
    prefix, meta = os.path.join(folder, "net"), tf.compat.v1.MetaGraphDef()
    with open(prefix + ".meta", "rb") as f:
        meta.ParseFromString(f.read())
    saver = tf.compat.v1.train.import_meta_graph(meta)
    feed = feed_for(meta.signature_def["train"], witness)
    with tf.compat.v1.Session() as session:
        saver.restore(session, prefix)
        (step,) = tf.compat.v1.get_collection("train_op")
        for _ in range(STEPS):
            session.run(step, feed)
        variables = tf.compat.v1.trainable_variables()
        return variables, session.run(variables)


def main(folder):
    witness = Witness(folder)
    variables, values = train(folder, witness)
    wanted, noise = witness.group("trained"), witness.noise()
    if len(wanted) != len(variables):
        sys.exit("FALLS SHORT %d trained weights of Keras, %d in the export" % (len(wanted), len(variables)))
    good, worst = True, 0.0
    for number, (variable, value) in enumerate(zip(variables, values)):
        error = np.abs(value - wanted[number]).max() / max(np.abs(wanted[number]).max(), FLOOR)
        if number in noise:
            text = "left out    %s: gradient %.1g of the largest, largest weight %.2g, difference %.2g"
            print(text % (variable.op.name, noise[number], np.abs(wanted[number]).max(), error))
        elif error <= BOUND:
            worst = max(worst, error)
        else:
            good = False
            print("FALLS SHORT %s: %.2g (bound %.0e)" % (variable.op.name, error, BOUND))
    compared = len(variables) - len(noise)
    print("%d of %d variables compared, the worst of those within the bound %.2g" % (compared, len(variables), worst))
    if len(noise) > MOST_LEFT_OUT * len(variables):
        good = False
        print("FALLS SHORT more than one variable in ten would have to be left out")
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
