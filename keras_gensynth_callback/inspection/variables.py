"""The variables of a graph, and what each of them is."""

import collections
import re

import tensorflow as tf

from keras_gensynth_callback.graph import node_of, type_name

from .collections import members, variable_defs
from .writes import is_variable, moving_writes

_KEYS = tf.compat.v1.GraphKeys
# How Keras and tf.metrics name what a metric accumulates in.
_ACCUMULATORS = re.compile(
    r"(^|/)(total|count|accumulator|true_positives|true_negatives|false_positives|false_negatives|total_cm"
    r"|squared_sum|sum|res|num_samples|conf_mtx)(_\d+)?$"
)

# `kind` is "weight", "metric", "optimizer" or "other"; `shape` a tuple of int, or None; `dtype` a name.
Variable = collections.namedtuple("Variable", ["name", "shape", "dtype", "trainable", "kind"])


def is_statistic(variable):
    """Whether a Variable is a weight that training moves by an update, and not by a gradient."""
    return variable.kind == "weight" and not variable.trainable


def variables_of(meta_graph, graph):
    """The variables of a graph, by its collections, and where these are silent by names and by what changes them.

    Args:
        meta_graph: MetaGraphDef.
        graph: its EditableGraph.

    Returns:
        {node name: Variable}, in the order of the collection `variables`, then in that of the graph.
    """
    handles = {node.name: node for node in graph.nodes.values() if is_variable(node)}
    listed = [node_of(name) for name in members(meta_graph, _KEYS.GLOBAL_VARIABLES)]
    order = dict.fromkeys([*(name for name in listed if name in handles), *handles])
    judge = _Judge(meta_graph, graph, handles)
    return {name: judge.variable(handles[name]) for name in order}


def initializers_of(meta_graph):
    """The names of the nodes that initialise variables."""
    return {node_of(variable.initializer_name) for variable in variable_defs(meta_graph).values()}


class _Judge:
    """Tells what a variable is."""

    def __init__(self, meta_graph, graph, handles):
        collection = lambda *keys: {node_of(name) for key in keys for name in members(meta_graph, key)}  # noqa: E731
        self._trainable = collection(_KEYS.TRAINABLE_VARIABLES)
        self._model = collection(_KEYS.MODEL_VARIABLES)
        self._metric = collection(_KEYS.METRIC_VARIABLES, _KEYS.LOCAL_VARIABLES)
        self._steps = collection(_KEYS.GLOBAL_STEP)
        self._handles = handles
        self._scopes = {_scope(name) for name in self._trainable}
        self._added_to = {
            variable
            for write, variable in moving_writes(graph, initializers_of(meta_graph)).items()
            if graph.nodes[write].op in ("AssignAddVariableOp", "AssignAdd")
        }

    def variable(self, node):
        shape = node.attr["shape"].shape
        return Variable(
            node.name,
            None if shape.unknown_rank else tuple(dimension.size for dimension in shape.dim),
            type_name(node.attr["dtype"].type),
            node.name in self._trainable,
            self._kind(node.name),
        )

    def _kind(self, name):
        if name in self._metric:
            return "metric"
        if name in self._model or name in self._trainable:
            return "weight"
        if self._is_optimizers(name):
            return "optimizer"
        if name.startswith("metrics/") or name in self._added_to and _ACCUMULATORS.search(name):
            return "metric"
        if self._model:
            return "other"
        return "weight" if _scope(name) in self._scopes or _is_of_a_layer(name) else "other"

    def _is_optimizers(self, name):
        parts = name.split("/")
        behind_another = any("/".join(parts[:end]) in self._handles for end in range(1, len(parts)))
        return name in self._steps or parts[0] == "training" or behind_another


def _scope(name):
    return name.rpartition("/")[0]


def _is_of_a_layer(name):
    return bool(re.search(r"/(kernel|bias|gamma|beta|moving_mean|moving_variance|embeddings|\w*_kernel)$", name))
