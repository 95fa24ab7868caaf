"""Gives placeholders, variables and constants of a trace the names that they have in every other trace of the model."""

from dataclasses import replace

import tensorflow as tf

from keras_gensynth_callback.graph import RANK, become, moved, unique

# Larger constants do not belong into a GraphDef, which is limited to 2 GB: they become variables that nothing trains.
_LARGEST_CONSTANT = 64 * 1024


class Constant:
    """A large eager tensor that a layer holds, in the place of a variable."""

    def __init__(self, tensor):
        self._tensor, self.dtype, self.shape = tensor, tensor.dtype, tensor.shape

    def read_value(self):
        return self._tensor


def normalize(step, placeholders, names, others, tables, taken):
    """Renames what a step's trace takes from outside, in its graph, too.

    Args:
        step: Step.
        placeholders: names for the trace's inputs, in order.
        names: dict, id of a variable -> its name in the graph.
        others: dict, name -> variable, of those that neither the model nor its optimizer lists; is filled.
        tables: dict, id of a table's resource -> its Table; is filled.
        taken: set of lower-case names; is filled.

    Returns:
        The Step with the new names.
    """
    trace = step.trace
    renamed = dict(zip(trace.inputs, placeholders))
    nodes = trace.graph.nodes
    drop_private_attributes(trace.graph, kept=(RANK,))
    for node_name, variable in trace.variables.items():
        if id(variable) not in names:
            name = unique(variable.name.split(":")[0], taken)
            names[id(variable)], others[name] = name, variable
        renamed[node_name] = names[id(variable)]
        become_handle(nodes[node_name], names[id(variable)], variable.dtype, variable.shape)
    for node_name, value in trace.constants.items():
        if value.dtype == tf.string or value.shape.num_elements() * value.dtype.size <= _LARGEST_CONSTANT:
            _become_constant(nodes[node_name], value)
            continue
        if id(value) not in names:
            names[id(value)] = unique("constant", taken)
            others[names[id(value)]] = Constant(value)
        _become_read(trace.graph, nodes[node_name], names[id(value)], value)
    for node_name, table in trace.tables.items():
        if id(table.handle) not in tables:
            tables[id(table.handle)] = table
            table.name = unique(table.name, taken)
        renamed[node_name] = tables[id(table.handle)].name
        _become_table(nodes[node_name], tables[id(table.handle)])
    _move_aside(trace.graph, renamed)
    trace.graph.rename(renamed)
    return _renamed(step, renamed)


def drop_private_attributes(graph, kept=()):
    """Removes what is noted on nodes for the writing process alone: colocation, shapes, the name of a custom gradient's
    function; all but those of the names `kept`.
    """
    for node in graph.nodes.values():
        for key in [key for key in node.attr if key.startswith("_") and key not in kept]:
            del node.attr[key]


def become_handle(node, name, dtype, shape):
    """Turns a node into the VarHandleOp of the variable `name`."""
    become(node, "VarHandleOp", [], shared_name=name, container="", dtype=dtype, shape=tf.TensorShape(shape))


def _become_table(node, table):
    types = {"key_dtype": table.key_dtype, "value_dtype": table.value_dtype}
    become(node, "HashTableV2", [], shared_name=table.name, container="", use_node_name_sharing=False, **types)


def _become_constant(node, value):
    become(node, "Const", [], dtype=value.dtype, value=tf.make_tensor_proto(value.numpy(), value.dtype))


def _become_read(graph, node, name, value):
    handle = graph.nodes.get(name) or graph.add("VarHandleOp", name)
    become_handle(handle, name, value.dtype, value.shape)
    become(node, "ReadVariableOp", [name], dtype=value.dtype)


def _move_aside(graph, renamed):
    """A node that has a name which another gets takes the next free one."""
    wanted = {name.lower() for name in renamed.values()}
    taken = wanted | {name.lower() for name in graph.nodes}
    for name in list(graph.nodes):
        if name not in renamed and name.lower() in wanted:
            renamed[name] = unique(name, taken)


def _renamed(step, names):
    """The Step whose nodes were renamed."""

    def move(tensor):
        return moved(tensor, names)

    trace = step.trace
    for call in trace.gradient_calls:
        call.rename(move)
    trace = replace(
        trace,
        inputs=[move(name) for name in trace.inputs],
        built_gradients=[move(tensor) for tensor in trace.built_gradients],
    )
    return replace(
        step,
        trace=trace,
        logs={name: move(tensor) for name, tensor in step.logs.items()},
        loss=move(step.loss) if step.loss else None,
        outputs=None if step.outputs is None else tf.nest.map_structure(move, step.outputs),
        custom_gradients=(),
    )
