"""Whether a MetaGraphDef that somebody else wrote is one: what all that read graphs rely on is checked once, here.

After it, node names are unique and short, each input names an output that is there, each op of the installed TensorFlow
has the inputs and attributes of its definition, nodes form no cycles but loops, and no constant or shape is larger than
TensorFlow allows. Each check takes time in proportion to the file.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Dict, FrozenSet, Iterable, List, Optional

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2

from .editable import COND_CONTEXT, CONTEXT_PROTOS
from .nodes import node_of
from .op_types import op_definition

if TYPE_CHECKING:
    from keras_gensynth_callback._types import (
        ArgDef,
        AttrValue,
        DType,
        MetaGraphDef,
        NodeDef,
        OpDef,
        TensorInfo,
        TensorProto,
        TensorShapeProto,
    )

# TensorFlow's own limits (tensor_shape.h), and some that no graph of a model comes near.
_RANK, _ELEMENTS = 254, 2**63 - 1
_MOST_NODES, _LONGEST_NAME, _MOST_SCOPES = 2_000_000, 4096, 128
_NAME = r"[A-Za-z0-9._][A-Za-z0-9_.\\/>-]*"
_NODE = re.compile(_NAME + r"\Z")
_INPUT = re.compile(rf"(?:\^{_NAME}|{_NAME}(?::\d{{1,6}})?)\Z")
_TENSOR = re.compile(rf"{_NAME}(?::\d{{1,6}})?\Z")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BACK = {"NextIteration": "Merge", "RefNextIteration": "RefMerge"}
_KINDS = {"string": "s", "int": "i", "float": "f", "bool": "b", "type": "type", "shape": "shape", "tensor": "tensor"}
# Collections of TensorFlow 1.x that hold tensors and ops.
_KEYS = tf.compat.v1.GraphKeys
_OF_NODES = frozenset(
    [_KEYS.LOSSES, _KEYS.REGULARIZATION_LOSSES, _KEYS.UPDATE_OPS, _KEYS.TRAIN_OP, _KEYS.TABLE_INITIALIZERS]
)


class Fault(Exception):
    """What is wrong with a graph, in words."""


def check_meta_graph(meta_graph: MetaGraphDef) -> None:
    """Raises Fault where a MetaGraphDef is not what TensorFlow could have written.

    Args:
        meta_graph: MetaGraphDef.
    """
    functions = meta_graph.graph_def.library.function
    nodes = check_names(meta_graph)
    for node in nodes.values():
        _check_inputs(node, nodes)
        _check_node(node)
    for function in functions:
        for node in function.node_def:
            _check_attributes(node, of_function=True)
    _check_cycles(nodes)
    _check_signatures(meta_graph, nodes)
    _check_collections(meta_graph, nodes)


def check_names(meta_graph: MetaGraphDef) -> Dict[str, NodeDef]:
    """Checks the names alone, which is enough for those that follow no input of a node.

    Args:
        meta_graph: MetaGraphDef.

    Returns:
        {name: NodeDef}.
    """
    functions = meta_graph.graph_def.library.function
    count = len(meta_graph.graph_def.node) + sum(len(function.node_def) for function in functions)
    if count > _MOST_NODES:
        raise Fault(f"it has {count} nodes, and at most {_MOST_NODES} are read")
    for key in meta_graph.collection_def:
        _check_text(key, "a collection")
    for key, signature in meta_graph.signature_def.items():
        _check_text(key, "a signature")
        for name in (*signature.inputs, *signature.outputs):
            _check_text(name, f"an input or output of the signature {_short(key)}")
    return _named(meta_graph.graph_def.node)


def _named(node_defs: Iterable[NodeDef]) -> Dict[str, NodeDef]:
    nodes = {}
    for node in node_defs:
        name = node.name
        if len(name) > _LONGEST_NAME or name.count("/") > _MOST_SCOPES:
            raise Fault(
                f"the name of the node {_short(name)} has {len(name)} characters and {name.count('/')} scopes, and at "
                f"most {_LONGEST_NAME} and {_MOST_SCOPES} are read"
            )
        if not _NODE.match(name):
            raise Fault(f"a node has the name {_short(name)}, which TensorFlow does not allow")
        if name in nodes:
            raise Fault(f"two nodes have the name {_short(name)}")
        nodes[name] = node
    return nodes


def _check_inputs(node: NodeDef, nodes: Dict[str, NodeDef]) -> None:
    after_control = False
    for tensor in node.input:
        if not _INPUT.match(tensor):
            raise Fault(f"the node {_short(node.name)} has the input {_short(tensor)}, which names no tensor")
        if node_of(tensor) not in nodes:
            raise Fault(f"the node {_short(node.name)} takes {_short(tensor)}, which the graph does not have")
        if after_control and not tensor.startswith("^"):
            raise Fault(f"the node {_short(node.name)} has an input {_short(tensor)} behind its control inputs")
        after_control = tensor.startswith("^")


def _check_node(node: NodeDef) -> None:
    _check_attributes(node)
    definition = _definition(node.op)
    if definition is None:
        return
    for name in definition.required:
        if name not in node.attr:
            raise Fault(f"the node {_short(node.name)} ({node.op}) lacks the attribute {name}")
    expected = sum(_count(node, argument) for argument in definition.inputs)
    there = sum(not tensor.startswith("^") for tensor in node.input)
    if there != expected:
        raise Fault(f"the node {_short(node.name)} ({node.op}) has {there} inputs, and {expected} were expected")
    if node.op == "Const" and node.attr["value"].tensor.dtype != node.attr["dtype"].type:
        raise Fault(f"the constant {_short(node.name)} holds another type than it says")


def _count(node: NodeDef, argument: ArgDef) -> int:
    if argument.number_attr:
        return max(node.attr[argument.number_attr].i, 0) if argument.number_attr in node.attr else 1
    if argument.type_list_attr:
        return len(node.attr[argument.type_list_attr].list.type)
    return 1


class _Definition:
    """What of an OpDef is looked at for each node of the op."""

    def __init__(self, op: OpDef) -> None:
        self.inputs = list(op.input_arg)
        self.kinds = {attr.name: attr.type for attr in op.attr}
        self.required = [attr.name for attr in op.attr if not attr.HasField("default_value")]


@functools.lru_cache(maxsize=4096)
def _definition(name: str) -> Optional[_Definition]:
    op = op_definition(name) if len(name) < 256 else None
    return None if op is None else _Definition(op)


def _check_attributes(node: NodeDef, of_function: bool = False) -> None:
    """Checks the values of attributes. In a function alone, one may stand for an attribute of its caller."""
    definition = _definition(node.op)
    for name, value in node.attr.items():
        kind = value.WhichOneof("value")
        expected = definition.kinds.get(name) if definition is not None else None
        if kind == "placeholder" and of_function:
            continue
        if kind in (None, "placeholder") or expected is not None and not _is_of_kind(value, kind, expected):
            raise Fault(
                f"the attribute {_short(name)} of the node {_short(node.name)} ({_short(node.op)}) is of the kind "
                f"{kind}, and {expected or 'a value'} was expected"
            )
        fault = _fault_of_value(value, kind)
        if fault:
            raise Fault(f"the attribute {_short(name)} of the node {_short(node.name)} ({_short(node.op)}) {fault}")


def _is_of_kind(value: AttrValue, kind: str, expected: str) -> bool:
    if not expected.startswith("list("):
        return kind == _KINDS.get(expected, expected)
    if kind != "list":
        return False
    filled = [field.name for field, _ in value.list.ListFields()]
    return filled in ([], [_KINDS.get(expected[5:-1], expected[5:-1])])


def _fault_of_value(value: AttrValue, kind: str) -> Optional[str]:
    types = [value.type] if kind == "type" else value.list.type if kind == "list" else ()
    unknown = next((enum for enum in types if enum not in _types()), None)
    if unknown is not None:
        return f"names the type {unknown}, which the installed TensorFlow does not know"
    if kind == "tensor":
        return _fault_of_tensor(value.tensor)
    shapes = [value.shape] if kind == "shape" else value.list.shape if kind == "list" else ()
    faults = [_fault_of_shape(shape) for shape in shapes]
    faults += [_fault_of_tensor(tensor) for tensor in value.list.tensor] if kind == "list" else []
    return next(filter(None, faults), None)


def _fault_of_shape(shape: TensorShapeProto, least: int = -1) -> Optional[str]:
    if len(shape.dim) > _RANK:
        return f"is a shape of {len(shape.dim)} dimensions, and TensorFlow has at most {_RANK}"
    count = 1
    for dimension in shape.dim:
        if dimension.size < least:
            return f"is a shape with a size of {dimension.size}"
        count *= max(dimension.size, 1)
    return f"is a shape of {count} elements, and TensorFlow has at most {_ELEMENTS}" if count > _ELEMENTS else None


def _fault_of_tensor(tensor: TensorProto) -> Optional[str]:
    if tensor.dtype not in _types():
        return f"is a tensor of the type {tensor.dtype}, which the installed TensorFlow does not know"
    fault = (
        "is a tensor of an unknown shape"
        if tensor.tensor_shape.unknown_rank
        else _fault_of_shape(tensor.tensor_shape, 0)
    )
    if fault or not tensor.tensor_content:
        return fault
    count = 1
    for dimension in tensor.tensor_shape.dim:
        count *= dimension.size
    size = _size_of(tensor.dtype)
    if size and len(tensor.tensor_content) != count * size:
        return f"is a tensor of {count} elements of {size} bytes, and holds {len(tensor.tensor_content)} bytes"
    return None


@functools.lru_cache(maxsize=1)
def _types() -> FrozenSet[int]:
    return frozenset(enum for enum in types_pb2.DataType.values() if _dtype_of(enum) is not None)


def _dtype_of(enum: int) -> Optional[DType]:
    try:
        return tf.as_dtype(enum)
    except (TypeError, KeyError):
        return None


@functools.lru_cache(maxsize=None)
def _size_of(enum: int) -> int:
    """Bytes of an element; 0 where there is no such number."""
    dtype = _dtype_of(enum)
    return 0 if dtype is None or dtype in (tf.string, tf.resource, tf.variant) else dtype.size


def _check_cycles(nodes: Dict[str, NodeDef]) -> None:
    """Nodes that wait for each other: only loops may, through `NextIteration`."""
    waits: Dict[str, int] = {}
    consumers: Dict[str, List[str]] = {name: [] for name in nodes}
    for name, node in nodes.items():
        sources = [node_of(tensor) for tensor in node.input if not _comes_around(tensor, node, nodes)]
        waits[name] = len(sources)
        for source in sources:
            consumers[source].append(name)
    todo = [name for name, count in waits.items() if not count]
    done = 0
    while todo:
        done += 1
        for name in consumers[todo.pop()]:
            waits[name] -= 1
            if not waits[name]:
                todo.append(name)
    if done < len(nodes):
        stuck = [_short(name) for name, count in waits.items() if count]
        raise Fault(f"nodes wait for each other, or for those that do: {', '.join(stuck[:3])} ({len(stuck)} in all)")


def _comes_around(tensor: str, node: NodeDef, nodes: Dict[str, NodeDef]) -> bool:
    return not tensor.startswith("^") and _BACK.get(nodes[node_of(tensor)].op) == node.op


def _check_signatures(meta_graph: MetaGraphDef, nodes: Dict[str, NodeDef]) -> None:
    for key, signature in meta_graph.signature_def.items():
        for side in (signature.inputs, signature.outputs):
            for name, info in side.items():
                fault = _fault_of_info(info, nodes)
                if fault:
                    raise Fault(f"{_short(name)} of the signature {_short(key)} {fault}")


def _fault_of_info(info: TensorInfo, nodes: Dict[str, NodeDef]) -> Optional[str]:
    for tensor in _tensors_of(info):
        if not _TENSOR.match(tensor) or node_of(tensor) not in nodes:
            return f"is the tensor {_short(tensor)}, which the graph does not have"
    return _fault_of_shape(info.tensor_shape)


def _tensors_of(info: TensorInfo) -> List[str]:
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        return [sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name]
    if kind == "composite_tensor":
        return [component.name for component in info.composite_tensor.components if component.name]
    return [info.name]


def _check_collections(meta_graph: MetaGraphDef, nodes: Dict[str, NodeDef]) -> None:
    for key, collection in meta_graph.collection_def.items():
        kind = collection.WhichOneof("kind")
        if key in _OF_NODES and kind not in ("node_list", None):
            raise Fault(f"the collection {key} holds a {kind}, and the names of tensors and ops were expected")
        for name in collection.node_list.value:
            if not _TENSOR.match(name.lstrip("^")) or node_of(name) not in nodes:
                raise Fault(f"the collection {_short(key)} names {_short(name)}, which the graph does not have")
        if key in CONTEXT_PROTOS:
            for serialized in collection.bytes_list.value:
                try:
                    CONTEXT_PROTOS[key].FromString(serialized)
                except (DecodeError, RecursionError) as error:
                    what = "conditionals" if key == COND_CONTEXT else "loops"
                    raise Fault(f"the collection {key} does not hold {what}: {error}") from error


def _check_text(text: str, what: str) -> None:
    if len(text) > _LONGEST_NAME or _CONTROL_CHARACTERS.search(text):
        raise Fault(f"the name of {what}, {_short(text)}, is too long or has control characters")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
