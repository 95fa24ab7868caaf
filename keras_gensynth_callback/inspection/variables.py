"""The variables of a graph, and what each of them is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, NamedTuple, Optional, Set, Tuple

import tensorflow as tf

from keras_gensynth_callback.graph import node_of, type_name

from .collections import members, variable_defs
from .writes import is_variable, moving_writes

if TYPE_CHECKING:
    from typing import Literal

    from keras_gensynth_callback._types import MetaGraphDef, NodeDef
    from keras_gensynth_callback.graph import EditableGraph

    VariableKind = Literal["weight", "metric", "optimizer", "other"]

_KEYS = tf.compat.v1.GraphKeys
# How Keras and tf.metrics name what a metric accumulates in.
_ACCUMULATORS = re.compile(
    r"(^|/)(total|count|accumulator|true_positives|true_negatives|false_positives|false_negatives|total_cm"
    r"|squared_sum|sum|res|num_samples|conf_mtx)(_\d+)?$"
)


class Variable(NamedTuple):
    """A variable of a graph; `dtype` is a name."""

    name: str
    shape: Optional[Tuple[int, ...]]
    dtype: str
    trainable: bool
    kind: VariableKind


def is_statistic(variable: Variable) -> bool:
    """Whether a Variable is a weight that training moves by an update, and not by a gradient."""
    return variable.kind == "weight" and not variable.trainable


def variables_of(meta_graph: MetaGraphDef, graph: EditableGraph) -> Dict[str, Variable]:
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


def initializers_of(meta_graph: MetaGraphDef) -> Set[str]:
    """The names of the nodes that initialise variables."""
    return {node_of(variable.initializer_name) for variable in variable_defs(meta_graph).values()}


class _Judge:
    """Tells what a variable is."""

    def __init__(self, meta_graph: MetaGraphDef, graph: EditableGraph, handles: Dict[str, NodeDef]) -> None:
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

    def variable(self, node: NodeDef) -> Variable:
        shape = node.attr["shape"].shape
        return Variable(
            node.name,
            None if shape.unknown_rank else tuple(dimension.size for dimension in shape.dim),
            type_name(node.attr["dtype"].type),
            node.name in self._trainable,
            self._kind(node.name),
        )

    def _kind(self, name: str) -> VariableKind:
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

    def _is_optimizers(self, name: str) -> bool:
        parts = name.split("/")
        behind_another = any("/".join(parts[:end]) in self._handles for end in range(1, len(parts)))
        return name in self._steps or parts[0] == "training" or behind_another


def _scope(name: str) -> str:
    return name.rpartition("/")[0]


def _is_of_a_layer(name: str) -> bool:
    return bool(re.search(r"/(kernel|bias|gamma|beta|moving_mean|moving_variance|embeddings|\w*_kernel)$", name))
