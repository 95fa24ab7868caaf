"""The model as a graph of its layers: which gives its data to which, and which are shown together."""

import collections
import itertools
from typing import Dict, List, Optional, Set, Tuple

from keras_gensynth_callback.graph import COND_CONTEXT, data_inputs, node_of, tensor_name
from keras_gensynth_callback.inspection import (
    PASSING,
    is_variable,
    layers_of_nodes,
    scope_of,
    scopes_around,
    weights_by_layer,
)

# So many things beside each other still read well; where there are more, those with a common beginning of their names
# are shown together, if there are enough of them.
_MANY, _ENOUGH = 24, 4
# Their results say nothing of the data, and weights are read wherever they are.
_NO_DATA = ("Const", "ReadVariableOp", "Shape")

# What is between layers is looked at so many times at most, in all and for each node.
_STEPS, _STEPS_A_NODE = 1000000, 10

# A layer or an input, its node, and the tensor by which others know the result.
_Source = collections.namedtuple("_Source", ["layer", "node", "tensor"])


class LayerGraph:
    """Layers, and what goes from one to another, from the inputs of a prediction to its outputs.

    Args:
        graph: EditableGraph.
        variables: {name: Variable}, from `variables_of`.
        names: the names of the layers, in the order in which data goes through.
        inputs, outputs: {name: tensor}.

    Attributes:
        edges: list of (source, target), each once: names of layers, and `input:<name>`, `output:<name>`.
        results: {layer: tensors}, what a layer gives to others.
        is_complete: whether all edges are there; what stands between two layers may be too much to be looked at.
    """

    def __init__(self, graph, variables, names, inputs, outputs):
        self._graph = graph
        self._names = set(names)
        self._weights = weights_by_layer(variables)
        self._works_for = layers_of_nodes(graph, self._weights, list(outputs.values()))
        self._fed = {node_of(tensor): "input:" + name for name, tensor in inputs.items()}
        self.results, self.is_complete, self._of_variables = {}, True, {}
        self._found, self._steps_left = {}, _STEPS + _STEPS_A_NODE * len(graph.nodes)
        self.edges = self._found_edges(outputs)

    def layer_of(self, node):
        """The layer that a node (its name) belongs to, or None."""
        layer = self._works_for.get(node) or scope_of(node, self._weights)
        return layer if layer in self._names else None

    def _found_edges(self, outputs):
        edges: Dict[Tuple[str, str], bool] = {}
        for name, layer in self._works_for.items():
            for tensor in data_inputs(self._graph.nodes[name]):
                self._add_edges(edges, tensor, layer)
        for name, tensor in outputs.items():
            self._add_edges(edges, tensor, "output:" + name)
        return list(edges)

    def _add_edges(self, edges, tensor, taker):
        if tensor not in self._found:
            self._found[tensor] = self._sources(tensor)
        for source in self._found[tensor]:
            if source.layer != taker:
                edges[source.layer, taker] = True
                self.results.setdefault(source.layer, {})[tensor_name(source.tensor)] = True

    def _sources(self, tensor):
        """Where a tensor comes from, through nodes that work for no layer: a list of _Source."""
        todo: List[Tuple[str, Optional[str]]] = [(tensor, None)]
        seen: Set[str] = set()
        found: Dict[Optional[str], List[_Source]] = {}
        while todo:
            self._steps_left -= 1
            if self._steps_left < 0:
                self.is_complete = False
                break
            tensor, merge = todo.pop()
            name = node_of(tensor)
            if name in seen or name not in self._graph.nodes:
                continue
            seen.add(name)
            node, layer = self._graph.nodes[name], self._fed.get(name) or self._works_for.get(name)
            if layer is not None:
                found.setdefault(merge, []).append(_Source(layer, name, merge or tensor))
            elif node.op not in _NO_DATA and not self._is_variables(name):
                if merge is None and self._ends_conditional(node):
                    merge = tensor
                todo.extend((other, merge) for other in reversed(data_inputs(node)))
        return [source for merge, sources in found.items() for source in self._computed(merge, sources)]

    def _is_variables(self, name):
        """Whether a node is a variable, or hands one on."""
        node, way = self._graph.nodes[name], []
        while node.name not in self._of_variables and node.op in PASSING and node.input:
            way.append(node.name)
            node = self._graph.nodes[node_of(node.input[0])]
        found = self._of_variables.get(node.name, is_variable(node))
        self._of_variables.update(dict.fromkeys(way, found))
        return found

    def _computed(self, merge, sources):
        """Of what a conditional gives, what it computes: dropout, and not what goes around it."""
        computed = [source for source in sources if self._is_conditional(source.node)]
        return computed if merge and computed else sources

    def _ends_conditional(self, node):
        inputs = [self._graph.nodes.get(node_of(tensor)) for tensor in data_inputs(node)]
        turns = any(other is not None and other.op in ("NextIteration", "RefNextIteration") for other in inputs)
        return node.op in ("Merge", "RefMerge") and not turns

    def _is_conditional(self, node):
        context = self._graph.context_of.get(node)
        return context is not None and context.kind == COND_CONTEXT


def groups_of(names):
    """Which layers are shown together: those in one scope, and in scopes of many those with a common beginning.

    Only layers that stand next to each other are taken together by their beginning, so that `dense`, `relu`, `dense_1`,
    `relu_1` stay what they are, one after another.

    Args:
        names: the names of layers, in the order in which data goes through.

    Returns:
        {layer or group: the group that it is in, or None}, groups being named by the beginning: `encoder/`, `conv2_`.
    """
    scopes = {scope: True for scope, count in _counted(names).items() if count > 1}
    parents = {name: _innermost(name, scopes) for name in [*names, *scopes]}
    order: Dict[str, int] = {}
    inside: Dict[Optional[str], List[str]] = {}
    for place, name in enumerate(names):
        for part in [name, *(scope + "/" for scope in scopes_around(name))]:
            order.setdefault(part, place)
    for name, scope in parents.items():
        inside.setdefault(scope, []).append(name)
    for scope, members in inside.items():
        if len(members) > _MANY:
            _group_runs(sorted(members, key=order.__getitem__), scope, len(scope or ""), parents)
    return parents


def _counted(names):
    counted: Dict[str, int] = {}
    for name in names:
        for scope in reversed(list(scopes_around(name))):
            counted[scope + "/"] = counted.get(scope + "/", 0) + 1
    return counted


def _innermost(name, scopes):
    return next((scope + "/" for scope in scopes_around(name.rstrip("/")) if scope + "/" in scopes), None)


def _group_runs(names, parent, start, parents):
    """Puts names that stand next to each other and go on alike, up to the next `_`, into a group."""

    todo = [(names, parent, start)]
    while todo:
        names, parent, start = todo.pop()
        for group, members in itertools.groupby(names, key=lambda name: _beginning(name, start)):  # noqa: B023
            run = list(members)
            if group is None or len(run) < _ENOUGH or group in parents:
                continue
            inside = group if len(run) < len(names) else parent
            if inside == group:
                parents[group] = parent
                parents.update(dict.fromkeys(run, group))
            todo.append((run, inside, len(group)))


def _beginning(name, start):
    end = name.find("_", start)
    return name[: end + 1] if end >= 0 else None
