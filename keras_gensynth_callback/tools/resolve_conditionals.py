"""Conditionals of v1 control flow whose predicate is a constant: the branch that runs takes their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, Optional, Set

from keras_gensynth_callback.graph import (
    COND_CONTEXT,
    become_identity,
    data_inputs,
    is_control,
    node_of,
    tensor_name,
)
from keras_gensynth_callback.static import small_constant

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef
    from keras_gensynth_callback.graph import EditableGraph


def resolve_conditionals(graph: EditableGraph) -> None:
    """Replaces `Switch` and `Merge` by what runs, where a constant decides, and removes what never does.

    Args:
        graph: EditableGraph, changed in place. Names stay.
    """
    resolution = _Resolution(graph)
    for name in graph.topological():
        resolution.visit(graph.nodes[name])
    graph.redirect({f"{name}:1": f"{name}:0" for name, side in resolution.switches.items() if side})
    for name in resolution.switches:
        become_identity(graph.nodes[name], graph.nodes[name].input[0])
    for name, index in resolution.merges.items():
        become_identity(graph.nodes[name], graph.nodes[name].input[index])
    # What is left of them is no branch any more.
    graph.contexts = [context for context in graph.contexts if context.kind != COND_CONTEXT]
    graph.remove(resolution.dead)


class _Resolution:
    """Which nodes never run, which side of a switch does, and which input of a merge arrives."""

    def __init__(self, graph: EditableGraph) -> None:
        self._graph = graph
        self.dead: Set[str] = set()
        self.switches: Dict[str, int] = {}
        self.merges: Dict[str, int] = {}
        self._truths: Dict[str, bool] = {}

    def visit(self, node: NodeDef) -> None:
        """Decides about a node whose inputs were visited."""
        truth = self._truth_of(node)
        if truth is not None:
            self._truths[node.name] = truth
        if node.op in ("Merge", "RefMerge"):
            self._visit_merge(node)
        elif any(self._is_dead(tensor) for tensor in node.input):
            self.dead.add(node.name)
        elif node.op in ("Switch", "RefSwitch"):
            predicate = self._truths.get(node_of(node.input[1]))
            if predicate is not None:
                self.switches[node.name] = int(predicate)

    def _visit_merge(self, node: NodeDef) -> None:
        inputs = data_inputs(node)
        # Of a loop: what comes around was not visited yet, and comes only if the loop was entered.
        entering = [t for t in inputs if self._graph.nodes[node_of(t)].op not in ("NextIteration", "RefNextIteration")]
        alive = [tensor for tensor in entering if not self._is_dead(tensor)]
        if not alive:
            self.dead.add(node.name)
        elif len(entering) == len(inputs) and len(alive) == 1:
            self.merges[node.name] = list(node.input).index(alive[0])

    def _is_dead(self, tensor: str) -> bool:
        name = node_of(tensor)
        if name in self.dead:
            return True
        return (
            name in self.switches and not is_control(tensor) and tensor_name(tensor) != f"{name}:{self.switches[name]}"
        )

    def _truth_of(self, node: NodeDef) -> Optional[bool]:
        """The value of a predicate whose inputs were visited: True, False, or None where data decide."""
        if node.op == "Const":
            value = small_constant(node, 1)
            return bool(value) if value is not None and value.shape == () and value.dtype != object else None
        inputs = [self._truths.get(node_of(source)) for source in data_inputs(node)]
        if node.op not in _LOGIC or None in inputs:
            return None
        return _LOGIC[node.op](*inputs)


_LOGIC: Dict[str, Callable[..., bool]] = {
    "Identity": bool,
    "LogicalNot": lambda value: not value,
    "LogicalAnd": lambda one, other: one and other,
    "LogicalOr": lambda one, other: one or other,
}
