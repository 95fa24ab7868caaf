"""Run in TensorFlow 1.15: counts the nodes of exports and of native graphs, and runs both in one process, by turns.

    side_by_side.py FOLDER KERAS ROUNDS [MODEL...]

measures FOLDER/MODEL/KERAS.meta against FOLDER/MODEL/native.meta, and
writes FOLDER/KERAS.json: model -> what was measured.
"""

import collections
import json
import os
import sys
import time

import numpy as np
import tensorflow as tf

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import models

v1 = tf.compat.v1
v1.logging.set_verbosity("ERROR")


class Side:
    """One graph in a session of its own, with its tensors known by their meaning, however it was made."""

    def __init__(self, prefix, names_of):
        meta = v1.MetaGraphDef()
        with open(prefix + ".meta", "rb") as file:
            meta.ParseFromString(file.read())
        self.nodes = {node.name: node for node in meta.graph_def.node}
        self.tensors = names_of(prefix, meta)
        with tf.Graph().as_default() as graph:
            saver = v1.train.import_meta_graph(meta)
            # Gradients of the loss alone, taken alike in both graphs, whatever the optimizer makes of them.
            loss = graph.get_tensor_by_name(self.tensors["loss"])
            gradients = tf.gradients(loss, v1.trainable_variables())
            self.gradients = [gradient.op for gradient in gradients]
            self.parameters = sum(variable.shape.num_elements() for variable in v1.trainable_variables())
            self.session = v1.Session(graph=graph)
            self.session.run(v1.local_variables_initializer())
            saver.restore(self.session, prefix)

    def counted(self):
        """How many nodes the forward pass has, and all that the model is but optimizer, initialisers and saver."""
        every = [self.tensors[key] for key in ("predictions", "loss")] + self.tensors["metrics"]
        return {
            "forward": self._ops([self.tensors["predictions"]]),
            "model": self._ops(every + self.tensors["updates"]),
        }

    def _ops(self, roots):
        """How often each op stands among what `roots` depend on."""
        seen, todo = set(), [_node_of(root) for root in roots]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(map(_node_of, self.nodes[name].input))
        return collections.Counter(self.nodes[name].op for name in seen)

    def runs(self, x, y):
        """What is timed: dict, label -> a callable that runs it once."""
        names, operation = self.tensors, self.session.graph.as_graph_element
        target = operation(names["target"])
        inference = {names["inputs"]: x}
        training = {names["inputs"]: x, target: y.reshape([-1] + [1] * (target.shape.rank - 1)), _PHASE: True}
        fetched = {
            "prediction": (operation(names["predictions"]).op, inference),
            "gradients": (self.gradients, training),
            "train step": ([operation(name) for name in names["train"]], training),
        }
        return {label: lambda job=job: self.session.run(*job) for label, job in fetched.items()}


_PHASE = "keras_learning_phase:0"


def native_names(prefix, meta):
    with open(prefix + ".json") as file:
        return json.load(file)


def names_of_export(prefix, meta):
    """The tensors of an export, by its signatures and collections alone."""
    evaluation = meta.signature_def["eval"]
    inputs = [info.name for info in meta.signature_def["serving_default"].inputs.values()]
    targets = [info.name for key, info in evaluation.inputs.items() if key.endswith("_target")]
    outputs = {key: info.name for key, info in evaluation.outputs.items()}
    nodes_of = lambda collection: list(meta.collection_def[collection].node_list.value)  # noqa: E731
    return {
        "inputs": inputs[0],
        "target": targets[0],
        "predictions": next(name for key, name in outputs.items() if key.startswith("predictions")),
        "loss": outputs["loss"],
        "metrics": [name for key, name in outputs.items() if key.startswith("metrics/")],
        "updates": nodes_of("update_ops"),
        "train": [outputs["loss"], *nodes_of("train_op")],
    }


def timed(runs, rounds):
    """Runs all sides by turns: dict, label -> the median over the rounds of each side's seconds, and of their ratio."""
    found = {}
    for label in runs[0]:
        for side in runs:
            side[label](), side[label]()
        seconds = np.array([_round(runs, label, number) for number in range(rounds)])
        ours, native = np.median(seconds, axis=0)
        ratio = float(np.median(seconds[:, 0] / seconds[:, 1]))
        found[label] = {"ours": float(ours), "native": float(native), "ratio": ratio}
    return found


def _round(runs, label, number):
    """One run of each side; which is first changes from round to round."""
    seconds = [0.0] * len(runs)
    for side in range(len(runs)) if number % 2 else reversed(range(len(runs))):
        started = time.perf_counter()
        runs[side][label]()
        seconds[side] = time.perf_counter() - started
    return seconds


def _node_of(tensor):
    return tensor.lstrip("^").split(":")[0]


def main(folder, keras, rounds, *names):
    measured, rounds = {}, int(rounds)
    for name in names or models.ALL:
        ours = Side(os.path.join(folder, name, keras), names_of_export)
        native = Side(os.path.join(folder, name, "native"), native_names)
        if ours.parameters != native.parameters:
            sys.exit("%s: %d and %d parameters; not the same model" % (name, ours.parameters, native.parameters))
        runs = [side.runs(*models.batch(name)) for side in (ours, native)]
        measured[name] = {
            "nodes": {"ours": ours.counted(), "native": native.counted()},
            "seconds": timed(runs, rounds if "lstm" not in name else 5 * rounds) if rounds else {},
        }
    with open(os.path.join(folder, keras + ".json"), "w") as file:
        json.dump(measured, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
