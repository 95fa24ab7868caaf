"""The types of tensors, read off the nodes of a graph: what an op takes and gives stands in its definition and its
attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, List, Tuple

import tensorflow as tf

from keras_gensynth_callback.compat import op_definition

from .nodes import data_inputs, node_of, tensor_name

if TYPE_CHECKING:
    from keras_gensynth_callback._types import ArgDef, AttrValue, NodeDef, OpDef

    from .editable import EditableGraph


# A value of this type is changed in place; it is read as a value of the type without the flag.
_REFERENCE = 100


def type_name(enum: int) -> str:
    """The name of a DataType (int); "unknown" where there is none."""
    try:
        return tf.as_dtype(enum).name
    except (TypeError, KeyError):
        return "unknown"


def output_types(node: NodeDef) -> List[int]:
    """The type of each output of a NodeDef: list of DataType enums."""
    definition = op_definition(node.op)
    return _types(node, definition, definition.output_arg)


def input_types(node: NodeDef) -> List[int]:
    """The type of each data input of a NodeDef: list of DataType enums."""
    definition = op_definition(node.op)
    return _types(node, definition, definition.input_arg)


def type_of(graph: EditableGraph, tensor: str) -> int:
    """The type of a tensor of an EditableGraph: a DataType enum."""
    return output_types(graph.nodes[node_of(tensor)])[int(tensor_name(tensor).rpartition(":")[2])]


def disagreements(graph: EditableGraph) -> List[Tuple[NodeDef, int, int, int]]:
    """The edges of an EditableGraph whose ends are of two types.

    Returns:
        list of (NodeDef, index of its data input, enum that it takes, enum that it is given).
    """
    given = {name: output_types(node) for name, node in graph.nodes.items()}
    found = []
    for node in graph.nodes.values():
        for index, (tensor, taken) in enumerate(zip(data_inputs(node), input_types(node))):
            output = int(tensor_name(tensor).rpartition(":")[2])
            if given[node_of(tensor)][output] % _REFERENCE != taken % _REFERENCE:
                found.append((node, index, taken, given[node_of(tensor)][output]))
    return found


def _types(node: NodeDef, definition: OpDef, arguments: Iterable[ArgDef]) -> List[int]:
    types = []
    for argument in arguments:
        if argument.type_list_attr:
            types.extend(_attribute(node, definition, argument.type_list_attr).list.type)
            continue
        count = _attribute(node, definition, argument.number_attr).i if argument.number_attr else 1
        enum = _attribute(node, definition, argument.type_attr).type if argument.type_attr else argument.type
        types.extend([enum] * count)
    return types


def _attribute(node: NodeDef, definition: OpDef, name: str) -> AttrValue:
    """The AttrValue of a node, or the default of its op."""
    if name in node.attr:
        return node.attr[name]
    return next(attribute.default_value for attribute in definition.attr if attribute.name == name)
