"""Replays exports of recipes in TensorFlow 1.15, many in one process: reads a JSON line each, and answers with one.

Nothing but TensorFlow 1.x and NumPy is used. Stages are tried one after the other, whichever of them fails.
"""

import json
import os
import sys
import time
import traceback

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "helpers")]
import numpy as np
import tensorflow as tf
from replay_in_tf1 import Replay

from generated.structure import problems

v1 = tf.compat.v1


class Stages(Replay):
    def run(self):
        self.facts.update(errors={}, tracebacks={}, structure=[], changed=[])
        self.said = self.options["facts"]
        config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        with v1.Session(config=config) as self.session:
            if not self.tried("load", self.load):
                return
            stages = [
                self.check_structure,
                self.predict,
                self.evaluate,
                self.differentiate,
                self.update,
                self.draw,
                self.train,
            ]
            for stage in stages:
                self.tried(stage.__name__, stage)

    def tried(self, name, stage):
        try:
            stage()
            return True
        except Exception as error:
            self.facts["errors"][name] = ("%s: %s" % (type(error).__name__, error))[:2000]
            self.facts["tracebacks"][name] = traceback.format_exc()[-4000:]
            return False

    def load(self):
        self.saver = v1.train.import_meta_graph(self.meta)
        self.restore()
        self.graph = v1.get_default_graph()
        serving = self.meta.signature_def["serving_default"].outputs
        self.outputs = [serving[name].name for name in self.options["outputs"]]
        self.updates = v1.get_collection("update_ops")
        self.facts["nodes"] = len(self.meta.graph_def.node)

    def check_structure(self):
        self.facts["structure"] = list(problems(self.graph, self.meta, self.said, v1.trainable_variables()))

    def keep(self, kind, values):
        self.numbers.update({"%s/%d" % (kind, i): value for i, value in enumerate(values)})

    def first(self, training=False, weights=False):
        kinds = ("x", "y", "weight", "train_weight") if weights else ("x", "y")
        return self.feed(slice(0, self.options["batch"]), *kinds, training=training)

    def predict(self):
        rows = [self.session.run(self.outputs, self.feed(rows, "x")) for rows in self.batches()]
        self.keep("predict", [np.concatenate(parts) for parts in zip(*rows)])

    def evaluate(self):
        self.evaluated("evaluate", "x", "y")
        if "weight" in self.options["kinds"].values():
            self.evaluated("weighted", "x", "y", "weight")

    def evaluated(self, title, *kinds):
        outputs = self.meta.signature_def["eval"].outputs
        names = sorted(k.split("/")[1] for k in outputs if k.startswith("metrics/") and k.endswith("/value"))
        updates = {name: outputs["metrics/%s/update_op" % name].name for name in names}
        values = {name: outputs["metrics/%s/value" % name].name for name in names}
        self.session.run(v1.local_variables_initializer())
        feeds = [self.feed(rows, *kinds) for rows in self.batches()]
        losses = [self.session.run([outputs["loss"].name, updates], feed)[0] for feed in feeds]
        counted = [np.size(loss) if self.said["weighs_elements"] else 1 for loss in losses]
        sizes = [(rows.stop - rows.start) * count for rows, count in zip(self.batches(), counted)]
        self.numbers["%s/loss" % title] = np.average([np.mean(loss) for loss in losses], weights=sizes)
        for name, value in self.session.run(values).items():
            if name != "loss":
                self.numbers["%s/%s" % (title, name)] = value
        self.session.run(v1.local_variables_initializer())
        feed = self.first(training=True)
        for name in names:
            given, read = self.session.run(updates[name], feed), self.session.run(values[name])
            if not np.allclose(given, read, 1e-5, equal_nan=True):
                self.facts["changed"].append(
                    "update_op of %s gives %s in the training phase, read it is %s" % (name, given, read)
                )
        self.restore()

    def differentiate(self):
        loss = self.graph.get_tensor_by_name(self.meta.signature_def["eval"].outputs["loss"].name)
        variables = v1.trainable_variables()
        self.facts["variables"] = [v.op.name for v in variables]
        gradients = tf.gradients(loss, variables)
        there = {str(i): tf.convert_to_tensor(g) for i, g in enumerate(gradients) if g is not None}
        for i, value in self.session.run(there, self.first()).items():
            self.numbers["gradient/%s" % i] = value
        for value in self.session.run(list(there.values()), self.first(training=True)):
            assert np.isfinite(value).all(), "a gradient in the training phase is not finite"
        self.restore()  # a layer may change its state on the way to its output
        total, loss = self.session.run([v1.losses.get_total_loss(), loss], self.first())
        if not np.allclose(total, loss, 1e-5, 1e-11):
            self.facts["changed"].append("tf.losses.get_total_loss() is %r, the loss %r" % (total, loss))

    def states(self):
        trainable = {v.name for v in v1.trainable_variables()}
        weights = [v for v in v1.get_collection("model_variables") if v.name not in trainable]
        return [v for v in weights if v.dtype.base_dtype.is_floating]

    def update(self):
        states = self.states()
        self.keep("start", self.session.run(states))
        self.session.run(self.updates, self.first())
        self.keep("before", self.session.run(states))
        self.restore()
        self.keep("training", self.in_training())
        self.session.run(self.updates, self.first(training=True))
        self.keep("after", self.session.run(states))
        self.restore()

    def in_training(self):
        """Outputs in the training phase, from the state of the export: a layer may change it on the way."""
        found = self.session.run(self.outputs, self.first(training=True))
        self.restore()
        return found

    def draw(self):
        """Outputs that are random: twice by themselves, and time and again with the updates."""
        random = self.said["random"]
        again = [self.in_training() for _ in range(2)]
        calm = [self.session.run(self.outputs, self.first()) for _ in range(2)]
        self.facts["random"] = [not np.array_equal(*pair) for pair in zip(*again)]
        self.facts["random_inference"] = any(not np.array_equal(*pair) for pair in zip(*calm))
        if any(random):
            runs = []
            for _ in range(12):
                runs.append(self.session.run([self.outputs, self.updates], self.first(training=True))[0])
                self.restore()
            self.keep("draws", [np.stack(values) for values in zip(*runs)])

    def train(self):
        step = v1.train.get_global_step()
        before = self.session.run(step)
        feed = self.first(training=True, weights=True)
        for _ in range(3):
            self.session.run(v1.get_collection("train_op")[0], feed)
        self.facts["steps"] = int(self.session.run(step) - before)
        values = self.session.run(v1.trainable_variables())
        assert all(np.isfinite(value).all() for value in values), "weights are not finite after 3 steps"
        self.keep("trained", values)
        self.restore()
        self.session.run(self.own_step(v1.train.GradientDescentOptimizer(1e-3)), self.first(training=True))
        assert np.isfinite(self.session.run(v1.losses.get_total_loss(), self.first())).all(), (
            "a TF 1.x optimizer diverges"
        )


def replay(folder):
    """Replays the export in one folder."""
    started = time.time()
    v1.reset_default_graph()
    stages = Stages(folder)
    stages.run()
    np.savez(os.path.join(folder, "got.npz"), **stages.numbers)
    stages.facts["seconds"] = round(time.time() - started, 2)
    return stages.facts


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(replay(json.loads(line)["folder"])), flush=True)
