"""What collections and signatures lack, as far as the graph shows it by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, List, Optional

import tensorflow as tf

from keras_gensynth_callback.graph import data_inputs, is_write, node_of, tensor_name

from .collections import members
from .layers import CARRYING, scopes_around
from .variables import initializers_of, is_statistic
from .writes import is_variable, moving_writes, reached_by

if TYPE_CHECKING:
    from keras_gensynth_callback._types import MetaGraphDef, NodeDef
    from keras_gensynth_callback.graph import EditableGraph

    from .variables import Variable

_KEYS = tf.compat.v1.GraphKeys
# How tf.keras names them in graph mode: the sum of all losses, the step of `fit`, the targets (engine/training_v1.py).
_TOTAL_LOSS = re.compile(r"loss(_\d+)?/(mul|add|add_\d+|AddN)$")
_TRAIN_STEP = re.compile(r"training(_\d+)?/group_deps$")
_TARGET = "_target"


def missing_members(
    meta_graph: MetaGraphDef, graph: EditableGraph, variables: Dict[str, Variable]
) -> Dict[str, List[str]]:
    """What can be added to collections: {collection: names of ops, tensors or variables}.

    Args:
        meta_graph: MetaGraphDef.
        graph: its EditableGraph.
        variables: {name: Variable}, from `variables_of`.
    """
    of_kind = lambda kind: [f"{name}:0" for name, variable in variables.items() if variable.kind == kind]  # noqa: E731
    wanted = {
        _KEYS.MODEL_VARIABLES: of_kind("weight"),
        _KEYS.LOCAL_VARIABLES: of_kind("metric"),
        _KEYS.METRIC_VARIABLES: of_kind("metric"),
        _KEYS.UPDATE_OPS: _updates(meta_graph, graph, variables),
        _KEYS.LOSSES: [] if members(meta_graph, _KEYS.LOSSES) else _total_loss(graph),
        _KEYS.TRAIN_OP: [] if members(meta_graph, _KEYS.TRAIN_OP) else _last(graph, _TRAIN_STEP),
    }
    found: Dict[str, List[str]] = {}
    for key, names in wanted.items():
        there = set(members(meta_graph, key))
        lacking = [name for name in names if name not in there]
        if lacking:
            found[key] = lacking
    return found


def outputs_of(graph: EditableGraph) -> Dict[str, str]:
    """The outputs of a tf.keras model in graph mode, by the names of its targets: {name: tensor}; {} where in doubt."""
    names = [
        node.name[: -len(_TARGET)]
        for node in graph.nodes.values()
        if node.op.startswith("Placeholder") and node.name.endswith(_TARGET)
    ]
    if not names:
        return {}
    consumers = graph.consumers()
    found: Dict[str, str] = {}
    by_scope: Dict[str, List[NodeDef]] = {name: [] for name in names}
    for node in graph.nodes.values():
        for scope in scopes_around(node.name):
            if scope in by_scope:
                by_scope[scope].append(node)
    for name, nodes in by_scope.items():
        scope, inside = name + "/", [node for node in nodes if _works(node, name)]
        ends = [node for node in inside if not any(other.name.startswith(scope) for other in consumers[node.name])]
        if len(ends) != 1:
            return {}
        found[name] = tensor_name(ends[0].name)
    return found


def _works(node: NodeDef, scope: str) -> bool:
    aside = node.op in CARRYING or is_write(node) or is_variable(node) or "/Initializer/" in node.name
    return not aside and bool(data_inputs(node))


def _updates(meta_graph: MetaGraphDef, graph: EditableGraph, variables: Dict[str, Variable]) -> List[str]:
    """What moves statistics and metrics, and is reached by no update op yet."""
    listed = [node_of(name) for name in members(meta_graph, _KEYS.UPDATE_OPS)]
    reached, outlets = reached_by(graph, listed), _outlets(graph)
    found = []
    for write, name in moving_writes(graph, initializers_of(meta_graph)).items():
        variable = variables[name]
        moves = variable.kind == "metric" or is_statistic(variable)
        after = outlets.get(write, write) if moves and write not in reached else None
        if after is not None:
            found.append(after)
    return list(dict.fromkeys(found))


def _outlets(graph: EditableGraph) -> Dict[str, Optional[str]]:
    """{node name: a node that runs after it whether or not its branch runs, or None}, of the nodes in branches."""
    inside: Dict[str, Optional[str]] = {name: None for name in graph.nodes if name in graph.context_of}
    for name, node in graph.nodes.items():
        todo = [] if name in inside else [node_of(tensor) for tensor in node.input]
        while todo:
            source = todo.pop()
            if inside.get(source, name) is None:
                inside[source] = name
                todo.extend(map(node_of, graph.nodes[source].input))
    return inside


def _total_loss(graph: EditableGraph) -> List[str]:
    consumers = graph.consumers()
    found = [
        name
        for name in graph.nodes
        if _TOTAL_LOSS.match(name) and not any(node.name.startswith("loss") for node in consumers[name])
    ]
    return [tensor_name(found[0])] if len(found) == 1 else []


def _last(graph: EditableGraph, pattern: re.Pattern[str]) -> List[str]:
    found = [name for name in graph.nodes if pattern.match(name)]
    return found[-1:]
