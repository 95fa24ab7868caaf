"""Variables of a type that TensorFlow 1.x cannot assign on a CPU, kept in a wider one."""

from keras_gensynth_callback.graph import become, data_inputs, is_control, is_write, written_variable


def keep_in_wider_types(graph, variables):
    """Lets the graph hold each variable in its `dtype`, and compute as before with what is read of it.

    Args:
        graph: EditableGraph, edited in place.
        variables: list of `adapter.Variable`.
    """
    wide = {v.name: v for v in variables if v.dtype != v.own_dtype and v.name in graph.nodes}
    for name, variable in wide.items():
        graph.nodes[name].attr["dtype"].type = variable.dtype.as_datatype_enum
    for node in list(graph.nodes.values()) if wide else ():
        if node.op != "ReadVariableOp" and not is_write(node):
            continue
        variable = wide.get(written_variable(graph, node))
        if variable is not None:
            change = _read_wide if node.op == "ReadVariableOp" else _write_wide
            change(graph, node, variable)


def _read_wide(graph, node, variable):
    read = graph.add("ReadVariableOp", f"{node.name}/wide", node.input, node, dtype=variable.dtype)
    node.input[:] = []  # the read waits for what it waited for
    become(node, "Cast", [read.name], SrcT=variable.dtype, DstT=variable.own_dtype)


def _write_wide(graph, node, variable):
    handle, value = data_inputs(node)
    cast = graph.add("Cast", f"{node.name}/wide", [value], node, SrcT=variable.own_dtype, DstT=variable.dtype)
    node.input[:] = [handle, cast.name, *filter(is_control, node.input)]
    node.attr["dtype"].type = variable.dtype.as_datatype_enum
