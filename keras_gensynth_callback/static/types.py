"""The types of an op's outputs, as its definition and the attributes of the node say."""

import tensorflow as tf


def type_name(enum):
    """The name of a DataType (int); "unknown" where there is none."""
    try:
        return tf.as_dtype(enum).name
    except (TypeError, KeyError):
        return "unknown"


def output_types(node, definition):
    """The DataTypes (int) of a NodeDef's outputs, by the OpDef of its op."""
    found = []
    for output in definition.output_arg:
        if output.type_list_attr:
            found.extend(node.attr[output.type_list_attr].list.type)
            continue
        enum = node.attr[output.type_attr].type if output.type_attr else output.type
        found.extend([enum] * (node.attr[output.number_attr].i if output.number_attr else 1))
    return found
