"""Replays exports in TensorFlow 1.15 or older, which has never heard of Keras's layers: `replay_in_tf1.py FOLDER`.

Every sub-folder of FOLDER with `feeds.npz` holds an export `net`; its `replay.npz` (numbers) and `replay.json`
(names, sizes, errors) are written here. Nothing but TensorFlow 1.x and NumPy is used.
"""

import json
import os
import sys
import traceback

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.framework import op_def_registry

v1 = getattr(tf.compat, "v1", tf)  # which came with TensorFlow 1.13
v1.logging.set_verbosity("ERROR")


class Replay:
    def __init__(self, folder):
        self.prefix = os.path.join(folder, "net")
        self.arrays = dict(np.load(os.path.join(folder, "feeds.npz")))
        self.options = json.load(open(os.path.join(folder, "options.json")))
        self.numbers, self.facts = {}, {}
        self.meta = v1.MetaGraphDef()
        with open(self.prefix + ".meta", "rb") as f:
            self.meta.ParseFromString(f.read())

    def run(self):
        self.session = v1.Session()
        self.saver = v1.train.import_meta_graph(self.meta)
        self.restore()
        self.graph = v1.get_default_graph()
        self.look()
        serving = self.meta.signature_def["serving_default"]
        outputs = [
            t.name for _, t in sorted(serving.outputs.items(), key=lambda item: self.options["outputs"].index(item[0]))
        ]
        for i, value in enumerate(self.session.run(outputs, self.feed(slice(None), "x"))):
            self.numbers["predict/%d" % i] = value
        if "train" in self.meta.signature_def:
            self.evaluate()
            self.differentiate()
            self.update()
            self.train()

    def restore(self):
        self.saver.restore(self.session, self.prefix)
        self.session.run(v1.tables_initializer())

    def feed(self, rows, *kinds, **more):
        feed = {name: array[rows] for name, array in self.arrays.items() if self.options["kinds"][name] in kinds}
        if more.get("training"):
            feed["keras_learning_phase:0"] = True
        return feed

    def look(self):
        nodes = self.meta.graph_def.node
        self.facts["collections"] = {
            key: [getattr(item, "name", str(item)) for item in self.graph.get_collection(key)]
            for key in self.graph.get_all_collection_keys()
        }
        self.facts["signatures"] = {
            key: {"inputs": sorted(s.inputs), "outputs": sorted(s.outputs), "method": s.method_name}
            for key, s in self.meta.signature_def.items()
        }
        self.facts["functions"] = len(self.meta.graph_def.library.function)
        self.facts["devices"] = sorted({node.device for node in nodes})
        self.facts["private"] = sorted({key for node in nodes for key in node.attr if key.startswith("_")} - {"_class"})
        self.facts["nodes"] = len(nodes)
        self.facts["ops"] = {node.name: node.op for node in nodes}
        definitions = self.meta.meta_info_def.stripped_op_list.op
        self.facts["tensorflow"] = {
            "version": tf.__version__,
            "graph_def_version": v1.GRAPH_DEF_VERSION,
            "ops that differ": [op.name for op in definitions if op != own_definition(op.name)],
        }

    def evaluate(self):
        outputs = self.meta.signature_def["eval"].outputs
        updates = {k.split("/")[1]: t.name for k, t in outputs.items() if k.endswith("/update_op")}
        values = {
            k.split("/")[1]: t.name for k, t in outputs.items() if k.startswith("metrics/") and k.endswith("/value")
        }
        self.facts["values that change something"] = [name for name in values if self.changes(values[name])]
        self.session.run(v1.local_variables_initializer())
        losses = [
            self.session.run([outputs["loss"].name, updates], self.feed(rows, "x", "y", "weight"))[0]
            for rows in self.batches()
        ]
        # Without a reduction, a loss is a vector.
        means = [np.mean(loss) for loss in losses]
        self.numbers["average loss"] = np.average(means, weights=[rows.stop - rows.start for rows in self.batches()])
        for name, value in self.session.run(values).items():
            self.numbers["evaluate/%s" % name] = value
        self.restore()

    def changes(self, tensor):
        """Whether a variable changes where a tensor is fetched."""
        todo, seen = [self.graph.get_tensor_by_name(tensor).op], set()
        while todo:
            op = todo.pop()
            if op not in seen:
                seen.add(op)
                todo += [source.op for source in op.inputs] + list(op.control_inputs)
        return any(op.type.startswith(("Assign", "Resource")) for op in seen)

    def batches(self):
        size, count = self.options["batch"], len(next(iter(self.arrays.values())))
        return [slice(start, min(start + size, count)) for start in range(0, count, size)]

    def first(self, **more):
        return self.feed(slice(0, self.options["batch"]), "x", "y", "weight", "train_weight", **more)

    def differentiate(self):
        loss = self.graph.get_tensor_by_name(self.meta.signature_def["eval"].outputs["loss"].name)
        variables = v1.trainable_variables()
        gradients = tf.gradients(loss, variables)
        self.facts["without gradient"] = [v.name for v, g in zip(variables, gradients) if g is None]
        self.numbers["loss"] = self.session.run(loss, self.first())
        self.numbers["total loss"] = self.session.run(v1.losses.get_total_loss(), self.first())
        there = [tf.convert_to_tensor(g) for g in gradients if g is not None]
        for training in (True, False):
            for i, value in enumerate(self.session.run(there, self.first(training=training))):
                assert np.isfinite(value).all()
                self.numbers["gradient/%d" % i] = value

    def update(self):
        trainable = {v.name for v in v1.trainable_variables()}
        state = [
            v
            for v in v1.get_collection("model_variables")
            if v.name not in trainable and v.dtype.base_dtype.is_floating
        ]
        updates = v1.get_collection("update_ops")
        self.session.run(updates, self.first())
        self.numbers.update({"still/%d" % i: v for i, v in enumerate(self.session.run(state))})
        self.restore()
        self.session.run(updates, self.first(training=True))
        self.numbers.update({"after/%d" % i: v for i, v in enumerate(self.session.run(state))})
        self.restore()
        serving = self.meta.signature_def["serving_default"]
        output = sorted(t.name for t in serving.outputs.values())[0]
        twice = [
            self.session.run(output, self.first(training=True))
            for _ in range(2)
            if self.session.run(updates, self.first(training=True)) is not None
        ]
        self.facts["training differs"] = bool(np.abs(twice[0] - twice[1]).max() > 0)
        again = [self.session.run(output, self.first()) for _ in range(2)]
        self.facts["inference differs"] = bool(np.abs(again[0] - again[1]).max() > 0)
        self.restore()

    def train(self):
        if not v1.get_collection("train_op"):
            return
        step = v1.train.get_global_step()
        before = self.session.run(step)
        for _ in range(3):
            self.session.run(v1.get_collection("train_op")[0], self.first(training=True))
        self.facts["steps counted"] = int(self.session.run(step) - before)
        for i, value in enumerate(self.session.run(v1.trainable_variables())):
            self.numbers["trained/%d" % i] = value
        self.restore()
        self.session.run(self.own_step(v1.train.GradientDescentOptimizer(1e-3)), self.first(training=True))

    def own_step(self, optimizer):
        loss, updates = v1.losses.get_total_loss(), v1.get_collection("update_ops")
        if tf.__version__.startswith("1.14."):
            # Gradients of a while_loop that are made under a control dependency on what depends on the loop crash
            # TensorFlow 1.14.0 itself: with its own tf.keras LSTM, too.
            gradients = optimizer.compute_gradients(loss)
            with tf.control_dependencies(updates):
                return optimizer.apply_gradients(gradients)
        with tf.control_dependencies(updates):
            return optimizer.minimize(loss)


def own_definition(name):
    """The OpDef that the TensorFlow that runs this has, without its documentation, as an export holds it; or None."""
    definition = op_def_registry.get_registered_ops().get(name)
    if definition is None:
        return None
    plain = op_def_pb2.OpDef()
    plain.CopyFrom(definition)
    return plain


def main(root):
    for name in sorted(os.listdir(root)):
        folder = os.path.join(root, name)
        if not os.path.exists(os.path.join(folder, "feeds.npz")):
            continue
        v1.reset_default_graph()
        replay = Replay(folder)
        try:
            replay.run()
        except Exception:
            replay.facts["error"] = traceback.format_exc()
        np.savez(os.path.join(folder, "replay.npz"), **replay.numbers)
        with open(os.path.join(folder, "replay.json"), "w") as f:
            json.dump(replay.facts, f)


if __name__ == "__main__":
    main(sys.argv[1])
