"""Small graphs, run in the installed TensorFlow as they were written and in TensorFlow 1.15 as they were rewritten."""

import collections
import inspect
import json

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.graph import EditableGraph, node_of
from keras_gensynth_callback.target import fit_to_target

# What `run_in_reader` gives for one graph: the outputs, and the gradients of a sum of their squares.
Numbers = collections.namedtuple("Numbers", ["outputs", "gradients"])


class Traced:
    """A function as a v1 graph, with what the installed TensorFlow computes with it.

    Args:
        function: takes tensors and returns a tensor or a list of tensors.
        *inputs: arrays; their first axis is left open.
        shapes: bool, whether the nodes carry their static shapes.
        differentiate: bool, whether gradients are compared too.
        reference: a function that gives the expected numbers, where the installed TensorFlow cannot compute `function`.

    Attributes:
        graph: EditableGraph.
        changes: what `fit` changed.
        expected: Numbers.
    """

    def __init__(self, function, *inputs, shapes=True, reference=None, differentiate=True):
        self._differentiate = differentiate
        self.inputs = [np.asarray(value) for value in inputs]
        control_flow_v2 = tf.compat.v1.control_flow_v2_enabled()
        tf.compat.v1.disable_control_flow_v2()
        try:
            with tf.Graph().as_default() as graph:
                self._build(function, graph, shapes)
        finally:
            if control_flow_v2:
                tf.compat.v1.enable_control_flow_v2()
        self.changes = None
        if reference is not None:
            self._run = Traced(reference, *inputs, differentiate=differentiate)._run

    def _build(self, function, graph, shapes):
        placeholders = [tf.compat.v1.placeholder(x.dtype, (None,) + x.shape[1:] if x.ndim else ()) for x in self.inputs]
        outputs = tf.nest.flatten(function(*placeholders))
        meta_graph = tf.compat.v1.MetaGraphDef(graph_def=graph.as_graph_def(add_shapes=shapes))
        for key in ("cond_context", "while_context"):
            for context in graph.get_collection(key):
                meta_graph.collection_def[key].bytes_list.value.append(context.to_proto().SerializeToString())
        self.graph = EditableGraph.from_meta_graph(meta_graph)
        self.feeds, self.outputs = [x.name for x in placeholders], [y.name for y in outputs]
        sources = [x for x in placeholders if x.dtype.is_floating and self._differentiate]
        self.differentiable = [x.name for x in sources]
        floating = [y for y in outputs if y.dtype.is_floating]
        gradients = []
        if floating and sources:
            found = tf.gradients(loss_of(floating), sources)
            gradients = [tf.convert_to_tensor(g) for g in found if g is not None]
        self._run = graph, {"y": outputs, "g": gradients}, dict(zip(placeholders, self.inputs))

    @property
    def expected(self):
        graph, fetches, feeds = self._run
        with tf.compat.v1.Session(graph=graph) as session:
            values = session.run(fetches, feeds)
        return Numbers(values["y"], values["g"])

    def ops(self):
        """The ops of the graph as it is now: dict, op -> how many."""
        return collections.Counter(node.op for node in self.graph.nodes.values())

    def fit(self, target="1.15"):
        """Fits the graph to a target and returns the names of the rules that changed something."""
        self.changes = fit_to_target(self.graph, target, kept=[node_of(output) for output in self.outputs])
        return list(dict.fromkeys(change.rule for change in self.changes))

    def write(self, folder):
        """Writes the graph and its inputs where `READER` finds them."""
        meta_graph = tf.compat.v1.MetaGraphDef(graph_def=self.graph.graph_def())
        for key, protos in self.graph.context_protos().items():
            meta_graph.collection_def[key].bytes_list.value.extend(proto.SerializeToString() for proto in protos)
        (folder / "graph.pb").write_bytes(meta_graph.SerializeToString())
        np.savez(str(folder / "inputs.npz"), *self.inputs)
        names = {"feeds": self.feeds, "outputs": self.outputs, "differentiable": self.differentiable}
        (folder / "names.json").write_text(json.dumps(names))


def loss_of(outputs):
    """A scalar; runs here and in the reader. Each square has a weight of its own: of the plain sum of squares,
    normalisations have gradients of nothing but rounding.
    """
    weights = [tf.reshape(1.5 + tf.cos(tf.cast(tf.range(tf.size(y)), tf.float32)), tf.shape(y)) for y in outputs]
    return tf.add_n([tf.reduce_sum(tf.cast(weight, y.dtype) * y * y) for weight, y in zip(weights, outputs)])


READER = (
    """
import json, os, sys

os.environ.pop("TF2_BEHAVIOR", None)  # set by a newer TensorFlow in the process that started this one
import numpy as np
import tensorflow as tf
"""
    + inspect.getsource(loss_of)
    + """
for folder in sys.argv[1:]:
    names = json.load(open(folder + "/names.json"))
    with tf.Graph().as_default() as graph:
        with open(folder + "/graph.pb", "rb") as file:
            tf.train.import_meta_graph(tf.MetaGraphDef.FromString(file.read()))
        outputs = [graph.get_tensor_by_name(name) for name in names["outputs"]]
        floating = [y for y in outputs if y.dtype.is_floating]
        sources = [graph.get_tensor_by_name(name) for name in names["differentiable"]]
        gradients = []
        if floating and sources:
            found = tf.gradients(loss_of(floating), sources)
            gradients = [tf.convert_to_tensor(g) for g in found if g is not None]
        with np.load(folder + "/inputs.npz") as arrays:
            inputs = [arrays[key] for key in arrays.files]
        with tf.Session(graph=graph) as session:
            values = session.run({"y": outputs, "g": gradients}, dict(zip(names["feeds"], inputs)))
    np.savez(folder + "/outputs.npz", *values["y"])
    np.savez(folder + "/gradients.npz", *values["g"])
"""
)


def run_in_reader(reader, folder, traced):
    """Runs fitted graphs in TensorFlow 1.15: a list of Numbers, one for each Traced."""
    folders = []
    for number, case in enumerate(traced):
        folders.append(folder / str(number))
        folders[-1].mkdir()
        case.write(folders[-1])
    reader.run(READER, *folders)
    return [Numbers(_read(path / "outputs.npz"), _read(path / "gradients.npz")) for path in folders]


def assert_same_numbers(reader, folder, *traced, tolerance=1e-5):
    """Asserts that each fitted graph computes in TensorFlow 1.15 what it computed before: outputs and gradients."""
    for case, found in zip(traced, run_in_reader(reader, folder, traced)):
        assert_equal(case.expected, found, tolerance)


def assert_equal(expected, found, tolerance):
    """Asserts that Numbers are those that are expected, relative to the largest of each array."""
    assert len(found.outputs) == len(expected.outputs) > 0
    assert len(found.gradients) == len(expected.gradients)
    for here, there in zip(expected.outputs + expected.gradients, found.outputs + found.gradients):
        assert (here.shape, here.dtype) == (there.shape, there.dtype)
        scale = max(np.abs(here.astype("f8")).max(), 1e-3) if here.size else 1.0
        assert np.abs(here.astype("f8") - there.astype("f8")).max(initial=0.0) <= tolerance * scale


def _read(path):
    with np.load(str(path)) as arrays:
        return [arrays[key] for key in arrays.files]
