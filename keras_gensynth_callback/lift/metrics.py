"""Metrics in the graph: their value without an update."""

from typing import Dict

from keras_gensynth_callback.graph import data_inputs, moved, node_of, tensor_name


def value_without_update(graph, tensor):
    """A copy of a metric's result that does not wait for the update: the same reads of the same variables, at any time.

    Args:
        graph: EditableGraph that is added to.
        tensor: str, the result after the update.

    Returns:
        The name of a tensor; None where the result depends on data, as of a `test_step` that returns a loss as it is,
        or on control flow.
    """
    needed = graph.ancestors([node_of(tensor)], controls=False)
    if any(graph.nodes[name].op.startswith("Placeholder") or name in graph.context_of for name in needed):
        return None
    copied: Dict[str, str] = {}
    for name in graph.topological({name: None for name in graph.nodes if name in needed}):
        node = graph.nodes[name]
        if node.op != "VarHandleOp" and (node.op != "Const" or node.input):  # even a constant may wait for the update
            inputs = [moved(source, copied) for source in data_inputs(node)]
            copied[name] = graph.add(node.op, f"{name}/value", inputs, **node.attr).name
    return tensor_name(moved(tensor, copied))
