"""How many floating-point operations a prediction takes, node by node, from static shapes.

The counts are those of `tf.compat.v1.profiler` (tensorflow/python/profiler/internal/flops_registry.py), where a
multiplication and an addition are two. That one prints to stderr, knows no batch normalisation, and gives up inside of
loops.
"""

import numpy as np
import tensorflow as tf

from ..freezing import keep_predictions
from ..graphdef import WHILE_CONTEXT, EditableGraph, node_of

_A_RESULT = {
    **dict.fromkeys("Add AddV2 Sub Mul RealDiv Maximum Minimum Pow BiasAdd Neg Square Log Reciprocal".split(), 1),
    **dict.fromkeys("Relu Relu6 LeakyRelu Elu Selu Sigmoid Tanh Exp Erf Erfc Sqrt Abs Softplus Softsign".split(), 1),
    **dict.fromkeys("SquaredDifference Rsqrt FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3".split(), 2),
    **dict.fromkeys(["Softmax", "LogSoftmax"], 5),
}
_AN_ARGUMENT = {"Mean": 1, "Sum": 1, "Max": 1, "Min": 1, "Prod": 1}
_POOLS = ("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D")
# How the kernel's outputs are laid out: the last of its dimensions; for a depthwise one the last two.
_CONVOLUTIONS = {"Conv2D": 1, "Conv3D": 1, "DepthwiseConv2dNative": 2}


class Predictions:
    """The graph of a prediction for one example, and what each of its nodes costs.

    Args:
        meta_graph: MetaGraphDef; it stays as it is.
        outputs: tensor names.

    Attributes:
        graph: tf.Graph, with 1 for each size that is not known; None where it cannot be made.
        flops: {node name: int}, of the nodes that take any; None where they cannot be counted.
        notes: list of str, what is to be known about the counts.
    """

    def __init__(self, meta_graph, outputs):
        self.flops, self.notes, self.graph = None, [], None
        if not outputs:
            self.notes = ["FLOPs are not counted: there is no signature that says what a prediction gives."]
        elif meta_graph.graph_def.library.function:
            self.notes = ["FLOPs are not counted: the graph has functions."]
        else:
            copy = type(meta_graph)()
            copy.CopyFrom(meta_graph)
            self._count(copy, outputs)

    def shape(self, tensor):
        """The shape of a tensor for one example, a list of int or None; None if it is not known."""
        if self.graph is None:
            return None
        try:
            return self.graph.get_tensor_by_name(tensor).shape.as_list()
        except (KeyError, ValueError):
            return None

    def _count(self, meta_graph, outputs):
        graph = EditableGraph.from_meta_graph(meta_graph)
        keep_predictions(graph, [node_of(tensor) for tensor in outputs])
        self._feed_one_example(graph)
        imported = tf.Graph()
        try:
            with imported.as_default():
                tf.import_graph_def(graph.graph_def(meta_graph.graph_def.versions), name="")
        except (ValueError, tf.errors.OpError) as error:
            self.notes = [f"FLOPs are not counted: the graph does not load here ({error})."]
            return
        self.graph = imported
        turns = _Turns(graph)
        counted = {op.name: _flops_of(op) * turns.of(op.name) for op in imported.get_operations()}
        self.flops = {name: count for name, count in counted.items() if count}
        if turns.unknown:
            self.notes.append(f"Counted once, since data decide how often they turn: {', '.join(turns.unknown)}.")

    def _feed_one_example(self, graph):
        unknown = []
        for node in graph.nodes.values():
            node.attr.pop("_output_shapes", None)
            if node.op == "Placeholder" and not node.attr["shape"].shape.unknown_rank:
                sizes = node.attr["shape"].shape.dim
                unknown += [node.name for size in sizes[1:] if size.size < 0]
                for size in sizes:
                    size.size = 1 if size.size < 0 else size.size
        if unknown:
            self.notes.append(f"Sizes that are not known are taken as 1: {', '.join(dict.fromkeys(unknown))}.")


class _Turns:
    """How often a node runs in one prediction: in loops, as often as they turn at most, where that is a constant."""

    def __init__(self, graph):
        self._graph = graph
        self.unknown = []

    def of(self, name):
        turns, context = 1, self._graph.context_of.get(name)
        while context is not None:
            if context.kind == WHILE_CONTEXT:
                turns *= self._of_loop(context)
            context = context.outer
        return turns

    def _of_loop(self, context):
        limit = self._graph.nodes.get(node_of(context.fields.maximum_iterations_name))
        if limit is not None and limit.op == "Const":
            return int(tf.make_ndarray(limit.attr["value"].tensor))
        if context.name not in self.unknown:
            self.unknown.append(context.name)
        return 1


def _flops_of(op):
    if not op.outputs or not op.outputs[0].dtype.is_floating:
        return 0
    results = _elements(op.outputs[0])
    if op.type in _A_RESULT:
        return _A_RESULT[op.type] * results
    if op.type in _AN_ARGUMENT:
        return _AN_ARGUMENT[op.type] * _elements(op.inputs[0])
    if op.type in _POOLS:
        return results * _product(op.get_attr("ksize"))
    if op.type == "AddN":
        return (len(op.inputs) - 1) * results
    if op.type == "MatMul":
        return 2 * results * _size(op.inputs[1], -1 if op.get_attr("transpose_b") else -2)
    if op.type.startswith("BatchMatMul"):
        return 2 * results * _size(op.inputs[1], -1 if op.get_attr("adj_y") else -2)
    if op.type in _CONVOLUTIONS:
        return 2 * results * _product(_sizes(op.inputs[1])[: -_CONVOLUTIONS[op.type]])
    if op.type == "Conv2DBackpropInput":
        return 2 * _elements(op.inputs[2]) * _product(_sizes(op.inputs[1])[:-1])
    return 0


def _sizes(tensor):
    return [size or 1 for size in tensor.shape.as_list()] if tensor.shape.rank is not None else []


def _size(tensor, axis):
    sizes = _sizes(tensor)
    return sizes[axis] if len(sizes) >= -axis else 1


def _elements(tensor):
    return _product(_sizes(tensor))


def _product(sizes):
    return int(np.prod(sizes))
