"""Makes a graph smaller without changing a number: what is computed twice is computed once, what is constant is a
constant.
"""

import tensorflow as tf

from ..graphdef import input_name, is_control, moved, node_of, tensor_name
from .match import attributes, keeps_order

_CONTROL_FLOW = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
# A constant that grows by folding belongs into the file only while it is small.
_LARGEST_FOLDED = 1024


def merge_equal_nodes(graph, pinned=()):
    """Lets one node stand for all that have the same op, attributes and inputs.

    Args:
        graph: EditableGraph, changed in place.
        pinned: node names that must stay.

    Returns:
        dict, tensor name that went -> tensor name that stands for it.
    """
    pinned, first, replaced = set(pinned), {}, {}
    for name in graph.topological():
        node = graph.nodes[name]
        for index, tensor in enumerate(node.input):
            if not is_control(tensor) and node_of(tensor) in replaced:
                node.input[index] = moved(tensor, replaced)
        if name in pinned or not _is_pure(graph, node):
            continue
        key = attributes(node), tuple(tensor if is_control(tensor) else tensor_name(tensor) for tensor in node.input)
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


def fold_constants(graph, pinned=()):
    """Computes what depends on constants alone.

    Args:
        graph: EditableGraph, changed in place.
        pinned: node names that must stay as they are.
    """
    pinned, constant = set(pinned), set()
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
    wanted = sorted(tensor for tensor in wanted if node_of(tensor) not in pinned)
    for tensor, value in zip(wanted, _computed(graph, constant, wanted)):
        _replace_by_constant(graph, tensor, value)


def _computed(graph, constant, wanted):
    if not wanted:
        return []
    part = tf.compat.v1.GraphDef()
    needed = graph.ancestors({node_of(tensor) for tensor in wanted})
    part.node.extend(graph.nodes[name] for name in graph.nodes if name in needed & constant)
    with tf.Graph().as_default() as private:
        tf.import_graph_def(part, name="")
        with tf.compat.v1.Session(graph=private) as session:
            return session.run(wanted)


def _replace_by_constant(graph, tensor, value):
    size = getattr(value, "size", _LARGEST_FOLDED + 1)
    if size > _LARGEST_FOLDED or value.dtype.kind not in "biufc":
        return
    proto = tf.make_tensor_proto(value)
    folded = graph.add("Const", node_of(tensor), dtype=tf.as_dtype(value.dtype), value=proto)
    graph.redirect({tensor: tensor_name(folded.name)})


def _is_pure(graph, node):
    # A read that waits for nothing sees the variable as it was before the step, and so do all others that wait for
    # nothing.
    return (
        node.name not in graph.context_of
        and (node.op == "ReadVariableOp" or not keeps_order(node))
        and node.op not in _CONTROL_FLOW
        and node.op != "NoOp"
        and "Assert" not in node.op
        and "Print" not in node.op
        and "Stack" not in node.op
        and "TensorArray" not in node.op
        and not any(is_control(tensor) for tensor in node.input)
    )


def drop_unused_inputs(graph):
    """Removes control inputs that a node has twice, or has as data anyway."""
    for node in graph.nodes.values():
        data = {node_of(tensor) for tensor in node.input if not is_control(tensor)}
        kept, seen = [], set()
        for tensor in node.input:
            if is_control(tensor):
                if node_of(tensor) in data or tensor in seen:
                    continue
                seen.add(tensor)
            kept.append(tensor if is_control(tensor) else input_name(tensor))
        if len(kept) != len(node.input):
            del node.input[:]
            node.input.extend(kept)
