"""The collections of a meta graph, with a name for each member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import control_flow_pb2, saver_pb2

from keras_gensynth_callback.graph import tensor_name

if TYPE_CHECKING:
    from keras_gensynth_callback._types import MetaGraphDef, VariableDef
    from keras_gensynth_callback.graph import EditableGraph

_KEYS = tf.compat.v1.GraphKeys
VARIABLE_COLLECTIONS = (
    _KEYS.GLOBAL_VARIABLES,
    _KEYS.TRAINABLE_VARIABLES,
    _KEYS.MODEL_VARIABLES,
    _KEYS.LOCAL_VARIABLES,
    _KEYS.METRIC_VARIABLES,
    _KEYS.GLOBAL_STEP,
    _KEYS.MOVING_AVERAGE_VARIABLES,
)
_OTHER_PROTOS = {
    _KEYS.COND_CONTEXT: (control_flow_pb2.CondContextDef, lambda proto: proto.context_name),
    _KEYS.WHILE_CONTEXT: (control_flow_pb2.WhileContextDef, lambda proto: proto.context_name),
    _KEYS.SAVERS: (saver_pb2.SaverDef, lambda proto: proto.restore_op_name),
}


def members(meta_graph: MetaGraphDef, key: str) -> List[str]:
    """The names of a collection's members: tensors and ops by their names, variables as `name:0`."""
    if key not in meta_graph.collection_def:
        return []
    collection = meta_graph.collection_def[key]
    kind = collection.WhichOneof("kind")
    values = getattr(collection, kind).value if kind else ()
    if kind == "bytes_list":
        proto, name_of = _OTHER_PROTOS.get(key, (None, None))
        if key in VARIABLE_COLLECTIONS:
            proto, name_of = variable_pb2.VariableDef, lambda variable: variable.variable_name
        return [_name(value, proto, name_of) for value in values]
    return [value if isinstance(value, str) else str(getattr(value, "type_url", value)) for value in values]


def variable_defs(meta_graph: MetaGraphDef) -> Dict[str, VariableDef]:
    """The VariableDefs of all collections of variables: {variable_name: VariableDef}."""
    found: Dict[str, VariableDef] = {}
    for key in VARIABLE_COLLECTIONS:
        if key in meta_graph.collection_def:
            for value in meta_graph.collection_def[key].bytes_list.value:
                variable = _parsed(value, variable_pb2.VariableDef)
                if variable is not None:
                    found[variable.variable_name] = variable
    return found


def variable_def_from_graph(graph: EditableGraph, name: str) -> Optional[VariableDef]:
    """The VariableDef of a variable that no collection holds, from the nodes that TensorFlow makes for each, or None.

    Args:
        graph: EditableGraph.
        name: the name of the node that holds it.
    """
    start, is_resource = graph.nodes.get(f"{name}/Assign"), graph.nodes[name].op == "VarHandleOp"
    read = f"{name}/Read/ReadVariableOp" if is_resource else f"{name}/read"
    if start is None or read not in graph.nodes:
        return None
    return variable_pb2.VariableDef(
        variable_name=f"{name}:0",
        initial_value_name=tensor_name(start.input[1]),
        initializer_name=start.name,
        snapshot_name=f"{read}:0",
        is_resource=is_resource,
    )


def _name(value: bytes, proto: Any, name_of: Optional[Callable[[Any], str]]) -> str:
    parsed = _parsed(value, proto) if proto else None
    return name_of(parsed) if name_of is not None and parsed is not None else f"<{len(value)} bytes>"


def _parsed(value: bytes, proto: Any) -> Any:
    try:
        return proto.FromString(value)
    except DecodeError:
        return None
