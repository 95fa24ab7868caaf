"""The nodes that read and change variables: which they are, whose they are, and what runs after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Container, Dict, Iterable, List, Mapping, Optional, Sequence, Set

import tensorflow as tf

from .editable import WHILE_CONTEXT
from .nodes import HANDS_ON, data_inputs, is_control, node_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from .editable import Context, EditableGraph


def is_write(node: NodeDef) -> bool:
    """Whether a NodeDef changes a variable."""
    return (
        node.op.startswith("Assign")
        and node.op.endswith("VariableOp")
        or node.op.startswith(("ResourceScatter", "ResourceApply", "ResourceSparseApply"))
    )


def written_variable(graph: EditableGraph, node: NodeDef) -> str:
    """The name of the node that holds the variable which a write changes, from wherever it stands."""
    handle = graph.origin(node.input[0], HANDS_ON)
    return node_of(node.input[0]) if handle is None else handle.name


def step_nodes(
    graph: EditableGraph,
    gradients: Iterable[str],
    weights: Iterable[str],
    slots: Iterable[str],
    written: Iterable[str] = (),
) -> Set[str]:
    """The nodes that are the train step's own: all that depends on gradients, on a write to `slots`, on a write to
    `weights` after the first gradient was taken, or on those of `written`. Before, a layer wrote:
    `SpectralNormalization` does so in its call.

    Args:
        graph: EditableGraph of the train step, its nodes in the order in which they were made.
        gradients: names of the placeholders that stand for gradients.
        weights, slots: names of the model's trainable variables, and of the optimizer's.
        written: names of other writes that are the step's own.
    """
    own, slots, later = {node_of(name) for name in gradients}, set(slots), False
    starts = set(own)
    own.update(written)
    for name, node in graph.nodes.items():
        later = later or name in starts
        if is_write(node) and written_variable(graph, node) in (slots | set(weights) if later else slots):
            own.add(name)
    consumers, todo = graph.consumers(), list(own)
    while todo:
        for node in consumers[todo.pop()]:
            if node.name not in own:
                own.add(node.name)
                todo.append(node.name)
    return own


def writes_of(graph: EditableGraph, tensors: Iterable[str], kept: Container[str] = ()) -> List[str]:
    """The names of the writes of what is computed of `tensors`, in order, but for those to the variables `kept`."""
    taken: Dict[str, List[str]] = {}
    for node in graph.nodes.values():
        for tensor in data_inputs(node):
            taken.setdefault(node_of(tensor), []).append(node.name)
    seen: Set[str] = set()
    todo = [node_of(tensor) for tensor in tensors if node_of(tensor) in graph.nodes]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(taken.get(name, ()))
    writes = [name for name, node in graph.nodes.items() if name in seen and is_write(node)]
    return [name for name in writes if written_variable(graph, graph.nodes[name]) not in kept]


def free_branches_of_outside(graph: EditableGraph) -> None:
    """Removes what the end of a conditional in a branch waits for outside of that branch.

    `AutomaticControlDependencies` lets each `Merge` wait for all that was built before it, of any branch, and also for
    the end of what stands around it, which waits for the branch.

    Args:
        graph: EditableGraph, changed in place.
    """
    freed = {}
    for name, node in graph.nodes.items():
        around = graph.context_of.get(name)
        if node.op == "Merge" and around is not None:
            kept = [tensor for tensor in node.input if not is_control(tensor) or _stands_in(graph, tensor, around)]
            freed[name] = [tensor for tensor in node.input if tensor not in kept]
            node.input[:] = kept
    _wait_without_them(graph, freed)


def _wait_without_them(graph: EditableGraph, freed: Mapping[str, List[str]]) -> None:
    """Lets what waits for a freed `Merge` from outside of its branch wait for what that waited for before.

    Args:
        graph: EditableGraph, its nodes in the order in which they were made.
        freed: dict, name of a `Merge` -> the control inputs that it lost.
    """
    position = {name: index for index, name in enumerate(graph.nodes)}
    for name, node in graph.nodes.items():
        seen = {tensor for tensor in node.input if is_control(tensor)}
        todo = [tensor for tensor in seen if freed.get(node_of(tensor)) and _is_outside(graph, name, node_of(tensor))]
        found = []
        while todo:
            for tensor in freed[node_of(todo.pop())]:
                if tensor not in seen:
                    seen.add(tensor)
                    found.append(tensor)
                    todo.extend([tensor] if node_of(tensor) in freed else [])
        reachable = [tensor for tensor in found if not _is_outside(graph, name, node_of(tensor))]
        earlier = [tensor for tensor in reachable if position[node_of(tensor)] < position[name]]
        node.input.extend(sorted(earlier, key=lambda tensor: position[node_of(tensor)]))


def _is_outside(graph: EditableGraph, name: str, other: str) -> bool:
    """Whether a node stands outside of the branch or loop that another one stands in."""
    around = graph.context_of.get(other)
    return around is not None and not _stands_in(graph, name, around)


def _stands_in(graph: EditableGraph, tensor: str, around: Context) -> bool:
    context = graph.context_of.get(node_of(tensor))
    return context is not None and any(outer is around for outer in context.outwards())


def stands_in_loop(graph: EditableGraph, name: str) -> bool:
    """Whether a node stands in a loop, at any depth: nothing outside can wait for it."""
    context = graph.context_of.get(name)
    return context is not None and any(outer.kind == WHILE_CONTEXT for outer in context.outwards())


def outlet(graph: EditableGraph, write: str, consumers: Optional[Mapping[str, List[NodeDef]]] = None) -> Optional[str]:
    """A node that runs after a write whether or not the user's own branch runs in which it stands, or None; without
    branch, the write.

    Args:
        graph: EditableGraph.
        write: str, the node's name.
        consumers: what `graph.consumers()` gives, where many are asked for.
    """
    if write not in graph.context_of:
        return write
    consumers, todo, seen = consumers or graph.consumers(), [write], {write}
    while todo:
        for node in consumers[todo.pop()]:
            if node.name not in graph.context_of:
                return node.name
            if node.name not in seen:
                seen.add(node.name)
                todo.append(node.name)
    return None


def add_outlets(graph: EditableGraph, writes: Iterable[str]) -> Dict[str, str]:
    """Adds nodes that run after writes in branches of the user's own, whichever branch runs: one for each branch.

    Args:
        graph: EditableGraph, added to.
        writes: names of nodes that stand in no loop.

    Returns:
        dict, write -> the name of a node outside of all branches.
    """
    together: Dict[int, List[str]] = {}
    for name in writes:
        together.setdefault(id(graph.context_of[name]), []).append(name)
    found: Dict[str, str] = {}
    for names in together.values():
        found.update(dict.fromkeys(names, _done(graph, names)))
    return found


def _done(graph: EditableGraph, names: Sequence[str]) -> str:
    """A node outside of all branches that runs after the nodes `names` of one branch."""
    context, first = graph.context_of[names[0]], names[0]
    predicate, outer, true = context.fields.pred_name, context.outer, tf.make_tensor_proto(True)
    waits = [f"^{name}" for name in names]
    done = graph.add("Const", f"{first}/done", waits, context=context, dtype=tf.bool, value=true).name
    other = graph.add("Switch", f"{first}/Switch", [predicate] * 2, context=outer, outputs=2, T=tf.bool).name
    ends = [done, f"{other}:{1 - context.fields.branch}"]
    merge = graph.add("Merge", f"{first}/done/Merge", ends, context=outer, outputs=2, T=tf.bool, N=2).name
    return merge if outer is None else _done(graph, [merge])
