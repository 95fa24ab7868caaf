"""Metrics that keep nothing: what a `test_step` returns of a batch as it is. Keras's `evaluate` gives the last one.

A graph of TensorFlow 1.x has a metric's value without any data; so a variable holds the last one.
"""

from keras_gensynth_callback.graph import node_of, tensor_name

from .adapters import LastValue, Variable
from .normalize import become_handle


def keep_last_value(graph, metric, tensor, spec):
    """Adds a variable that holds what a metric gave last.

    Args:
        graph: EditableGraph that is added to.
        metric: str, the metric's name.
        tensor: str, what it gives for a batch.
        spec: tf.TensorSpec of that.

    Returns:
        The Variable, of the kind "last", and the names of two tensors: the value that is held, and that of
        the batch, which is held from then on.
    """
    handle = graph.add("VarHandleOp", f"last_batch/{metric}")
    become_handle(handle, handle.name, spec.dtype, spec.shape)
    scope = f"metrics/{metric}"
    write = graph.add("AssignVariableOp", f"{scope}/AssignVariableOp", [handle.name, tensor], dtype=spec.dtype)
    update = graph.add("Identity", f"{scope}/update", [tensor, "^" + write.name], T=spec.dtype)
    value = graph.add("ReadVariableOp", f"{scope}/ReadVariableOp", [handle.name], dtype=spec.dtype)
    variable = Variable(node_of(handle.name), LastValue(spec), "last")
    return variable, tensor_name(value.name), tensor_name(update.name)
