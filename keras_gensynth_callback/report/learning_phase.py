"""What `keras_learning_phase` switches in a graph, layer by layer."""

import collections
from typing import Any, Dict, Optional

from keras_gensynth_callback.graph import COND_CONTEXT, data_inputs, node_of
from keras_gensynth_callback.inspection import CARRYING, is_learning_phase

_SWITCHES = {"Switch": 1, "RefSwitch": 1, "If": 0, "StatelessIf": 0, "Select": 0, "SelectV2": 0}


def switched_by_learning_phase(graph, layer_of):
    """The conditionals that the learning phase decides.

    Args:
        graph: EditableGraph.
        layer_of: node name -> layer, or None.

    Returns:
        A list of dicts, one a layer: `layer`, or None for what stands in none; `switches` and `merges`, the names of
        the nodes; `training` and `inference`, {op: how many} of what runs in that phase alone.
    """
    consumers = graph.consumers()
    found: Dict[Optional[str], Dict[str, Any]] = {}
    says_training = _predicates(graph, consumers)
    for name, node in graph.nodes.items():
        position = _SWITCHES.get(node.op)
        phase = _phase(graph, name, says_training)
        if position is not None and node_of(node.input[position]) in says_training:
            # Equal ones stand in the graph once, under the name of the first layer.
            for layer in {layer_of(consumer.name) for consumer in consumers[name]}:
                _row(found, layer)["switches"].append(name)
        elif node.op in ("Merge", "RefMerge") and any(_phase(graph, t, says_training) for t in data_inputs(node)):
            _row(found, layer_of(name))["merges"].append(name)
        elif phase and node.op not in CARRYING:
            _row(found, layer_of(name))[phase][node.op] += 1
    return [dict(row, training=dict(row["training"]), inference=dict(row["inference"])) for row in found.values()]


def _row(found, layer):
    counters: Dict[str, Any] = {phase: collections.Counter() for phase in ("training", "inference")}
    return found.setdefault(layer, {"layer": layer, "switches": [], "merges": [], **counters})


def _predicates(graph, consumers):
    """{node name: whether it is true in training}, of the learning phase and what is made of it alone."""
    phases = list(filter(is_learning_phase, graph.nodes.values()))
    found, todo = {node.name: True for node in phases}, phases
    while todo:
        source = todo.pop()
        for node in consumers[source.name]:
            if node.op in ("Identity", "LogicalNot") and node.name not in found:
                found[node.name] = found[source.name] ^ (node.op == "LogicalNot")
                todo.append(node)
    return found


def _phase(graph, tensor, says_training):
    """In which phase alone a node runs: "training", "inference", or None."""
    innermost = graph.context_of.get(node_of(tensor))
    for context in innermost.outwards() if innermost is not None else ():
        if context.kind == COND_CONTEXT and node_of(context.fields.pred_name) in says_training:
            taken = bool(context.fields.branch) == says_training[node_of(context.fields.pred_name)]
            return "training" if taken else "inference"
    return None
