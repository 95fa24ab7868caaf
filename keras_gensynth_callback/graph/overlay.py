"""Lays the training trace over the inference trace: one graph, in which `keras_learning_phase` chooses only what
differs.

For every pair of nodes that `match.py` finds, the graph holds one node. Where an input of the pair differs, the
learning phase chooses between the two: a v1 conditional whose branches hold what only one of the traces has, like the
`smart_cond` that TF 1.15's own layers build. Writes are not left inside a branch - there they would be dead when the
other branch runs, and kill what waits for them - but get what they write chosen instead: the new value, or the old
one.

What depends on gradients or on updated weights is the train step's own. It stands outside of every choice, and
nothing but `train_op` runs it.

Which node stands where is said by `overlay_plan.py`, before anything is changed; here it is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Hashable, Iterable, List, Tuple

import numpy as np
import tensorflow as tf

from .build_conditionals import INFERENCE, TRAINING, Conditionals, scope_of
from .editable import EditableGraph
from .losses import shape_of_constant
from .match import match
from .nodes import input_name, is_control, moved, node_of, tensor_name
from .op_types import output_types, type_of
from .overlay_plan import Ends, Plan, Side, plan_overlay
from .union import frames_apart, names_apart
from .variables import is_write

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, NodeDef

    from .editable import Context


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
    results: Iterable[Ends],
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
    paired, renamed = _name_alike(inference, training, step_only, alone)
    plan = plan_overlay(
        inference,
        training,
        paired,
        [(mine, theirs and moved(theirs, renamed)) for mine, theirs in results],
        {moved(name, renamed) for name in step_only},
        set(unconditional),
        (alone, [moved(name, renamed) for name in targets]),
    )
    overlay = _Overlay(plan, phase)
    graph = overlay.merge()
    return Laid(graph, renamed, overlay.alive_after_writes(), overlay.results())


def _name_alike(
    inference: EditableGraph, training: EditableGraph, step_only: Iterable[str], alone: Iterable[str]
) -> Tuple[List[str], Dict[str, str]]:
    """Gives each node of training the name of its twin, or one that inference does not have.

    Returns:
        The names that both traces have, and a dict, names of training nodes that changed -> their names now.
    """
    pairs = match(inference, training, excluded=step_only, alone=alone)
    names = names_apart(training, inference, {theirs: mine for mine, theirs in pairs.items()})
    renamed = {old: new for old, new in names.items() if old != new}
    training.rename(renamed)
    frames_apart(training, pairs, inference)
    return list(pairs), renamed


class _Overlay:
    """A merged graph while it is built.

    Args:
        plan: Plan.
        phase: str, the bool tensor that chooses.
    """

    def __init__(self, plan: Plan, phase: str) -> None:
        self.plan, self.sides = plan, plan.sides
        self.merged = _copied(plan.sides)
        self.conditionals = Conditionals(self.merged, phase)
        self.choices: Dict[Tuple[str, str], str] = {}
        self.tokens: Dict[str, str] = {}

    def merge(self) -> EditableGraph:
        for side in self.sides:
            for name in side.inside:
                self._place(side, self.merged.nodes[name])
        for name in self.plan.paired:
            self._join(name)
        for side in self.sides:
            for name in side.alone:
                if name not in side.inside:
                    self._live_controls(self.merged.nodes[name])
                if name in side.hoisted:
                    self._hoist(side, self.merged.nodes[name])
        return self.merged

    def results(self) -> List[str]:
        """The tensor that holds each result in both phases."""
        chosen = (mine if theirs is None else self._choose(mine, theirs) for mine, theirs in self.plan.results)
        return [tensor_name(tensor) for tensor in chosen]

    def alive_after_writes(self) -> Dict[str, str]:
        """dict, write inside of a branch -> a node outside that runs after it."""
        inside = [(side, name) for side in self.sides for name in side.inside if is_write(self.merged.nodes[name])]
        return {name: self._token(side, name) for side, name in inside}

    def _place(self, side: Side, node: NodeDef) -> None:
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

    def _context(self, side: Side, name: str) -> Context:
        return self.conditionals.context(self.plan.components[(side.branch, name)], side.branch, name)

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
            of_theirs = self.plan.components.get((TRAINING, node_of(theirs)))
            component = of_theirs or self.plan.components.get((INFERENCE, node_of(mine))) or (mine, theirs)
            old, new = self._in_branch(inference, mine, component), self._in_branch(training, theirs, component)
            name = f"{scope_of(node_of(theirs if of_theirs else mine))}/Merge"
            self.choices[mine, theirs] = self.conditionals.merge(name, old, new, self._dtype(mine))
        return self.choices[mine, theirs]

    def _in_branch(self, side: Side, tensor: str, component: Hashable) -> str:
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

    def _token(self, side: Side, name: str) -> str:
        """A node outside that runs after the node `name` inside, in the phase in which that runs."""
        if name not in self.tokens:
            old, new = (self._done(side, name, branch) for branch in (INFERENCE, TRAINING))
            self.tokens[name] = self.conditionals.merge(f"{name}/done/Merge", old, new, tf.bool)
        return self.tokens[name]

    def _done(self, side: Side, name: str, branch: int) -> str:
        """A constant in a branch, which in that of the node `name` runs after it."""
        context = self.conditionals.context(self.plan.components[(side.branch, name)], branch, name)
        waits = name if branch == side.branch else None
        return self.conditionals.constant(f"{name}/done", tf.make_tensor_proto(True), context, waits)

    def _hoist(self, side: Side, node: NodeDef) -> None:
        """Lets a write of one phase write nothing new in the other."""
        value = tensor_name(node.input[1])
        component = self.plan.components.get((side.branch, node_of(value)), ("write", node.name))
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


def _copied(sides: Tuple[Side, Side]) -> EditableGraph:
    """A graph of all nodes of inference, and those that training alone has."""
    merged, inference = EditableGraph(), sides[INFERENCE]
    for side in sides:
        alone = set(side.alone)
        for name, node in side.graph.nodes.items():
            if name in alone or side is inference:
                merged.nodes[name] = node
        for context in side.graph.contexts:
            if side is inference or any(node_of(value) in alone for value in context.values):
                merged.contexts.append(context)
        merged.context_of.update(
            {name: context for name, context in side.graph.context_of.items() if name in alone or side is inference}
        )
    return merged


def _size(constant: NodeDef) -> int:
    return int(np.prod(shape_of_constant(constant)))
