"""Metrics in the graph: their value without an update, and what a reset gives their variables."""

import tensorflow as tf

from ..graphdef import data_inputs, moved, node_of, tensor_name
from .simplify import fold_constants


def value_without_update(graph, tensor):
    """A copy of a metric's result that does not wait for the update: the same reads of the same variables, at any time.

    A result that depends on data, as of a `test_step` that returns a loss as it is, has no other value than that of
    its batch.

    Args:
        graph: EditableGraph that is added to.
        tensor: str, the result after the update.

    Returns:
        The name of a tensor.
    """
    needed = graph.ancestors([node_of(tensor)], controls=False)
    if any(graph.nodes[name].op.startswith("Placeholder") or name in graph.context_of for name in needed):
        return tensor_name(tensor)
    copied = {}
    for name in graph.topological({name: None for name in graph.nodes if name in needed}):
        node = graph.nodes[name]
        if node.op != "VarHandleOp" and (node.op != "Const" or node.input):  # even a constant may wait for the update
            inputs = [moved(source, copied) for source in data_inputs(node)]
            copied[name] = graph.add(node.op, f"{name}/value", inputs, **node.attr).name
    return tensor_name(moved(tensor, copied))


def initial_values(reset, names):
    """What a reset of the metrics writes, where that is constant.

    Args:
        reset: Trace of the reset.
        names: dict, id of a variable -> its name in the graph.

    Returns:
        dict, name in the graph -> ndarray.
    """
    fold_constants(reset.graph)
    found = {}
    for write in reset.stateful_writes():
        node = reset.graph.nodes[write]
        value = reset.graph.nodes[node_of(node.input[1])]
        variable = reset.variables.get(node_of(node.input[0]))
        if node.op == "AssignVariableOp" and value.op == "Const" and id(variable) in names:
            found[names[id(variable)]] = tf.make_ndarray(value.attr["value"].tensor)
    return found
