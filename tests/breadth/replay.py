"""Replays exports in TensorFlow 1.15, many in one process: reads a folder a line, and says it again once it is done.

Each folder holds an export `net`, `feeds.npz` and `options.json`; `replay.npz` (numbers) and `replay.json` (facts, and
an error for each stage that failed) are written beside them. Nothing but TensorFlow 1.x and NumPy is used.
"""

import json
import os
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "helpers"))
import numpy as np
import tensorflow as tf
from replay_in_tf1 import Replay

v1 = tf.compat.v1


class Stages(Replay):
    """A replay whose stages are tried one after the other, whichever of them fails."""

    def run(self):
        self.facts["errors"] = {}
        config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        with v1.Session(config=config) as self.session:
            if not self.tried("load", self.load):
                return
            more = (self.evaluate, self.differentiate, self.update, self.draw, self.train)
            for stage in (self.predict, *(more if "train" in self.meta.signature_def else ())):
                self.tried(stage.__name__, stage)

    def tried(self, name, stage):
        try:
            stage()
            return True
        except Exception as error:
            self.facts["errors"][name] = "%s: %s" % (type(error).__name__, error)
            self.facts.setdefault("tracebacks", {})[name] = traceback.format_exc()
            return False

    def load(self):
        self.saver = v1.train.import_meta_graph(self.meta)
        self.restore()
        self.graph = v1.get_default_graph()
        serving = self.meta.signature_def["serving_default"].outputs
        self.outputs = [t.name for _, t in sorted(serving.items(), key=lambda i: self.options["outputs"].index(i[0]))]
        self.updates = v1.get_collection("update_ops")
        self.facts["nodes"] = len(self.meta.graph_def.node)

    def keep(self, kind, values):
        self.numbers.update({"%s/%d" % (kind, i): value for i, value in enumerate(values)})

    def predict(self):
        rows = [self.session.run(self.outputs, self.feed(rows, "x")) for rows in self.batches()]
        self.keep("predict", [np.concatenate(parts) for parts in zip(*rows)])
        again = [self.session.run(self.outputs[0], self.first()) for _ in range(2)]
        self.facts["random_inference"] = not np.array_equal(*again)

    def differentiate(self):
        loss = self.graph.get_tensor_by_name(self.meta.signature_def["eval"].outputs["loss"].name)
        variables = v1.trainable_variables()
        self.facts["variables"] = [v.name for v in variables]
        gradients = tf.gradients(loss, variables)
        there = {str(i): tf.convert_to_tensor(g) for i, g in enumerate(gradients) if g is not None}
        for phase, training in (("inference", False), ("training", True)):
            for i, value in self.session.run(there, self.first(training=training)).items():
                assert np.isfinite(value).all(), "the gradient of %s is not finite" % variables[int(i)].name
                self.numbers["gradient/%s/%s" % (phase, i)] = value

    def update(self):
        trainable = v1.trainable_variables()
        names = {v.name for v in trainable}
        weights = [v for v in v1.get_collection("model_variables") if v.name not in names]
        state = [v for v in weights if v.dtype.base_dtype.is_floating]
        self.restore()
        for kind, training in (("before", False), ("after", True)):
            found = self.session.run(trainable)
            values = self.session.run(self.outputs + self.updates, self.first(training=training))
            if training:
                self.keep("training", values[: len(self.outputs)])
            else:
                pairs = zip([v.name for v in trainable], found, self.session.run(trainable))
                self.facts["moved in inference"] = [n for n, a, b in pairs if not _same(a, b)]
            self.keep(kind, self.session.run(state))
            self.restore()

    def draw(self):
        """What comes out in training, time and again, while the layers' states move on."""
        runs = range(self.options["runs"])
        values = [self.session.run(self.outputs[:1] + self.updates, self.first(training=True))[0] for _ in runs]
        if values:
            self.numbers["random/training"] = np.stack(values)
        self.restore()

    def train(self):
        step = v1.train.get_global_step()
        before = self.session.run(step)
        for _ in range(3):
            self.session.run(v1.get_collection("train_op")[0], self.first(training=True))
        self.facts["steps"] = int(self.session.run(step) - before)
        values = self.session.run(v1.trainable_variables())
        assert all(np.isfinite(value).all() for value in values), "weights are not finite after 3 steps"
        self.keep("trained", values)


def _same(a, b):
    """Whether two arrays are equal, as not-a-number is to itself."""
    return ((a == b) | (a != a) & (b != b)).all()


def _kept(value):
    """The value as it can be kept: NumPy's files do not know bfloat16."""
    return np.float32(value) if value.dtype == tf.bfloat16.as_numpy_dtype else value


def replay(folder):
    """Replays the export in one folder."""
    v1.reset_default_graph()
    stages = Stages(folder)
    stages.run()
    np.savez(os.path.join(folder, "replay.npz"), **{k: _kept(v) for k, v in stages.numbers.items()})
    with open(os.path.join(folder, "replay.json"), "w") as f:
        json.dump(stages.facts, f)


if __name__ == "__main__":
    for line in sys.stdin:
        replay(line.strip())
        print(line.strip(), flush=True)
