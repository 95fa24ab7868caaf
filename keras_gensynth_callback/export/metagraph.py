"""Makes the MetaGraphDef that TensorFlow 1.x imports of a lifted model: saver, initialisers, signatures and
collections.

The protos are those that `tf.compat.v1.train.export_meta_graph` writes (tensorflow/core/protobuf/meta_graph.proto,
variable.proto, saver.proto). They are written directly: no live graph has to be built, and nothing of the writing
process can leak in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Container, Dict, Iterable, List, Mapping, Optional

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saver_pb2

from keras_gensynth_callback.graph import LEARNING_PHASE, tensor_name
from keras_gensynth_callback.lift import distribution

if TYPE_CHECKING:
    from keras_gensynth_callback._types import (
        DType,
        MetaGraphDef,
        OpList,
        SignatureDef,
        Tensor,
        TensorInfo,
        TensorProto,
        VersionDef,
    )
    from keras_gensynth_callback.graph import EditableGraph
    from keras_gensynth_callback.lift import Lifted, Table, Variable

_KEYS = tf.compat.v1.GraphKeys
_SIGNATURES = tf.compat.v1.saved_model.signature_constants
# TF 1.x has no public names for these two (tensorflow/python/saved_model/signature_constants.py).
TRAIN_METHOD, EVAL_METHOD = "tensorflow/supervised/training", "tensorflow/supervised/eval"

_RANDOM_OPS = {"uniform": "RandomUniform", "normal": "RandomStandardNormal", "truncated_normal": "TruncatedNormal"}


def add_variables_and_saver(lifted: Lifted) -> None:
    """Adds to the lifted graph what every variable of TF 1.x has - initialiser and read - what fills its lookup tables,
    and a saver.

    Args:
        lifted: Lifted; its graph is changed in place.
    """
    graph = lifted.graph
    for variable in lifted.variables:
        _add_variable(graph, variable, lifted.initial_values.get(variable.name))
    for table in lifted.tables:
        _add_table_initializer(graph, table)
    names = [variable.name for variable in lifted.variables]
    _add_saver(graph, names, [variable.dtype for variable in lifted.variables])


def _add_variable(graph: EditableGraph, variable: Variable, reset: Any) -> None:
    name, dtype, shape = variable.name, variable.dtype, variable.value.shape
    if name not in graph.nodes:
        graph.add("VarHandleOp", name, shared_name=name, container="", dtype=dtype, shape=tf.TensorShape(shape))
    start = _initial_value(graph, variable, reset)
    graph.add("AssignVariableOp", f"{name}/Assign", [name, start], dtype=dtype)
    graph.add("ReadVariableOp", f"{name}/Read/ReadVariableOp", [name], dtype=dtype)


def _initial_value(graph: EditableGraph, variable: Variable, reset: Any) -> str:
    """What an initialiser gives: the value after a reset, or a draw from what Keras's initializer draws from."""
    name, dtype, shape = variable.name, variable.dtype, variable.shape.as_list()
    if reset is not None:
        return _constant(graph, variable, tf.make_tensor_proto(np.asarray(reset), dtype))
    if variable.kind != "weight":
        return _constant(graph, variable, _filled(0, dtype, shape))
    drawn = distribution(variable.initializer, name, tuple(shape))
    if drawn.kind == "constant" or not dtype.is_floating:
        return _constant(graph, variable, _filled(drawn.first if drawn.kind == "constant" else 0, dtype, shape))
    scope = f"{name}/Initializer/random_{drawn.kind}"
    low, factor = (drawn.first, drawn.second - drawn.first) if drawn.kind == "uniform" else (drawn.first, drawn.second)
    dims = graph.add("Const", f"{scope}/shape", dtype=tf.int32, value=tf.make_tensor_proto(shape, tf.int32)).name
    op = _RANDOM_OPS[drawn.kind]
    noise = graph.add(op, f"{scope}/{op}", [dims], T=tf.int32, dtype=dtype, seed=0, seed2=0).name
    by = graph.add("Const", f"{scope}/mul/y", dtype=dtype, value=tf.make_tensor_proto(factor, dtype)).name
    scaled = graph.add("Mul", f"{scope}/mul", [noise, by], T=dtype).name
    if not low:
        return scaled
    offset = graph.add("Const", f"{scope}/add/y", dtype=dtype, value=tf.make_tensor_proto(low, dtype)).name
    return graph.add("Add", scope, [scaled, offset], T=dtype).name


def _filled(value: Any, dtype: DType, shape: List[int]) -> TensorProto:
    """A TensorProto that holds one value once for all elements; a string is empty."""
    if 0 in shape:
        return tf.make_tensor_proto(np.zeros(shape, dtype.as_numpy_dtype), dtype, shape)
    one = b"" if dtype == tf.string else np.asarray(value).astype(dtype.as_numpy_dtype)
    return tf.make_tensor_proto(one, dtype, shape)


def _constant(graph: EditableGraph, variable: Variable, proto: TensorProto) -> str:
    return graph.add("Const", f"{variable.name}/Initializer/value", dtype=tf.as_dtype(proto.dtype), value=proto).name


def _add_table_initializer(graph: EditableGraph, table: Table) -> None:
    columns = []
    for part, values, dtype in (("keys", table.keys, table.key_dtype), ("values", table.values, table.value_dtype)):
        proto = tf.make_tensor_proto(values, dtype, values.shape)
        columns.append(graph.add("Const", f"{table.name}/{part}", dtype=dtype, value=proto).name)
    types = {"Tkey": table.key_dtype, "Tval": table.value_dtype}
    graph.add("InitializeTableV2", _table_initializer(table), [table.name, *columns], **types)


def _table_initializer(table: Table) -> str:
    return f"{table.name}/table_init"


def _add_saver(graph: EditableGraph, names: List[str], dtypes: Iterable[DType]) -> None:
    text = tf.make_tensor_proto
    graph.add("Const", "save/filename/input", dtype=tf.string, value=text(b"model"))
    graph.add(
        "PlaceholderWithDefault", "save/filename", ["save/filename/input"], dtype=tf.string, shape=tf.TensorShape([])
    )
    graph.add("PlaceholderWithDefault", "save/Const", ["save/filename"], dtype=tf.string, shape=tf.TensorShape([]))
    for op in ("SaveV2", "RestoreV2"):
        graph.add(
            "Const",
            f"save/{op}/tensor_names",
            dtype=tf.string,
            value=text([name.encode() for name in names], tf.string),
        )
        slices = text([b""] * len(names), tf.string)
        graph.add("Const", f"save/{op}/shape_and_slices", dtype=tf.string, value=slices)
    lists = ["save/Const", "save/{}/tensor_names", "save/{}/shape_and_slices"]
    types = tf.compat.v1.AttrValue(
        list=tf.compat.v1.AttrValue.ListValue(type=[dtype.as_datatype_enum for dtype in dtypes])
    )
    reads = [f"{name}/Read/ReadVariableOp" for name in names]
    graph.add("SaveV2", "save/SaveV2", [text.format("SaveV2") for text in lists] + reads, dtypes=types)
    graph.add("Identity", "save/control_dependency", ["save/Const", "^save/SaveV2"], T=tf.string)
    graph.add("RestoreV2", "save/RestoreV2", [text.format("RestoreV2") for text in lists], dtypes=types)
    restores = []
    for index, (name, dtype) in enumerate(zip(names, dtypes)):
        suffix = f"_{index}" if index else ""
        graph.add("Identity", f"save/Identity{suffix}", [f"save/RestoreV2:{index}"], T=dtype)
        restores.append(
            graph.add(
                "AssignVariableOp", f"save/AssignVariableOp{suffix}", [name, f"save/Identity{suffix}"], dtype=dtype
            )
        )
    graph.add("NoOp", "save/restore_all", [f"^{node.name}" for node in restores])


def make_meta_graph(
    lifted: Lifted,
    infos: Mapping[str, TensorInfo],
    op_list: OpList,
    graph_def_version: Optional[int] = None,
    collections_of_names: Container[str] = (),
) -> MetaGraphDef:
    """The MetaGraphDef of a lifted and fitted model.

    Args:
        lifted: Lifted, with variables and saver, fitted to the target.
        infos: dict, tensor name -> TensorInfo, from `inferred`.
        op_list: OpList, the target's definitions of the ops that the graph uses.
        graph_def_version: int, the newest GraphDef version that the target reads, or None for the writer's.
        collections_of_names: the collections of variables that the target keeps as names and not as protos.

    Returns:
        tf.compat.v1.MetaGraphDef.
    """
    graph = lifted.graph
    meta = meta_graph_pb2.MetaGraphDef(graph_def=graph.graph_def(_versions(graph_def_version)))
    meta.meta_info_def.stripped_op_list.CopyFrom(op_list)
    meta.meta_info_def.stripped_default_attrs = False
    meta.saver_def.CopyFrom(_saver_def())
    for key, signature in signatures(lifted, infos).items():
        meta.signature_def[key].CopyFrom(signature)
    for key, names in collections_of_nodes(lifted).items():
        meta.collection_def[key].node_list.value.extend(names)
    for key, protos in {**_collections_of_protos(lifted), **graph.context_protos()}.items():
        if protos and key in collections_of_names:
            meta.collection_def[key].node_list.value.extend(name_in_collection(key, proto) for proto in protos)
        elif protos:
            meta.collection_def[key].bytes_list.value.extend(
                proto.SerializeToString(deterministic=True) for proto in protos
            )
    return meta


def name_in_collection(key: str, proto: Any) -> str:
    """What stands for a VariableDef in a collection of names: of the global step, which is a number, its value."""
    return proto.snapshot_name if key == _KEYS.GLOBAL_STEP else proto.variable_name


def _versions(graph_def_version: Optional[int]) -> VersionDef:
    versions = writer_versions()
    if graph_def_version is not None:
        versions.producer = min(versions.producer, graph_def_version)
    return versions


def collections_of_nodes(lifted: Lifted) -> Dict[str, List[str]]:
    """The collections that hold tensors or ops: dict, collection -> names. No entry where there is nothing."""
    found = {
        _KEYS.UPDATE_OPS: lifted.updates,
        _KEYS.LOSSES: lifted.losses,
        _KEYS.REGULARIZATION_LOSSES: lifted.regularization_losses,
        _KEYS.TABLE_INITIALIZERS: [_table_initializer(table) for table in lifted.tables],
        _KEYS.TRAIN_OP: [lifted.train_op] if lifted.train_op else [],
    }
    return {key: list(names) for key, names in found.items() if names}


def collection_sizes(lifted: Lifted) -> Dict[str, int]:
    """How many entries each collection has: dict, collection -> int."""
    found = {**_collections_of_protos(lifted), **lifted.graph.context_protos(), **collections_of_nodes(lifted)}
    return {key: len(entries) for key, entries in found.items() if entries}


def _collections_of_protos(lifted: Lifted) -> Dict[str, List[Any]]:
    variables = {variable.name: _variable_def(lifted.graph, variable) for variable in lifted.variables}
    of_kind = lambda *kinds: [variables[v.name] for v in lifted.variables if v.kind in kinds]  # noqa: E731
    return {
        _KEYS.GLOBAL_VARIABLES: list(variables.values()),
        _KEYS.TRAINABLE_VARIABLES: [variables[v.name] for v in lifted.variables if v.trainable],
        _KEYS.MODEL_VARIABLES: of_kind("weight"),
        _KEYS.LOCAL_VARIABLES: of_kind("metric", "last"),
        _KEYS.METRIC_VARIABLES: of_kind("metric"),
        _KEYS.GLOBAL_STEP: [variables[lifted.global_step]] if lifted.global_step else [],
    }


def _variable_def(graph: EditableGraph, variable: Variable) -> Any:
    name = variable.name
    start = graph.nodes[f"{name}/Assign"].input[1]
    return variable_pb2.VariableDef(
        variable_name=f"{name}:0",
        initial_value_name=tensor_name(start),
        initializer_name=f"{name}/Assign",
        snapshot_name=f"{name}/Read/ReadVariableOp:0",
        is_resource=True,
        trainable=variable.trainable,
    )


def _saver_def() -> Any:
    return saver_pb2.SaverDef(
        filename_tensor_name="save/Const:0",
        save_tensor_name="save/control_dependency:0",
        restore_op_name="save/restore_all",
        max_to_keep=5,
        keep_checkpoint_every_n_hours=10000.0,
        version=saver_pb2.SaverDef.V2,
    )


def signatures(lifted: Lifted, infos: Mapping[str, TensorInfo]) -> Dict[str, SignatureDef]:
    """The SignatureDefs: dict, key -> SignatureDef."""
    found = {}
    if lifted.outputs:
        predict_method = _SIGNATURES.PREDICT_METHOD_NAME
        found["serving_default"] = _signature(infos, lifted.inputs, lifted.outputs, predict_method)
    if not lifted.metrics and not lifted.loss:
        return found
    inputs = {**lifted.step_inputs, **lifted.targets, **lifted.sample_weights}
    outputs = {}
    if set(lifted.inputs.values()) <= set(lifted.step_inputs.values()):  # else steps are fed with something else
        outputs = {f"predictions/{name}": tensor for name, tensor in lifted.outputs.items()}
    if lifted.loss:
        outputs["loss"] = lifted.loss
    for name, (value, update) in lifted.metrics.items():
        outputs[f"metrics/{name}/value"], outputs[f"metrics/{name}/update_op"] = value, update
    if lifted.evaluates:
        found["eval"] = _signature(infos, inputs, outputs, EVAL_METHOD)
    if lifted.learning_phase is not None:
        with_phase = {**inputs, LEARNING_PHASE: lifted.learning_phase}
        found["train"] = _signature(infos, with_phase, outputs, TRAIN_METHOD)
    return found


def _signature(
    infos: Mapping[str, TensorInfo], inputs: Mapping[str, str], outputs: Mapping[str, str], method: str
) -> SignatureDef:
    signature = meta_graph_pb2.SignatureDef(method_name=method)
    for side, tensors in ((signature.inputs, inputs), (signature.outputs, outputs)):
        for key, tensor in tensors.items():
            side[key].CopyFrom(infos[tensor_name(tensor)])
    return signature


def inferred(lifted: Lifted) -> Dict[str, TensorInfo]:
    """Adds the shapes that TensorFlow infers to the lifted graph, as `_output_shapes`, and returns what signatures
    need of them.

    Args:
        lifted: Lifted; its nodes get `_output_shapes` attributes.

    Returns:
        dict, tensor name -> TensorInfo, for all tensors that a signature may name.
    """
    names = {
        *lifted.inputs.values(),
        *lifted.step_inputs.values(),
        *lifted.targets.values(),
        *lifted.sample_weights.values(),
        *lifted.outputs.values(),
    }
    names |= {tensor for pair in lifted.metrics.values() for tensor in pair} | set(
        filter(None, [lifted.loss, lifted.learning_phase])
    )
    with tf.Graph().as_default() as private:
        tf.import_graph_def(lifted.graph.graph_def(writer_versions()), name="")
        for node in private.as_graph_def(add_shapes=True).node:
            if "_output_shapes" in node.attr:
                lifted.graph.nodes[node.name].attr["_output_shapes"].CopyFrom(node.attr["_output_shapes"])
        return {name: tensor_info(private.get_tensor_by_name(name)) for name in names}


def tensor_info(tensor: Tensor) -> TensorInfo:
    info = meta_graph_pb2.TensorInfo(name=tensor.name, dtype=tensor.dtype.as_datatype_enum)
    info.tensor_shape.CopyFrom(tensor.shape.as_proto())
    return info


def writer_versions() -> VersionDef:
    """The VersionDef that the installed TensorFlow writes."""
    return tf.Graph().as_graph_def().versions
