"""Lays the training trace over the inference trace: one graph, in which `keras_learning_phase` chooses only what differs.

For every pair of nodes that `match.py` finds, the graph holds one node. Where an input of the pair differs, the learning phase chooses
between the two: a v1 conditional whose branches hold what only one of the traces has, like the `smart_cond` that TF 1.15's own layers build.
Writes are not left inside a branch - there they would be dead when the other branch runs, and kill what waits for them - but get what
they write chosen instead: the new value, or the old one.

What depends on gradients or on updated weights is the train step's own. It stands outside of every choice, and nothing but `train_op`
runs it.
"""
from tensorflow.core.protobuf import control_flow_pb2

import tensorflow as tf

from ..graphdef import COND_CONTEXT, Context, EditableGraph, input_name, is_control, node_of, tensor_name
from .match import group_key, match
from .trace import is_write

_HOISTED = {"AssignVariableOp": 1, "AssignAddVariableOp": 1, "AssignSubVariableOp": 1}
INFERENCE, TRAINING = 0, 1


def lay_over(inference, training, phase, dtypes, step_only=(), unconditional=(), pinned=((), ())):
    """Merges two traces.

    Args:
        inference, training: EditableGraph; both are used up.
        phase: str, the bool tensor that chooses; its node is in neither graph yet.
        dtypes: pair of dicts, tensor name -> DataType enum, for the two graphs.
        step_only: node names of `training` that are the train step's own.
        unconditional: names of variables that are written alike in both phases, whatever the traces say.
        pinned: pair of collections of node names of the two graphs that must be alive in both phases.

    Returns:
        (EditableGraph, dict of training node names that changed -> their names in the merged graph, dict of writes that stand in a
        branch -> a node that is alive in both phases and runs after them).
    """
    pairs = match(inference, training, excluded=step_only)
    return _Overlay(inference, training, pairs, phase, dtypes, set(step_only), set(unconditional), pinned).merge()


def unite(first, second, dtypes):
    """Adds to `second` what `first` has and it has not; both are of one phase.

    Args:
        first, second: EditableGraph; `second` is changed in place.
        dtypes: pair of dicts, tensor name -> DataType enum; the second is completed.

    Returns:
        dict, node name in `first` -> node name in `second`.
    """
    pairs = match(first, second, by_name=False)
    names, taken = dict(pairs), {name.lower() for name in second.nodes}
    for name in first.nodes:
        if name not in names:
            fresh, number = name, 0
            while fresh.lower() in taken:
                number += 1
                fresh = f"{name}_{number}"
            taken.add(fresh.lower())
            names[name] = fresh
    kept = [name for name in first.nodes if name not in pairs]
    contexts = [context for context in first.contexts if any(node_of(value) in kept for value in context.values)]
    for tensor, enum in dtypes[0].items():
        dtypes[1].setdefault(names.get(node_of(tensor), node_of(tensor)) + tensor[len(node_of(tensor)) :], enum)
    alone = EditableGraph()
    alone.nodes = {name: first.nodes[name] for name in kept}
    alone.contexts, alone.context_of = contexts, {name: first.context_of[name] for name in kept if name in first.context_of}
    alone.rename({name: fresh for name, fresh in names.items() if name != fresh})
    _frames_apart(alone, (), {context.name for context in second.contexts})
    second.nodes.update(alone.nodes)
    second.contexts.extend(contexts)
    second.context_of.update(alone.context_of)
    return names


def step_nodes(graph, gradients, weights):
    """The nodes that are the train step's own: all that depends on gradients, or on a write to `weights`.

    Args:
        graph: EditableGraph of the train step.
        gradients: names of the placeholders that stand for gradients.
        weights: names of the variables that only the train step writes.
    """
    own, weights = {node_of(name) for name in gradients}, set(weights)
    own |= {name for name, node in graph.nodes.items() if is_write(node) and node_of(node.input[0]) in weights}
    consumers, todo = graph.consumers(), list(own)
    while todo:
        for node in consumers[todo.pop()]:
            if node.name not in own:
                own.add(node.name)
                todo.append(node.name)
    return own


class _Side:
    """One of the two traces while it is merged."""

    def __init__(self, graph, dtypes, branch, paired, pinned):
        self.graph, self.dtypes, self.branch, self.pinned = graph, dtypes, branch, set(pinned)
        self.alone = [name for name in graph.nodes if name not in paired]
        self.inside = set()
        self.data_consumers = {name: 0 for name in graph.nodes}
        for node in graph.nodes.values():
            for tensor in node.input:
                if not is_control(tensor):
                    self.data_consumers[node_of(tensor)] += 1


class _Overlay:
    def __init__(self, inference, training, pairs, phase, dtypes, step_only, unconditional, pinned):
        self.pairs, self.phase, self.step_only, self.unconditional = pairs, phase, step_only, unconditional
        self.renamed = self._name_apart(inference, training, dtypes)
        self.sides = (
            _Side(inference, dtypes[0], INFERENCE, self.pairs, pinned[0]),
            _Side(training, dtypes[1], TRAINING, self.pairs, [self.renamed.get(name, name) for name in pinned[1]]),
        )
        self.merged = EditableGraph()
        self.choices, self.switches, self.tokens = {}, {}, {}
        self.component_of, self.contexts = {}, {}

    def _name_apart(self, inference, training, dtypes):
        """Gives paired nodes the inference trace's names, and the others names of their own."""
        renamed = {theirs: mine for mine, theirs in self.pairs.items()}
        taken = {name.lower() for name in inference.nodes}
        for name in training.nodes:
            if name not in renamed:
                fresh, number = name, 0
                while fresh.lower() in taken:
                    number += 1
                    fresh = f"{name}_{number}"
                taken.add(fresh.lower())
                renamed[name] = fresh
        changed = {old: new for old, new in renamed.items() if old != new}
        training.rename(changed)
        _frames_apart(training, self.pairs, {context.name for context in inference.contexts})
        self.pairs = {name: name for name in self.pairs}
        self.step_only = {changed.get(name, name) for name in self.step_only}
        renamed_types = {changed.get(node_of(t), node_of(t)) + t[len(node_of(t)) :]: enum for t, enum in dtypes[1].items()}
        dtypes[1].clear()
        dtypes[1].update(renamed_types)
        return changed

    # -- the plan

    def merge(self):
        for side in self.sides:
            self._find_inside(side)
        self._find_components()
        self._copy_nodes()
        self._add_pivots()
        for side in self.sides:
            for name in side.alone:
                self._place(side, self.merged.nodes[name])
        for name in self.pairs:
            self._join(name)
        for side in self.sides:
            for name in side.alone:
                if name not in side.inside:
                    self._live_controls(self.merged.nodes[name])
                    if self._is_hoisted(side, name):
                        self._hoist(side, self.merged.nodes[name])
        inside = [(side, name) for side in self.sides for name in side.inside if is_write(self.merged.nodes[name])]
        return self.merged, self.renamed, {name: self._token(side, name) for side, name in inside}

    def _is_hoisted(self, side, name):
        node = side.graph.nodes[name]
        return (
            node.op in _HOISTED
            and name not in self.step_only
            and name not in side.graph.context_of
            and node_of(node.input[0]) not in self.unconditional
        )

    def _find_inside(self, side):
        """Which of a side's own nodes stand in its branch: all whose results are used there, or chosen, and nowhere else."""
        graph = side.graph
        groups = {}
        for name in graph.context_of:
            groups.setdefault(group_key(graph, name), set()).add(name)
        alone, outside = set(side.alone), set()
        todo = [name for name in side.alone if self._must_stay_outside(side, name)]
        while todo:
            name = todo.pop()
            if name in outside:
                continue
            outside.add(name)
            todo.extend(groups.get(group_key(graph, name), ()))
            if name in alone and not self._is_hoisted(side, name):
                todo.extend(node_of(tensor) for tensor in graph.nodes[name].input if not is_control(tensor) and node_of(tensor) in alone)
        side.inside = alone - outside

    def _must_stay_outside(self, side, name):
        node = side.graph.nodes[name]
        if node.op in ("VarHandleOp", "Placeholder", "PlaceholderWithDefault") or name in self.step_only:
            return True
        if node.op == "ReadVariableOp" and not any(is_control(tensor) for tensor in node.input):
            return True
        if self._is_hoisted(side, name) or name in side.pinned:
            return True
        if name in side.graph.context_of or node.op == "Exit" or is_write(node):
            # A loop stays whole, and a write that no choice of its input can undo stays with what it writes.
            return False
        return not side.data_consumers[name]

    def _find_components(self):
        """Own nodes that hang together, with the choices between them, are one conditional."""
        parent = {}

        def find(key):
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
        inference, training = self.sides
        for name in self.pairs:
            for mine, theirs in zip(inference.graph.nodes[name].input, training.graph.nodes[name].input):
                if node_of(mine) in inference.inside and node_of(theirs) in training.inside:
                    parent[find((INFERENCE, node_of(mine)))] = find((TRAINING, node_of(theirs)))
        self.component_of = {key: find(key) for key in list(parent)}

    # -- building

    def _copy_nodes(self):
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

    def _add_pivots(self):
        switch = self.merged.add("Switch", f"{node_of(self.phase)}/Switch", [self.phase, self.phase], T=tf.bool)
        self.pivots = [
            self.merged.add("Identity", f"{node_of(self.phase)}/switch_{letter}", [f"{switch.name}:{branch}"], T=tf.bool).name
            for branch, letter in ((INFERENCE, "f"), (TRAINING, "t"))
        ]

    def _place(self, side, node):
        """Puts a side's own node into its branch, and lets what it takes from outside enter by a `Switch`."""
        if node.name not in side.inside:
            return
        context = self._context(side, node.name)
        own = self.merged.context_of.get(node.name)
        if own is None:
            self.merged.enter(node.name, context, _output_count(side, node.name))
        else:
            while own.outer is not None and own.outer is not context:
                own = own.outer
            own.outer = context
        anchored = False
        for index, tensor in enumerate(node.input):
            if node_of(tensor) in side.inside:
                anchored = True
            elif not is_control(tensor):
                entered = self._switch(side, tensor, context)
                self._enter_group(node.name, tensor, entered)
                node.input[index] = input_name(entered)
                anchored = True
        if not anchored:
            node.input.append("^" + self.pivots[side.branch])

    def _context(self, side, name):
        key = self.component_of[(side.branch, name)]
        return self._context_of_component(key, side.branch, name)

    def _context_of_component(self, key, branch, name):
        if (key, branch) not in self.contexts:
            scope = name.rsplit("/", 1)[0] if "/" in name else name
            fields = control_flow_pb2.CondContextDef(
                context_name=f"{scope}/cond_{len(self.contexts)}",
                pred_name=self.phase,
                pivot_name=tensor_name(self.pivots[branch]),
                branch=branch,
            )
            context = Context(COND_CONTEXT, fields)
            context.external[self.phase] = self.phase
            context.external[tensor_name(self.pivots[branch])] = tensor_name(self.pivots[branch])
            self.contexts[(key, branch)] = context
            self.merged.contexts.insert(0, context)
        return self.contexts[(key, branch)]

    def _switch(self, side, tensor, context):
        """The tensor inside of a branch that stands for `tensor` outside."""
        tensor = tensor_name(tensor)
        key = (tensor, id(context))
        if key not in self.switches:
            switch = self.merged.add(
                "Switch", f"{context.name.rsplit('/', 1)[0]}/Switch", [tensor, self.phase], context=context, outputs=2, T=self._dtype(side, tensor)
            )
            self.switches[key] = f"{switch.name}:{side.branch}"
            context.external[tensor] = self.switches[key]
        return self.switches[key]

    def _enter_group(self, name, tensor, entered):
        """Tells the loop or conditional of the node `name` that `tensor` now comes in as `entered`."""
        context = self.merged.context_of.get(name)
        while context is not None:
            if tensor_name(tensor) in context.external:
                context.external[tensor_name(entered)] = context.external.pop(tensor_name(tensor))
            for field in ("pred_name",):
                if getattr(context.fields, field, "") == tensor_name(tensor):
                    setattr(context.fields, field, tensor_name(entered))
            context = context.outer

    def _dtype(self, side, tensor):
        enum = side.dtypes.get(tensor)
        if enum is None:
            enum = self.sides[1 - side.branch].dtypes[tensor]
        return tf.as_dtype(enum)

    def _choose(self, mine, theirs):
        """A tensor that is `mine` in inference and `theirs` in training."""
        key = (tensor_name(mine), tensor_name(theirs))
        if key not in self.choices:
            inference, training = self.sides
            context_key = self._choice_component(mine, theirs)
            branches = [
                self._in_branch(side, tensor, context_key) for side, tensor in ((inference, key[0]), (training, key[1]))
            ]
            scope = node_of(theirs if node_of(theirs) in training.inside else mine)
            merge = self.merged.add("Merge", f"{scope.rsplit('/', 1)[0] if '/' in scope else scope}/Merge", branches, T=self._dtype(inference, key[0]), N=2)
            self.choices[key] = merge.name
        return self.choices[key]

    def _choice_component(self, mine, theirs):
        for branch, tensor in ((TRAINING, theirs), (INFERENCE, mine)):
            found = self.component_of.get((branch, node_of(tensor)))
            if found is not None:
                return found
        return ("choice", tensor_name(mine), tensor_name(theirs))

    def _in_branch(self, side, tensor, component):
        if node_of(tensor) in side.inside:
            return tensor
        context = self._context_of_component(component, side.branch, node_of(tensor))
        return self._switch(side, tensor, context)

    def _join(self, name):
        """One node for a pair: inputs that differ are chosen, control inputs are united."""
        inference, training = self.sides
        node, other = self.merged.nodes[name], training.graph.nodes[name]
        for index, (mine, theirs) in enumerate(zip(list(node.input), other.input)):
            if is_control(mine) or is_control(theirs):
                break
            if tensor_name(mine) != tensor_name(theirs):
                chosen = self._choose(mine, theirs)
                self._enter_group(name, mine, chosen)
                node.input[index] = chosen
        have = {tensor for tensor in node.input if is_control(tensor)}
        node.input.extend(tensor for tensor in other.input if is_control(tensor) and tensor not in have)
        self._live_controls(node)

    def _live_controls(self, node):
        """Replaces control inputs from inside a branch, which are dead in the other phase, by a choice that is alive in both."""
        for index, tensor in enumerate(node.input):
            if is_control(tensor):
                for side in self.sides:
                    if node_of(tensor) in side.inside:
                        node.input[index] = "^" + self._token(side, node_of(tensor))

    def _token(self, side, name):
        """A node outside that runs after the node `name` inside, in the phase in which that runs."""
        if name not in self.tokens:
            key = self.component_of[(side.branch, name)]
            ends = []
            for branch in (INFERENCE, TRAINING):
                context = self._context_of_component(key, branch, name)
                waits = name if branch == side.branch else self.pivots[branch]
                value = tf.make_tensor_proto(True)
                ends.append(self.merged.add("Const", f"{name}/done", ["^" + waits], context=context, dtype=tf.bool, value=value).name)
            self.tokens[name] = self.merged.add("Merge", f"{name}/done/Merge", ends, T=tf.bool, N=2).name
        return self.tokens[name]

    def _hoist(self, side, node):
        """Lets a write of one phase write nothing new in the other."""
        handle, value = node.input[0], node.input[1]
        dtype = self._dtype(side, tensor_name(value))
        key = self.component_of.get((side.branch, node_of(value)), ("write", node.name))
        here = self._in_branch(side, tensor_name(value), key)
        other = self._context_of_component(key, 1 - side.branch, node.name)
        if node.op == "AssignVariableOp":
            read = self.merged.add("ReadVariableOp", f"{node.name}/old", [handle], dtype=dtype)
            unchanged = self._switch(self.sides[1 - side.branch], self._typed(read.name, dtype), other)
        else:
            shape = self.merged.nodes[node_of(handle)].attr["shape"].shape
            zeros = tf.make_tensor_proto(0, dtype, [dim.size for dim in shape.dim])
            unchanged = self.merged.add(
                "Const", f"{node.name}/nothing", ["^" + self.pivots[1 - side.branch]], context=other, dtype=dtype, value=zeros
            ).name
        ends = (here, unchanged) if side.branch == INFERENCE else (unchanged, here)
        node.input[1] = self.merged.add("Merge", f"{node.name}/Merge", ends, T=dtype, N=2).name

    def _typed(self, name, dtype):
        self.sides[0].dtypes[tensor_name(name)] = dtype.as_datatype_enum
        return tensor_name(name)


def _frames_apart(graph, paired, taken):
    """Gives the loops that `paired` nodes do not share frames of their own: a frame is one loop, by its name."""
    for context in graph.contexts:
        inside = [graph.nodes[node_of(value)] for value in context.values if graph.context_of.get(node_of(value)) is context]
        if context.name not in taken or any(node.name in paired for node in inside):
            continue
        number = 1
        while f"{context.name}_{number}" in taken:
            number += 1
        old, context.fields.context_name = context.name, f"{context.name}_{number}"
        taken.add(context.name)
        for node in graph.nodes.values():
            if node.op == "Enter" and node.attr["frame_name"].s.decode() == old:
                node.attr["frame_name"].s = context.name.encode()


def _output_count(side, name):
    count = 0
    while f"{name}:{count}" in side.dtypes:
        count += 1
    return count
