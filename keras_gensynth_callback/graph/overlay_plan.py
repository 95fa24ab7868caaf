"""Plans how the training trace is laid over the inference trace: which nodes stand in which branch, what is chosen, and
which writes are taken out of a branch. `overlay.py` builds what is planned; here nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Hashable, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from keras_gensynth_callback.errors import UnsupportedModelError

from .build_conditionals import INFERENCE, TRAINING
from .match import NAMED, group_key
from .nodes import data_inputs, has_control_inputs, is_control, node_of, tensor_name
from .op_types import type_of
from .variables import is_write, written_variable

if TYPE_CHECKING:
    from .editable import EditableGraph


# A tensor of inference, and the tensor of training that is the same thing there, or None.
Ends = Tuple[str, Optional[str]]
# What is joined into one conditional: a branch, and a node or a loop in it.
Key = Tuple[int, Hashable]
_HOISTED = {"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"}


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two traces, and what becomes of the nodes that the other has not.

    Attributes:
        graph: EditableGraph.
        branch: INFERENCE or TRAINING.
        alone: names of the nodes that the other trace has not, in order.
        inside: those of them that stand in this side's branch, as the keys of a dict.
        hoisted: the writes among them that stand outside of every branch, and write nothing new in the other phase.
    """

    graph: EditableGraph
    branch: int
    alone: List[str]
    inside: Dict[str, None]
    hoisted: Set[str]


@dataclass(frozen=True, eq=False)
class Plan:
    """What `plan_overlay` gives.

    Attributes:
        sides: the Side of inference, and that of training.
        paired: names of the nodes that both traces have.
        results: pairs, a tensor of inference and the one that is chosen instead in training; None where the former is
            the result in both phases.
        components: dict, a branch and a node inside of it -> what names the conditional that it is part of.
    """

    sides: Tuple[Side, Side]
    paired: List[str]
    results: List[Ends]
    components: Dict[Key, Key]


def plan_overlay(
    inference: EditableGraph,
    training: EditableGraph,
    paired: Sequence[str],
    results: Iterable[Ends],
    step_only: Set[str],
    unconditional: Set[str],
    alive: Tuple[Iterable[str], Iterable[str]],
) -> Plan:
    """Plans the merger of two traces, in which paired nodes have one name, and all others names of their own.

    Args:
        inference, training: EditableGraph.
        paired: names of the nodes that both have.
        results, step_only, unconditional: as `lay_over` takes them, under the names of now.
        alive: names of nodes of `inference`, and of `training`, that must be alive in both phases.

    Returns:
        A Plan.
    """
    names = set(paired)
    traces = [_Trace(graph, names, step_only, unconditional) for graph in (inference, training)]
    for trace, pinned in zip(traces, alive):
        trace.pinned.update(pinned)
    results = [(mine, theirs if _differ(traces, mine, theirs) else None) for mine, theirs in results]
    _pin_results(traces, results)
    sides = traces[INFERENCE].side(INFERENCE), traces[TRAINING].side(TRAINING)
    components = _find_components(sides, traces, _chosen(sides, paired, results))
    return Plan(sides, list(paired), results, components)


class _Trace:
    """One of the two traces while it is planned.

    Attributes:
        alone: names of the nodes that the other trace has not, in order.
        step_only: names of the nodes that are the train step's own.
        groups: dict, key of a loop or conditional -> names of the nodes in it.
        pinned: names of the nodes that must be alive in both phases.
        taken: names of the nodes that another node, or a choice, takes a value of.
        changing: names of the own nodes in, or computed from, conditionals and loops that change a variable.
    """

    def __init__(self, graph: EditableGraph, paired: Set[str], step_only: Set[str], unconditional: Set[str]) -> None:
        self.graph, self.step_only, self._unconditional = graph, step_only, unconditional
        self.alone = [name for name in graph.nodes if name not in paired]
        self.pinned: Set[str] = set()
        self.groups: Dict[Optional[int], List[str]] = {}
        for name in graph.nodes:
            if name in graph.context_of:
                self.groups.setdefault(group_key(graph, name), []).append(name)
        self.taken = {
            node_of(tensor) for node in graph.nodes.values() for tensor in node.input if not is_control(tensor)
        }
        self.changing = self._find_changing()

    def side(self, branch: int) -> Side:
        """What becomes of this trace's own nodes: all whose results are used in its branch, or chosen, and nowhere
        else, stand there.
        """
        outside = self._outside()
        self._refuse_loose_changes(outside)
        inside = {name: None for name in self.alone if name not in outside}
        hoisted = {name for name in self.alone if self._is_hoisted(name)}
        return Side(self.graph, branch, self.alone, inside, hoisted)

    def _find_changing(self) -> Set[str]:
        alone, nodes = set(self.alone), self.graph.nodes
        groups = [names for names in self.groups.values() if any(is_write(nodes[name]) for name in names)]
        found = {name for names in groups for name in names if name in alone}
        for name in self.graph.topological() if found else ():
            if name in alone and any(node_of(tensor) in found for tensor in data_inputs(nodes[name])):
                found.add(name)
        return found

    def _outside(self) -> Set[str]:
        """What must stay outside, and what that is computed from."""
        graph, alone = self.graph, set(self.alone)
        outside: Set[str] = set()
        todo = [name for name in self.alone if self._must_stay_outside(name)]
        while todo:
            name = todo.pop()
            if name in outside:
                continue
            outside.add(name)
            todo.extend(self.groups.get(group_key(graph, name), ()))
            if name in alone and not self._is_hoisted(name):
                todo.extend(
                    node_of(tensor)
                    for tensor in graph.nodes[name].input
                    if not is_control(tensor) and node_of(tensor) in alone
                )
        return outside

    def _must_stay_outside(self, name: str) -> bool:
        node, stands_in_context = self.graph.nodes[name], name in self.graph.context_of
        if node.op in NAMED or name in self.step_only:
            return True
        if is_write(node) and not stands_in_context and node_of(node.input[0]) in self._unconditional:
            return True
        if node.op == "ReadVariableOp" and not stands_in_context and not has_control_inputs(node):
            return True
        if self._is_hoisted(name) or name in self.pinned:
            return True
        if stands_in_context or node.op == "Exit" or is_write(node):
            # A loop stays whole, and a write that no choice of its input can undo stays with what it writes.
            return False
        return name not in self.taken and name not in self.changing

    def _is_hoisted(self, name: str) -> bool:
        node = self.graph.nodes[name]
        return (
            node.op in _HOISTED
            and name not in self.step_only
            and name not in self.graph.context_of
            and node_of(node.input[0]) not in self._unconditional
        )

    def _refuse_loose_changes(self, outside: Set[str]) -> None:
        """A conditional or loop that changes a variable in one phase alone must not run in the other."""
        for name in self.alone:
            if name in outside and name in self.changing and name in self.graph.context_of:
                node = self.graph.nodes[name]
                if is_write(node) and name not in self.step_only:
                    raise UnsupportedModelError(
                        f"`{name}` changes the variable `{written_variable(self.graph, node)}` inside of a tf.cond or "
                        "tf.while_loop, in training alone, and what is computed there is part of a loss that inference "
                        "does not have. Return the new value from the branch, and assign it outside."
                    )


def _differ(traces: Sequence[_Trace], mine: str, theirs: Optional[str]) -> bool:
    """Whether a result is another tensor in training, one that can take its place. What needs the updated weights
    cannot: to ask for it would be to train.
    """
    inference, training = (trace.graph for trace in traces)
    if theirs is None or tensor_name(mine) == tensor_name(theirs) or node_of(theirs) in traces[TRAINING].step_only:
        return False
    graph = training if node_of(theirs) in training.nodes else inference
    return type_of(inference, mine) == type_of(graph, theirs)


def _pin_results(traces: Sequence[_Trace], results: Iterable[Ends]) -> None:
    """A result that is chosen may stand in branches; one that is not must be alive."""
    for mine, theirs in results:
        if theirs is not None:
            traces[INFERENCE].taken.add(node_of(mine))
            traces[TRAINING].taken.add(node_of(theirs))
        else:
            traces[INFERENCE].pinned.add(node_of(mine))


def _chosen(sides: Tuple[Side, Side], paired: Iterable[str], results: Iterable[Ends]) -> Iterator[Tuple[str, str]]:
    """Pairs of tensors that are chosen between: inputs of paired nodes, and results."""
    inference, training = sides
    for name in paired:
        yield from zip(inference.graph.nodes[name].input, training.graph.nodes[name].input)
    for mine, theirs in results:
        if theirs is not None:
            yield mine, theirs


def _find_components(
    sides: Tuple[Side, Side], traces: Sequence[_Trace], chosen: Iterable[Tuple[str, str]]
) -> Dict[Key, Key]:
    """Own nodes that hang together, with the choices between them, are one conditional."""
    components = _Components()
    for side, trace in zip(sides, traces):
        for name in side.inside:
            components.find((side.branch, name))
            for tensor in side.graph.nodes[name].input:
                if node_of(tensor) in side.inside:
                    components.join((side.branch, name), (side.branch, node_of(tensor)))
        for key, group in trace.groups.items():
            for name in group:
                if name in side.inside:
                    components.join((side.branch, name), (side.branch, key))
    inference, training = sides
    for mine, theirs in chosen:
        if node_of(mine) in inference.inside and node_of(theirs) in training.inside:
            components.join((INFERENCE, node_of(mine)), (TRAINING, node_of(theirs)))
    return components.all()


class _Components:
    """Keys that are joined step by step."""

    def __init__(self) -> None:
        self._parent: Dict[Key, Key] = {}

    def find(self, key: Key) -> Key:
        """One key for all that a key is joined with."""
        parent = self._parent
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    def join(self, one: Key, other: Key) -> None:
        self._parent[self.find(one)] = self.find(other)

    def all(self) -> Dict[Key, Key]:
        return {key: self.find(key) for key in list(self._parent)}
