"""Lays the training trace over the inference trace: one graph, in which `keras_learning_phase` chooses only what
differs.

For every pair of nodes that `match.py` finds, the graph holds one node. Where an input of the pair differs, the
learning phase chooses between the two: a v1 conditional whose branches hold what only one of the traces has, like the
`smart_cond` that TF 1.15's own layers build. Writes are not left inside a branch - there they would be dead when the
other branch runs, and kill what waits for them - but get what they write chosen instead: the new value, or the old
one.

What depends on gradients or on updated weights is the train step's own. It stands outside of every choice, and
nothing but `train_op` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Container, Dict, Hashable, Iterable, Iterator, List, Optional, Set, Tuple

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.errors import UnsupportedModelError

from .build_conditionals import INFERENCE, TRAINING, Conditionals, scope_of
from .editable import (
    EditableGraph,
    data_inputs,
    has_control_inputs,
    input_name,
    is_control,
    moved,
    node_of,
    tensor_name,
)
from .losses import shape_of_constant
from .match import NAMED, group_key, match
from .op_types import output_types, type_of
from .union import frames_apart, names_apart
from .variables import is_write, written_variable

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, NodeDef

    from .editable import Context


# A tensor of inference, and the tensor of training that is the same thing there, or None.
_Ends = Tuple[str, Optional[str]]
# What is joined into one conditional: a branch, and a node or a loop in it.
_Key = Tuple[int, Hashable]
_HOISTED = {"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"}
# Elements of a constant that may stand in a branch once more: axes, shapes, permutations, single numbers.
_SMALL = 16


@dataclass(frozen=True, eq=False)
class Laid:
    """What `lay_over` gives.

    Attributes:
        graph: the merged EditableGraph.
        renamed: dict, names of training nodes that changed -> their names in the merged graph.
        alive: dict, writes that stand in a branch -> a node that is alive in both phases and runs after them.
        results: list of tensor names, for each of the results the tensor that holds it in both phases.
    """

    graph: EditableGraph
    renamed: Dict[str, str]
    alive: Dict[str, str]
    results: List[str]


def lay_over(
    inference: EditableGraph,
    training: EditableGraph,
    phase: str,
    results: Iterable[_Ends],
    step_only: Iterable[str] = (),
    unconditional: Iterable[str] = (),
    alone: Iterable[str] = (),
    targets: Iterable[str] = (),
) -> Laid:
    """Merges two traces.

    Args:
        inference, training: EditableGraph; both are used up.
        phase: str, the bool tensor that chooses; its node is in neither graph yet.
        results: list of pairs, a tensor of `inference` and the tensor of `training` that is the same thing in
            training, or None where the latter has no such thing.
        step_only: node names of `training` that are the train step's own.
        unconditional: names of variables that are written alike in both phases, whatever the traces say.
        alone: node names of `inference` that have no twin in `training`, and are alive in both phases.
        targets: node names of `training` that must be alive in both phases.

    Returns:
        A Laid.
    """
    pairs = match(inference, training, excluded=step_only, alone=alone)
    names = names_apart(training, inference, {theirs: mine for mine, theirs in pairs.items()})
    renamed = {old: new for old, new in names.items() if old != new}
    training.rename(renamed)
    frames_apart(training, pairs, inference)
    sides = _Side(inference, INFERENCE, pairs), _Side(training, TRAINING, pairs)
    sides[INFERENCE].pinned.update(alone)
    sides[TRAINING].pinned.update(names[name] for name in targets)
    results = [(mine, theirs and moved(theirs, renamed)) for mine, theirs in results]
    overlay = _Overlay(sides, list(pairs), phase, {names[name] for name in step_only}, set(unconditional), results)
    graph = overlay.merge()
    return Laid(graph, renamed, overlay.alive_after_writes(), overlay.results())


class _Side:
    """One of the two traces while it is merged.

    Attributes:
        alone: names of the nodes that the other trace has not, in order.
        inside: those of them that stand in this side's branch, as the keys of a dict.
        groups: dict, key of a loop or conditional -> names of the nodes in it.
        pinned: names of the nodes that must be alive in both phases.
        taken: names of the nodes that another node, or a choice, takes a value of.
        changing: names of the own nodes in, or computed from, conditionals and loops that change a variable.
    """

    def __init__(self, graph: EditableGraph, branch: int, paired: Container[str]) -> None:
        self.graph, self.branch = graph, branch
        self.alone = [name for name in graph.nodes if name not in paired]
        self.inside: Dict[str, None] = {}
        self.pinned: Set[str] = set()
        self.groups: Dict[Optional[int], List[str]] = {}
        for name in graph.nodes:
            if name in graph.context_of:
                self.groups.setdefault(group_key(graph, name), []).append(name)
        self.taken = {
            node_of(tensor) for node in graph.nodes.values() for tensor in node.input if not is_control(tensor)
        }
        self.changing = self._find_changing()

    def _find_changing(self) -> Set[str]:
        alone, nodes = set(self.alone), self.graph.nodes
        groups = [names for names in self.groups.values() if any(is_write(nodes[name]) for name in names)]
        found = {name for names in groups for name in names if name in alone}
        for name in self.graph.topological() if found else ():
            if name in alone and any(node_of(tensor) in found for tensor in data_inputs(nodes[name])):
                found.add(name)
        return found


class _Overlay:
    def __init__(
        self,
        sides: Tuple[_Side, _Side],
        paired: List[str],
        phase: str,
        step_only: Set[str],
        unconditional: Set[str],
        results: List[_Ends],
    ) -> None:
        self.sides, self.paired, self.step_only, self.unconditional = sides, paired, step_only, unconditional
        self.merged, self._results, self.phase = EditableGraph(), results, phase
        self.choices: Dict[Tuple[str, str], str] = {}
        self.tokens: Dict[str, str] = {}
        self.component_of: Dict[_Key, _Key] = {}

    def merge(self) -> EditableGraph:
        self._pin_results()
        for side in self.sides:
            self._find_inside(side)
        self._find_components()
        self._copy_nodes()
        self.conditionals = Conditionals(self.merged, self.phase)
        for side in self.sides:
            for name in side.inside:
                self._place(side, self.merged.nodes[name])
        for name in self.paired:
            self._join(name)
        for side in self.sides:
            for name in side.alone:
                if name not in side.inside:
                    self._live_controls(self.merged.nodes[name])
                    if self._is_hoisted(side, name):
                        self._hoist(side, self.merged.nodes[name])
        return self.merged

    def results(self) -> List[str]:
        """The tensor that holds each result in both phases."""
        return [
            self._choose(mine, theirs) if theirs is not None and self._differ(mine, theirs) else mine
            for mine, theirs in self._results
        ]

    def alive_after_writes(self) -> Dict[str, str]:
        """dict, write inside of a branch -> a node outside that runs after it."""
        inside = [(side, name) for side in self.sides for name in side.inside if is_write(self.merged.nodes[name])]
        return {name: self._token(side, name) for side, name in inside}

    # -- the plan

    def _pin_results(self) -> None:
        """A result that differs is chosen, and so may stand in branches; one that does not must be alive."""
        inference, training = self.sides
        for mine, theirs in self._results:
            if theirs is not None and self._differ(mine, theirs):
                inference.taken.add(node_of(mine))
                training.taken.add(node_of(theirs))
            else:
                inference.pinned.add(node_of(mine))

    def _differ(self, mine: str, theirs: str) -> bool:
        """Whether a result is another tensor in training, one that can take its place. What needs the updated weights
        cannot: to ask for it would be to train.
        """
        if tensor_name(mine) == tensor_name(theirs) or node_of(theirs) in self.step_only:
            return False
        inference, training = self.sides
        graph = training.graph if node_of(theirs) in training.graph.nodes else inference.graph
        return type_of(inference.graph, mine) == type_of(graph, theirs)

    def _differing(self) -> Iterator[Tuple[str, str]]:
        """Pairs of tensors that are chosen between: inputs of paired nodes, and results."""
        inference, training = self.sides
        for name in self.paired:
            yield from zip(inference.graph.nodes[name].input, training.graph.nodes[name].input)
        for mine, theirs in self._results:
            if theirs is not None and self._differ(mine, theirs):
                yield mine, theirs

    def _is_hoisted(self, side: _Side, name: str) -> bool:
        node = side.graph.nodes[name]
        return (
            node.op in _HOISTED
            and name not in self.step_only
            and name not in side.graph.context_of
            and node_of(node.input[0]) not in self.unconditional
        )

    def _find_inside(self, side: _Side) -> None:
        """Which of a side's own nodes stand in its branch: all whose results are used there, or chosen, and nowhere
        else.
        """
        graph, groups = side.graph, side.groups
        alone = set(side.alone)
        outside: Set[str] = set()
        todo = [name for name in side.alone if self._must_stay_outside(side, name)]
        while todo:
            name = todo.pop()
            if name in outside:
                continue
            outside.add(name)
            todo.extend(groups.get(group_key(graph, name), ()))
            if name in alone and not self._is_hoisted(side, name):
                todo.extend(
                    node_of(tensor)
                    for tensor in graph.nodes[name].input
                    if not is_control(tensor) and node_of(tensor) in alone
                )
        side.inside = {name: None for name in side.alone if name not in outside}
        self._refuse_loose_changes(side, outside)

    def _refuse_loose_changes(self, side: _Side, outside: Set[str]) -> None:
        """A conditional or loop that changes a variable in one phase alone must not run in the other."""
        for name in side.alone:
            if name in outside and name in side.changing and name in side.graph.context_of:
                node = side.graph.nodes[name]
                if is_write(node) and name not in self.step_only:
                    raise UnsupportedModelError(
                        f"`{name}` changes the variable `{written_variable(side.graph, node)}` inside of a tf.cond or "
                        "tf.while_loop, in training alone, and what is computed there is part of a loss that inference "
                        "does not have. Return the new value from the branch, and assign it outside."
                    )

    def _must_stay_outside(self, side: _Side, name: str) -> bool:
        node = side.graph.nodes[name]
        if node.op in NAMED or name in self.step_only:
            return True
        if is_write(node) and name not in side.graph.context_of and node_of(node.input[0]) in self.unconditional:
            return True
        if node.op == "ReadVariableOp" and name not in side.graph.context_of and not has_control_inputs(node):
            return True
        if self._is_hoisted(side, name) or name in side.pinned:
            return True
        if name in side.graph.context_of or node.op == "Exit" or is_write(node):
            # A loop stays whole, and a write that no choice of its input can undo stays with what it writes.
            return False
        return name not in side.taken and name not in side.changing

    def _find_components(self) -> None:
        """Own nodes that hang together, with the choices between them, are one conditional."""
        parent: Dict[_Key, _Key] = {}

        def find(key: _Key) -> _Key:
            while parent.setdefault(key, key) != key:
                parent[key] = parent[parent[key]]
                key = parent[key]
            return key

        for side in self.sides:
            for name in side.inside:
                find((side.branch, name))
                for tensor in side.graph.nodes[name].input:
                    if node_of(tensor) in side.inside:
                        parent[find((side.branch, name))] = find((side.branch, node_of(tensor)))
            for key, group in side.groups.items():
                for name in group:
                    if name in side.inside:
                        parent[find((side.branch, name))] = find((side.branch, key))
        inference, training = self.sides
        for mine, theirs in self._differing():
            if node_of(mine) in inference.inside and node_of(theirs) in training.inside:
                parent[find((INFERENCE, node_of(mine)))] = find((TRAINING, node_of(theirs)))
        self.component_of = {key: find(key) for key in list(parent)}

    # -- building

    def _copy_nodes(self) -> None:
        inference = self.sides[INFERENCE]
        for side in self.sides:
            alone = set(side.alone)
            for name, node in side.graph.nodes.items():
                if name in alone or side is inference:
                    self.merged.nodes[name] = node
            for context in side.graph.contexts:
                if side is inference or any(node_of(value) in alone for value in context.values):
                    self.merged.contexts.append(context)
            self.merged.context_of.update(
                {name: context for name, context in side.graph.context_of.items() if name in alone or side is inference}
            )

    def _place(self, side: _Side, node: NodeDef) -> None:
        """Puts a side's own node into its branch, and lets what it takes from outside enter by a `Switch`."""
        context = self._context(side, node.name)
        self.conditionals.put_inside(node.name, context, len(output_types(node)))
        anchored = False
        for index, tensor in enumerate(node.input):
            if node_of(tensor) in side.inside:
                anchored = True
            elif not is_control(tensor):
                entered = self._enter(tensor, context)
                self._tell_contexts(node.name, tensor, entered)
                node.input[index] = input_name(entered)
                anchored = True
        if not anchored:
            node.input.append("^" + self.conditionals.pivots[side.branch])

    def _context(self, side: _Side, name: str) -> Context:
        return self.conditionals.context(self.component_of[(side.branch, name)], side.branch, name)

    def _enter(self, tensor: str, context: Context) -> str:
        """What stands for a tensor from outside in a branch: a small constant is the branch's own.

        The gradients of many ops ask for the value of an axis or a shape, which nobody knows behind a `Switch`.
        """
        node = self.merged.nodes[node_of(tensor)]
        if node.op == "Const" and not node.input and _size(node) <= _SMALL:
            return self.conditionals.own(node, context)
        return self._switch(tensor, context)

    def _switch(self, tensor: str, context: Context) -> str:
        return self.conditionals.switch(tensor_name(tensor), context, self._dtype(tensor))

    def _tell_contexts(self, name: str, tensor: str, now: str) -> None:
        """Tells the loops and conditionals that the node `name` stands in that `tensor` now comes in as `now`."""
        innermost = self.merged.context_of.get(name)
        for context in innermost.outwards() if innermost is not None else ():
            if tensor_name(tensor) in context.external:
                context.external[tensor_name(now)] = context.external.pop(tensor_name(tensor))
            if getattr(context.fields, "pred_name", "") == tensor_name(tensor):
                context.fields.pred_name = tensor_name(now)

    def _dtype(self, tensor: str) -> DType:
        return tf.as_dtype(type_of(self.merged, tensor))

    def _join(self, name: str) -> None:
        """One node for a pair: inputs that differ are chosen, control inputs are united."""
        node, other = self.merged.nodes[name], self.sides[TRAINING].graph.nodes[name]
        for index, (mine, theirs) in enumerate(zip(list(node.input), other.input)):
            if is_control(mine) or is_control(theirs):
                break
            if tensor_name(mine) != tensor_name(theirs):
                chosen = self._choose(mine, theirs)
                self._tell_contexts(name, mine, chosen)
                node.input[index] = chosen
        have = {tensor for tensor in node.input if is_control(tensor)}
        node.input.extend(tensor for tensor in other.input if is_control(tensor) and tensor not in have)
        self._live_controls(node)

    def _choose(self, mine: str, theirs: str) -> str:
        """A tensor that is `mine` in inference and `theirs` in training."""
        mine, theirs = tensor_name(mine), tensor_name(theirs)
        if (mine, theirs) not in self.choices:
            inference, training = self.sides
            of_theirs = self.component_of.get((TRAINING, node_of(theirs)))
            component = of_theirs or self.component_of.get((INFERENCE, node_of(mine))) or (mine, theirs)
            old, new = self._in_branch(inference, mine, component), self._in_branch(training, theirs, component)
            name = f"{scope_of(node_of(theirs if of_theirs else mine))}/Merge"
            self.choices[mine, theirs] = self.conditionals.merge(name, old, new, self._dtype(mine))
        return self.choices[mine, theirs]

    def _in_branch(self, side: _Side, tensor: str, component: Hashable) -> str:
        if node_of(tensor) in side.inside:
            return tensor
        return self._switch(tensor, self.conditionals.context(component, side.branch, node_of(tensor)))

    def _live_controls(self, node: NodeDef) -> None:
        """Replaces control inputs from inside a branch, which are dead in the other phase, by a choice that is alive
        in both.
        """
        for index, tensor in enumerate(node.input):
            for side in self.sides:
                if is_control(tensor) and node_of(tensor) in side.inside:
                    node.input[index] = "^" + self._token(side, node_of(tensor))

    def _token(self, side: _Side, name: str) -> str:
        """A node outside that runs after the node `name` inside, in the phase in which that runs."""
        if name not in self.tokens:
            old, new = (self._done(side, name, branch) for branch in (INFERENCE, TRAINING))
            self.tokens[name] = self.conditionals.merge(f"{name}/done/Merge", old, new, tf.bool)
        return self.tokens[name]

    def _done(self, side: _Side, name: str, branch: int) -> str:
        """A constant in a branch, which in that of the node `name` runs after it."""
        context = self.conditionals.context(self.component_of[(side.branch, name)], branch, name)
        waits = name if branch == side.branch else None
        return self.conditionals.constant(f"{name}/done", tf.make_tensor_proto(True), context, waits)

    def _hoist(self, side: _Side, node: NodeDef) -> None:
        """Lets a write of one phase write nothing new in the other."""
        value = tensor_name(node.input[1])
        component = self.component_of.get((side.branch, node_of(value)), ("write", node.name))
        here = self._in_branch(side, value, component)
        other = self.conditionals.context(component, 1 - side.branch, node.name)
        nothing = self._nothing_new(node, self._dtype(value), other)
        old, new = (here, nothing) if side.branch == INFERENCE else (nothing, here)
        node.input[1] = self.conditionals.merge(f"{node.name}/Merge", old, new, self._dtype(value))

    def _nothing_new(self, write: NodeDef, dtype: DType, context: Context) -> str:
        """What a write must be given to change nothing: the old value, or zeros for an addition."""
        handle = write.input[0]
        if write.op == "AssignVariableOp":
            # The old value is the one that this write would have found: it waits for what the write waits for.
            waits = [tensor for tensor in write.input if is_control(tensor)]
            read = self.merged.add("ReadVariableOp", f"{write.name}/old", [handle, *waits], dtype=dtype)
            return self.conditionals.switch(tensor_name(read.name), context, dtype)
        shape = [dim.size for dim in self.merged.nodes[node_of(handle)].attr["shape"].shape.dim]
        return self.conditionals.constant(f"{write.name}/nothing", tf.make_tensor_proto(0, dtype, shape), context)


def _size(constant: NodeDef) -> int:
    return int(np.prod(shape_of_constant(constant)))
