"""How many floating-point operations a prediction takes, node by node, from static shapes.

The counts are those of `tf.compat.v1.profiler` (tensorflow/python/profiler/internal/flops_registry.py), where a
multiplication and an addition are two. That one prints to stderr, knows no batch normalisation, and gives up inside of
loops.
"""

import numpy as np

from keras_gensynth_callback.graph import (
    WHILE_CONTEXT,
    EditableGraph,
    data_inputs,
    node_of,
    op_definition,
    output_types,
)
from keras_gensynth_callback.static import StaticShapes, small_constant
from keras_gensynth_callback.tools import keep_predictions

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
_SHOWN = 20
_FLOATING = frozenset([1, 2, 14, 19])  # DT_FLOAT, DT_DOUBLE, DT_BFLOAT16, DT_HALF


class Predictions:
    """The graph of a prediction for one example, and what each of its nodes costs.

    Args:
        meta_graph: MetaGraphDef; it stays as it is.
        outputs: tensor names.

    Attributes:
        graph: EditableGraph, with 1 for each size that is not known; None where there is none.
        flops: {node name: int}, of the nodes that take any; None where they cannot be counted.
        notes: list of str, what is to be known about the counts.
    """

    def __init__(self, meta_graph, outputs):
        self.flops, self.notes, self.graph, self._shapes = None, [], None, None
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
        return self._shapes.shape(tensor) if self._shapes is not None else None

    def _count(self, meta_graph, outputs):
        graph = EditableGraph.from_meta_graph(meta_graph)
        keep_predictions(graph, [node_of(tensor) for tensor in outputs])
        self._feed_one_example(graph)
        self.graph, self._shapes, turns = graph, StaticShapes(graph), _Turns(graph)
        counted = {name: self._flops_of(node) * turns.of(name) for name, node in graph.nodes.items()}
        self.flops = {name: count for name, count in counted.items() if count}
        if turns.unknown:
            self.notes.append(f"Counted once, since data decide how often they turn: {_some(turns.unknown)}.")

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
            self.notes.append(f"Sizes that are not known are taken as 1: {_some(dict.fromkeys(unknown))}.")

    def _flops_of(self, node):
        definition = op_definition(node.op)
        types = output_types(node) if definition is not None else ()
        if not types or types[0] not in _FLOATING:
            return 0
        inputs = data_inputs(node)
        sizes = lambda tensor: [size or 1 for size in self.shape(tensor) or ()]  # noqa: E731
        elements = lambda tensor: _product(sizes(tensor))  # noqa: E731
        results = elements(node.name)
        if node.op in _A_RESULT:
            return _A_RESULT[node.op] * results
        if node.op in _AN_ARGUMENT:
            return _AN_ARGUMENT[node.op] * elements(inputs[0])
        if node.op in _POOLS:
            return results * _product(max(size, 1) for size in node.attr["ksize"].list.i)
        if node.op == "AddN":
            return (len(inputs) - 1) * results
        if node.op == "MatMul":
            return 2 * results * _size(sizes(inputs[1]), -1 if node.attr["transpose_b"].b else -2)
        if node.op.startswith("BatchMatMul"):
            return 2 * results * _size(sizes(inputs[1]), -1 if node.attr["adj_y"].b else -2)
        if node.op in _CONVOLUTIONS:
            return 2 * results * _product(sizes(inputs[1])[: -_CONVOLUTIONS[node.op]])
        if node.op == "Conv2DBackpropInput":
            return 2 * elements(inputs[2]) * _product(sizes(inputs[1])[:-1])
        return 0


class _Turns:
    """How often a node runs in one prediction: in loops, as often as they turn at most, where that is a constant."""

    def __init__(self, graph):
        self._graph = graph
        self.unknown = {}

    def of(self, name):
        turns, context = 1, self._graph.context_of.get(name)
        while context is not None:
            if context.kind == WHILE_CONTEXT:
                turns *= self._of_loop(context)
            context = context.outer
        return turns

    def _of_loop(self, context):
        limit = self._graph.nodes.get(node_of(context.fields.maximum_iterations_name))
        limit = small_constant(limit, 1) if limit is not None else None
        if limit is not None and limit.size == 1 and limit.dtype.kind in "iu":
            return max(int(limit.ravel()[0]), 0)
        self.unknown[context.name] = True
        return 1


def _size(sizes, axis):
    return sizes[axis] if len(sizes) >= -axis else 1


def _some(names):
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _product(sizes):
    # Python's own numbers: what a file says may be larger than 64 bits.
    return int(np.prod(list(sizes), dtype=object))
