"""Makes a graph smaller without changing a number: what is computed twice is computed once, what is constant is a
constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Hashable, Iterable, Sequence, Set

import tensorflow as tf

from keras_gensynth_callback.compat import SPARSE_READS

from .match import attributes, keeps_order
from .nodes import (
    CASTS,
    data_inputs,
    has_control_inputs,
    input_name,
    is_control,
    moved,
    node_of,
    tensor_name,
)

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from .editable import EditableGraph


_CONTROL_FLOW = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
# A constant that grows by folding belongs into the file only while it is small.
_LARGEST_FOLDED = 1024


def merge_equal_nodes(graph: EditableGraph, pinned: Iterable[str] = ()) -> Dict[str, str]:
    """Lets one node stand for all that have the same op, attributes and inputs.

    Args:
        graph: EditableGraph, changed in place.
        pinned: node names that must stay.

    Returns:
        dict, tensor name that went -> tensor name that stands for it.
    """
    pinned = set(pinned)
    first: Dict[Hashable, str] = {}
    replaced: Dict[str, str] = {}
    for name in graph.topological():
        node = graph.nodes[name]
        for index, tensor in enumerate(node.input):
            if not is_control(tensor) and node_of(tensor) in replaced:
                node.input[index] = moved(tensor, replaced)
        if name in pinned or not (_is_pure(graph, node) or _is_pure_inside(graph, node)) or _gathers_rows(graph, node):
            continue
        inputs = tuple(tensor if is_control(tensor) else tensor_name(tensor) for tensor in node.input)
        key = attributes(node), inputs, id(graph.context_of.get(name))
        stands = first.setdefault(key, name)
        if stands != name:
            replaced[name] = stands
    for node in graph.nodes.values():
        for index, tensor in enumerate(node.input):
            if node_of(tensor) in replaced:
                node.input[index] = moved(tensor, replaced)
    for context in graph.contexts:
        context.rename(lambda tensor: moved(tensor, replaced))
    graph.remove(replaced)
    return replaced


def equal_nodes(graph: EditableGraph, names: Iterable[str]) -> Dict[str, str]:
    """Which of some nodes give what another one of them gives, in each run: they stay as they are.

    Args:
        graph: EditableGraph.
        names: names of nodes; one inside of a loop or conditional is like no other.

    Returns:
        dict, name -> name of the first one that gives the same.
    """
    wanted = set(names)
    behind = graph.ancestors(wanted, controls=False)
    numbers: Dict[Hashable, int] = {}
    number_of: Dict[str, int] = {}
    first: Dict[int, str] = {}
    equal: Dict[str, str] = {}
    for name in graph.topological({name: None for name in graph.nodes if name in behind}):
        number = number_of[name] = numbers.setdefault(_value_of(graph, name, number_of), len(numbers))
        if name in wanted and first.setdefault(number, name) != name:
            equal[name] = first[number]
    return equal


def _value_of(graph: EditableGraph, name: str, number_of: Dict[str, int]) -> Hashable:
    """What is the same for nodes that give the same, by the numbers of their inputs."""
    node = graph.nodes[name]
    if not _is_repeatable(graph, node):
        return name
    inputs = map(tensor_name, node.input)
    return attributes(node), tuple((number_of[node_of(tensor)], tensor.rpartition(":")[2]) for tensor in inputs)


def fold_constants(graph: EditableGraph, pinned: Iterable[str] = ()) -> None:
    """Computes what depends on constants alone.

    Args:
        graph: EditableGraph, changed in place.
        pinned: node names that must stay as they are.
    """
    pinned = set(pinned)
    constant: Set[str] = set()
    for name in graph.topological():
        node = graph.nodes[name]
        if node.op == "ReadVariableOp":
            continue
        if node.op == "Const" and not node.input and _is_pure(graph, node):
            constant.add(name)
        elif node.input and _is_pure(graph, node) and all(node_of(tensor) in constant for tensor in node.input):
            constant.add(name)
    wanted = {
        tensor_name(tensor)
        for node in graph.nodes.values()
        if node.name not in constant
        for tensor in node.input
        if not is_control(tensor) and node_of(tensor) in constant and graph.nodes[node_of(tensor)].op != "Const"
    }
    values = _computed(graph, constant, sorted(tensor for tensor in wanted if node_of(tensor) not in pinned))
    folded = {tensor: _constant(graph, tensor, value) for tensor, value in values.items() if _is_small(value)}
    graph.redirect(folded)


def _computed(graph: EditableGraph, constant: Set[str], wanted: Sequence[str]) -> Dict[str, Any]:
    """dict, tensor -> its value, for those of `wanted` that NumPy has a type for."""
    if not wanted:
        return {}
    part = tf.compat.v1.GraphDef()
    needed = graph.ancestors({node_of(tensor) for tensor in wanted})
    part.node.extend(graph.nodes[name] for name in graph.nodes if name in needed & constant)
    with tf.Graph().as_default() as private:
        tf.import_graph_def(part, name="")
        tensors = [private.get_tensor_by_name(name) for name in wanted]
        fetched = {tensor.name: tensor for tensor in tensors if tensor.dtype not in (tf.variant, tf.resource)}
        with tf.compat.v1.Session(graph=private) as session:
            return session.run(fetched)


def _is_small(value: Any) -> bool:
    return getattr(value, "size", _LARGEST_FOLDED + 1) <= _LARGEST_FOLDED and value.dtype.kind in "biufc"


def _constant(graph: EditableGraph, tensor: str, value: Any) -> str:
    proto = tf.make_tensor_proto(value)
    return tensor_name(graph.add("Const", node_of(tensor), dtype=tf.as_dtype(value.dtype), value=proto).name)


def _is_pure(graph: EditableGraph, node: NodeDef) -> bool:
    return _is_repeatable(graph, node) and not _makes_key(node)


def _is_repeatable(graph: EditableGraph, node: NodeDef) -> bool:
    """Whether a node gives what any other gives that has the same op, attributes and inputs."""
    # A read that waits for nothing sees the variable as it was before the step, and so do all others that wait for
    # nothing.
    waits = has_control_inputs(node)
    return (
        node.name not in graph.context_of
        and not waits
        and (node.op == "ReadVariableOp" or not keeps_order(node))
        and _has_no_effect(node)
    )


def _gathers_rows(graph: EditableGraph, node: NodeDef) -> bool:
    """Whether a node takes rows of a variable: each such node gives the gradient slices of its own.

    Keras's optimizers square slice by slice, so that two slices of half the value are not one of the whole.
    """
    if node.op in SPARSE_READS:
        return True
    if node.op not in ("Gather", "GatherV2", "GatherNd"):
        return False
    table = graph.origin(node.input[0], CASTS)
    return table is not None and table.op == "ReadVariableOp"


def _is_pure_inside(graph: EditableGraph, node: NodeDef) -> bool:
    """Whether a node inside of a loop or conditional gives what any other like it in the same branch gives.

    A constant there waits for the branch. An Identity may be what a context or a gradient knows the branch by.
    """
    waits = has_control_inputs(node)
    return (
        node.name in graph.context_of
        and node.op != "Identity"
        and (node.op == "Const" or not waits)
        and not keeps_order(node)
        and _has_no_effect(node)
        and not _makes_key(node)
    )


def _makes_key(node: NodeDef) -> bool:
    """Such a node stays as it is: a target takes the seed that the key is made of."""
    return node.op.startswith("StatelessRandomGetKeyCounter")


def _has_no_effect(node: NodeDef) -> bool:
    return (
        node.op not in _CONTROL_FLOW
        and node.op != "NoOp"
        and "Assert" not in node.op
        and "Print" not in node.op
        and "Stack" not in node.op
        and "TensorArray" not in node.op
    )


def drop_unused_inputs(graph: EditableGraph) -> None:
    """Removes control inputs that a node has twice, or has as data anyway."""
    for node in graph.nodes.values():
        data = set(map(node_of, data_inputs(node)))
        kept, seen = [], set()
        for tensor in node.input:
            if is_control(tensor):
                if node_of(tensor) in data or tensor in seen:
                    continue
                seen.add(tensor)
            kept.append(tensor if is_control(tensor) else input_name(tensor))
        if len(kept) != len(node.input):
            node.input[:] = kept


def shorten_identities(graph: EditableGraph, pinned: Iterable[str] = ()) -> None:
    """Lets one `Identity` stand where several follow each other, outside of loops and conditionals.

    Args:
        graph: EditableGraph, changed in place.
        pinned: node names that must stay.
    """
    pinned = set(pinned)
    gone: Dict[str, str] = {}
    for name in graph.topological():
        node = graph.nodes[name]
        if not _passes_on(graph, node):
            continue
        first = graph.nodes[gone.get(node_of(node.input[0]), node_of(node.input[0]))]
        if not _passes_on(graph, first):
            continue
        if name not in pinned:
            gone[name] = first.name
        elif first.name not in pinned:
            # What is asked for by name stays, and the other one goes.
            node.input[0] = first.input[0]
            gone[first.name] = name
            gone.update({other: name for other, stands in gone.items() if stands == first.name})
    for node in graph.nodes.values():
        for index, tensor in enumerate(node.input):
            node.input[index] = moved(tensor, gone)
    for context in graph.contexts:
        context.rename(lambda tensor: moved(tensor, gone))
    graph.remove(gone)


def _passes_on(graph: EditableGraph, node: NodeDef) -> bool:
    return node.op == "Identity" and len(node.input) == 1 and node.name not in graph.context_of
