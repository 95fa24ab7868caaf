"""The layers of a graph, in the order in which data goes through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Collection, Dict, Iterable, Iterator, List, Optional, Set

import numpy as np

from keras_gensynth_callback.graph import is_control, is_write, node_of

from .writes import is_variable, variable_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Layer, NodeDef
    from keras_gensynth_callback.graph import EditableGraph

    from .variables import Variable

# They carry a value on, and are no work of a layer.
CARRYING = frozenset(
    "Identity ReadVariableOp Cast Switch RefSwitch Merge Enter RefEnter Exit NextIteration Const VarHandleOp VariableV2"
    " Variable NoOp Placeholder PlaceholderWithDefault Shape StridedSlice Pack ExpandDims Squeeze"
    " Reshape VarIsInitializedOp".split()
)
# Scopes of what reads weights, and is no layer.
_ASIDE = ("training", "gradients", "save", "loss", "metrics")
_SHOWN = 4


def layers_of(graph: EditableGraph, variables: Dict[str, Variable], outputs: Collection[str]) -> List[Layer]:
    """The layers: those that hold weights, and, where the outputs are known, the others on the way to these.

    Args:
        graph: EditableGraph.
        variables: {name: Variable}, from `variables_of`.
        outputs: tensor names, may be empty.

    Returns:
        A list of dicts: `name`, `ops` (the kinds of ops that do the layer's work), `parameters`, `trainable` (int),
        and `variables` ({name: shape}).
    """
    weights = weights_by_layer(variables)
    ops: Dict[str, List[str]] = {}
    for name, layer in layers_of_nodes(graph, weights, outputs).items():
        ops.setdefault(layer, []).append(graph.nodes[name].op)
    names = [*ops, *(name for name in weights if name not in ops)]
    return [_layer(name, ops.get(name, ()), weights.get(name, ())) for name in names]


def weights_by_layer(variables: Dict[str, Variable]) -> _Weights:
    """The weights that each layer holds: {layer: list of Variable}."""
    weights = _Weights()
    for variable in variables.values():
        if variable.kind == "weight":
            weights.setdefault(variable.name.rpartition("/")[0] or variable.name, []).append(variable)
    weights.around = {scope for layer in weights for scope in scopes_around(layer)}
    return weights


class _Weights(Dict[str, List["Variable"]]):
    """{layer: list of Variable}; `around` is the set of the scopes that layers with weights stand in."""

    around: Set[str]


def scopes_around(name: str) -> Iterator[str]:
    """The scopes that a name stands in, the innermost first: `a/b` and `a` of `a/b/c`."""
    end = name.rfind("/")
    while end > 0:
        yield name[:end]
        end = name.rfind("/", 0, end)


def layers_of_nodes(graph: EditableGraph, weights: _Weights, outputs: Collection[str]) -> Dict[str, str]:
    """Which layer's work a node does: {node name: layer}, in the order in which data goes through.

    Args:
        graph: EditableGraph.
        weights: what `weights_by_layer` returned.
        outputs: tensor names; without them only layers that hold weights are found.
    """
    found: Dict[str, str] = {}
    if outputs:
        ends = [node_of(tensor) for tensor in outputs]
        needed = graph.ancestors(ends)
        # From the outputs, and then in the order of the graph: branches of a model always stand in the same order.
        order = dict.fromkeys([*ends, *(name for name in graph.nodes if name in needed)])
        for name in _fed_first(graph, graph.topological(order)):
            node = graph.nodes[name]
            if node.op not in CARRYING:
                layer = _reader_scope(graph, node, weights) or scope_of(name, weights)
                if layer:
                    found[name] = layer
    else:
        for name, node in graph.nodes.items():
            aside = node.op in CARRYING or is_write(node) or name.split("/")[0] in _ASIDE
            layer = None if aside else _reader_scope(graph, node, weights)
            if layer:
                found[name] = layer
    return found


def _fed_first(graph: EditableGraph, names: Iterable[str]) -> List[str]:
    """Nodes in topological order, but first those that data goes through: what draws a layer's random numbers waits for
    nothing.
    """
    fed: Dict[str, bool] = {}
    rest: List[str] = []
    for name in names:
        node = graph.nodes[name]
        if node.op == "Placeholder" or any(node_of(tensor) in fed for tensor in node.input):
            fed[name] = True
        else:
            rest.append(name)
    return [*fed, *rest]


def _layer(name: str, ops: Iterable[str], weights: Collection[Variable]) -> Layer:
    size = lambda chosen: sum(int(np.prod(variable.shape or ())) for variable in chosen)  # noqa: E731
    return {
        "name": name,
        "ops": list(dict.fromkeys(ops))[:_SHOWN],
        "parameters": size(weights),
        "trainable": size(variable for variable in weights if variable.trainable),
        "variables": {variable.name: list(variable.shape or ()) for variable in weights},
    }


def _reader_scope(graph: EditableGraph, node: NodeDef, weights: _Weights) -> Optional[str]:
    """The layer whose weight a node applies, or None."""
    for tensor in node.input:
        if is_control(tensor):
            continue
        source = graph.origin(tensor, lambda node: node.op in CARRYING and not is_variable(node))
        variable = variable_of(graph, source.name) if source is not None else None
        if variable:
            scope = variable.rpartition("/")[0] or variable
            return scope if scope in weights else None
    return None


def scope_of(name: str, weights: _Weights) -> Optional[str]:
    """The layer that a node stands in, by its name: the longest scope that holds weights, else the first below those
    of models around it.
    """
    scopes = list(scopes_around(name))
    with_weights = next((scope for scope in scopes if scope in weights), None)
    return with_weights or next((scope for scope in reversed(scopes) if scope not in weights.around), None)
