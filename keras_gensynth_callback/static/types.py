"""The types of an op's outputs, as its definition and the attributes of the node say."""

from ..target.table import writer_op


def output_types(node):
    """The DataTypes (int) of a NodeDef's outputs; None where the installed TensorFlow does not know the op."""
    definition = writer_op(node.op)
    if definition is None:
        return None
    found = []
    for output in definition.output_arg:
        if output.type_list_attr:
            found.extend(node.attr[output.type_list_attr].list.type)
            continue
        enum = node.attr[output.type_attr].type if output.type_attr else output.type
        found.extend([enum] * (node.attr[output.number_attr].i if output.number_attr else 1))
    return found
