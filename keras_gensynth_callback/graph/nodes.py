"""The words for nodes: what an input names, what an attribute holds, and a node that becomes another op."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Set

from tensorflow.core.framework import attr_value_pb2

if TYPE_CHECKING:
    from keras_gensynth_callback._types import AttrValue, NodeDef

# What gives on the value that it takes: in any graph, and, as TensorFlow 1.x has them, with references to variables.
HANDS_ON = ("Identity", "Enter", "Switch")
HANDS_ON_REFERENCES = ("RefIdentity", "RefEnter", "RefSwitch")
# What a value goes through before an op has it in its type.
CASTS = ("Identity", "Cast")


def node_of(tensor: str) -> str:
    """The name of the node that an input names: `a:1`, `^a` and `a` are all outputs of `a`."""
    return tensor.lstrip("^").split(":")[0]


def tensor_name(tensor: str) -> str:
    """The long form of an input: `a` is `a:0`."""
    return tensor if ":" in tensor else tensor + ":0"


def input_name(tensor: str) -> str:
    """The short form that a NodeDef uses: `a:0` is `a`."""
    return tensor[:-2] if tensor.endswith(":0") else tensor


def moved(tensor: str, renamed: Mapping[str, str]) -> str:
    """A tensor, op or control input name after its node was renamed: `renamed` is a dict, node name -> node name."""
    mark = "^" if is_control(tensor) else ""
    name = node_of(tensor)
    return mark + renamed.get(name, name) + tensor[len(mark) + len(name) :]


def unique(name: str, taken: Set[str]) -> str:
    """`name`, or `name_1`, `name_2`, ... where it is taken: TensorFlow's own rule, without regard to case.

    Args:
        name: str.
        taken: set of lower-case str; the name that is returned is added to it.
    """
    candidate, number = name, 0
    while candidate.lower() in taken:
        number += 1
        candidate = f"{name}_{number}"
    taken.add(candidate.lower())
    return candidate


def is_control(name: str) -> bool:
    """Whether an input of a NodeDef is a control input."""
    return name.startswith("^")


def has_control_inputs(node: NodeDef) -> bool:
    """Whether a NodeDef has control inputs."""
    return any(is_control(tensor) for tensor in node.input)


def data_inputs(node: NodeDef) -> List[str]:
    """The inputs of a NodeDef that carry values, in its order."""
    return [tensor for tensor in node.input if not is_control(tensor)]


def become(node: NodeDef, op: str, inputs: Iterable[str], **attrs: Any) -> None:
    """Turns a node into another op under the same name.

    Args:
        node: NodeDef, changed in place.
        op: str, the name of the op.
        inputs: the tensors that it takes; its control inputs stay.
        **attrs: all of its attributes; see `attr_value`.
    """
    controls = [tensor for tensor in node.input if is_control(tensor)]
    node.input[:] = [*(input_name(tensor) for tensor in inputs if not is_control(tensor)), *controls]
    # Copies: values may be attributes of the node that is now another.
    values = {key: _copied(attr_value(value)) for key, value in attrs.items()}
    node.op = op
    node.attr.clear()
    for key, value in values.items():
        node.attr[key].CopyFrom(value)


def shape_of(node: NodeDef) -> Dict[str, AttrValue]:
    """What a graph notes of the shapes of a node's outputs, for a node that becomes another with the same."""
    return {key: node.attr[key] for key in ["_output_shapes"] if key in node.attr}


def become_identity(node: NodeDef, tensor: str, dtype: Any = None) -> None:
    """Lets a node hand a tensor on: `dtype` is its DType or AttrValue, by default that of the node's attribute `T`."""
    become(node, "Identity", [tensor], T=node.attr["T"] if dtype is None else dtype)


def attr_value(value: Any) -> AttrValue:
    """An AttrValue of a Python value: bool, int, float, str/bytes, DType, shape (list of int or None), TensorProto or
    AttrValue.
    """
    import tensorflow as tf

    proto = tf.compat.v1.AttrValue
    if isinstance(value, proto):
        return value
    if isinstance(value, bool):
        return proto(b=value)
    if isinstance(value, int):
        return proto(i=value)
    if isinstance(value, float):
        return proto(f=value)
    if isinstance(value, str):
        return proto(s=value.encode())
    if isinstance(value, bytes):
        return proto(s=value)
    if isinstance(value, tf.dtypes.DType):
        return proto(type=value.as_datatype_enum)
    if isinstance(value, tf.TensorShape):
        return proto(shape=value.as_proto())
    if isinstance(value, (list, tuple)):
        return proto(list=proto.ListValue(i=value))
    return proto(tensor=value)


def _copied(value: AttrValue) -> AttrValue:
    return attr_value_pb2.AttrValue.FromString(value.SerializeToString())
