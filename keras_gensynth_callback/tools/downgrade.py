"""A checkpoint that somebody's newer TensorFlow wrote, mended so that an older one reads it, under a new prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from keras_gensynth_callback.arguments import check_filepath, check_target
from keras_gensynth_callback.checkpoint import (
    INDEX,
    META,
    as_text,
    list_tensors,
    read_tensors,
    storage,
    write_checkpoint,
)
from keras_gensynth_callback.errors import InvalidArgumentError, UnsupportedModelError
from keras_gensynth_callback.export import EVAL_METHOD, TRAIN_METHOD
from keras_gensynth_callback.graph import LEARNING_PHASE, EditableGraph, node_of, output_types, tensor_name
from keras_gensynth_callback.inspection import (
    VARIABLE_COLLECTIONS,
    inputs_and_outputs,
    is_placeholder,
    members,
    missing_members,
    outputs_of,
    read_meta_graph,
    told_if_damaged,
    variable_def_from_graph,
    variable_defs,
    variables_of,
)
from keras_gensynth_callback.static import StaticShapes
from keras_gensynth_callback.target import OpTable, fit_to_target, told

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Downgraded, MetaGraphDef, Path, Target, TensorInfo

_PREDICT = tf.compat.v1.saved_model.signature_constants.PREDICT_METHOD_NAME
_LOSSES = tf.compat.v1.GraphKeys.LOSSES


def downgrade_checkpoint(filepath: Path, new_filepath: Optional[Path] = None, *, target: Target = "1.15") -> Downgraded:
    """Writes a checkpoint again, in a form that an older TensorFlow reads. The one that is there stays as it is.

    The graph is rewritten as that of an export is. Collections and signatures that are missing are added as far as the
    graph shows by itself what belongs there: the updates of statistics and metrics, the variables of model and metrics,
    and, of tf.keras in graph mode, loss, train step and outputs.

    Args:
        filepath: str or PathLike, the checkpoint prefix.
        new_filepath: str or PathLike, the prefix to write to; None: `<filepath>-tf<target>`.
        target: str, the oldest TensorFlow that must read it.

    Returns:
        dict: `prefix`, the new one; `rewritten`, a list of `rule`, `op` and `nodes`; `added`, collection or
        `signature_def` -> names; `files`, paths.

    Raises:
        CheckpointFormatError: the checkpoint is missing, has no graph, or is damaged.
        InvalidArgumentError: something is under the new prefix already.
        UnsupportedModelError: the graph holds what cannot be rewritten for the target.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> record = gensynth.export_checkpoint(model, tmp_path / "net", target="current")
        >>> found = gensynth.downgrade_checkpoint(record.prefix, tmp_path / "older", target="1.15")
        >>> len(found["files"])
        4
    """
    prefix, new_prefix = as_text(filepath), _new_prefix(filepath, new_filepath, check_target(target))
    with told_if_damaged(prefix):
        content, values, manifest = _downgraded(prefix, target)
    files = write_checkpoint(new_prefix, values, content, manifest)
    return {"prefix": new_prefix, "rewritten": manifest["rewritten"], "added": manifest["added"], "files": files}


def _downgraded(prefix: str, target: Target) -> Tuple[bytes, Dict[str, np.ndarray], Dict[str, Any]]:
    """The serialized MetaGraphDef, the values and the manifest of the new checkpoint."""
    meta_graph = read_meta_graph(prefix)
    list_tensors(prefix)
    _refuse_functions(prefix, meta_graph)
    table = OpTable.load(target)
    graph = EditableGraph.from_meta_graph(meta_graph)
    _add_shapes(graph)
    changes = fit_to_target(graph, target, kept=_named(meta_graph))
    variables = variables_of(meta_graph, graph)
    added = missing_members(meta_graph, graph, variables)
    added = _fill(meta_graph, graph, added, table)
    added.update(_add_signatures(meta_graph, graph))
    _put_back(meta_graph, graph, table)
    manifest = {
        "target": target,
        "rewritten": told(changes),
        "added": added,
        "collections": {key: len(members(meta_graph, key)) for key in meta_graph.collection_def},
        "nodes": len(graph.nodes),
    }
    return meta_graph.SerializeToString(deterministic=True), read_tensors(prefix), manifest


def _named(meta_graph: MetaGraphDef) -> List[str]:
    """The names of the nodes that signatures and collections name."""
    infos = [info for signature in meta_graph.signature_def.values() for info in signature.outputs.values()]
    return [node_of(info.name) for info in infos] + [
        node_of(name) for of in meta_graph.collection_def.values() for name in of.node_list.value
    ]


def _new_prefix(filepath: Path, new_filepath: Optional[Path], target: str) -> str:
    new = check_filepath(f"{as_text(filepath)}-tf{target}" if new_filepath is None else new_filepath)
    there = [new + suffix for suffix in (INDEX, META) if storage.exists(new + suffix)]
    if there:
        raise InvalidArgumentError(
            f"`new_filepath` must be a prefix under which nothing is yet. Received: {new!r}, and {there[0]!r} is "
            "there. Pass another one, or remove its files."
        )
    return new


def _refuse_functions(prefix: str, meta_graph: MetaGraphDef) -> None:
    names = sorted(function.signature.name for function in meta_graph.graph_def.library.function)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise UnsupportedModelError(
            f"The graph of {prefix!r} has functions ({', '.join(names[:3])}{more}), as TensorFlow 2 writes them, and "
            "they cannot be turned into control flow of TensorFlow 1.x that gradients are taken through. Export the "
            "model again with export_checkpoint, or write the checkpoint after tf.compat.v1.disable_v2_behavior()."
        )


def _add_shapes(graph: EditableGraph) -> None:
    """Gives nodes the shapes that follow from the graph, which rewrites look at; what the file says of others stays."""
    static = StaticShapes(graph)
    for name, node in graph.nodes.items():
        shapes = static.shapes_of(name)
        if any(shape is not None for shape in shapes):
            protos = [tf.TensorShape(shape).as_proto() for shape in shapes]
            node.attr["_output_shapes"].CopyFrom(tf.compat.v1.AttrValue(list={"shape": protos}))


def _fill(
    meta_graph: MetaGraphDef, graph: EditableGraph, lacking: Dict[str, List[str]], table: OpTable
) -> Dict[str, List[str]]:
    """Adds members to collections; returns what was added."""
    known = variable_defs(meta_graph)
    added: Dict[str, List[str]] = {}
    for key, names in lacking.items():
        if key in VARIABLE_COLLECTIONS:
            found = {name: known.get(name) or variable_def_from_graph(graph, node_of(name)) for name in names}
            protos = {name: proto for name, proto in found.items() if proto is not None}
            names = [name for name in names if name in protos]
        if key not in VARIABLE_COLLECTIONS or key in table.collections_of_names:
            meta_graph.collection_def[key].node_list.value.extend(names)
        else:
            meta_graph.collection_def[key].bytes_list.value.extend(protos[name].SerializeToString() for name in names)
        if names:
            added[key] = names
    return added


def _add_signatures(meta_graph: MetaGraphDef, graph: EditableGraph) -> Dict[str, List[str]]:
    """Adds signatures where there are none, and inputs and outputs can be told."""
    outputs = outputs_of(graph)
    if meta_graph.signature_def or not outputs:
        return {}
    placeholders = {node.name: node.name + ":0" for node in graph.nodes.values() if is_placeholder(node)}
    inputs = {name: of["tensor"] for name, of in inputs_and_outputs(meta_graph, graph)[0].items()}
    needed = graph.ancestors(node_of(tensor) for tensor in outputs.values())
    found = {"serving_default": ({name: inputs[name] for name in inputs if name in needed}, outputs, _PREDICT)}
    losses = members(meta_graph, _LOSSES)
    if len(losses) == 1:
        given = {name: placeholders[name] for name in placeholders if name.endswith(("_target", "_sample_weights"))}
        of_step = {**{f"predictions/{name}": tensor for name, tensor in outputs.items()}, "loss": losses[0]}
        phase = {name: placeholders[name] for name in placeholders if name == LEARNING_PHASE}
        found["eval"] = {**inputs, **given}, of_step, EVAL_METHOD
        found["train"] = {**inputs, **given, **phase}, of_step, TRAIN_METHOD
    static = StaticShapes(graph)
    for key, (takes, gives, method) in found.items():
        signature = meta_graph.signature_def[key]
        signature.method_name = method
        for side, tensors in ((signature.inputs, takes), (signature.outputs, gives)):
            for name, tensor in tensors.items():
                side[name].CopyFrom(_tensor_info(graph, static, tensor))
    return {"signature_def": list(found)}


def _tensor_info(graph: EditableGraph, static: StaticShapes, tensor: str) -> TensorInfo:
    name, _, index = tensor_name(tensor).rpartition(":")
    types = output_types(graph.nodes[name])
    info = meta_graph_pb2.TensorInfo(name=f"{name}:{index}", dtype=types[int(index)])
    info.tensor_shape.CopyFrom(tf.TensorShape(static.shape(tensor)).as_proto())
    return info


def _put_back(meta_graph: MetaGraphDef, graph: EditableGraph, table: OpTable) -> None:
    """The rewritten graph, and what of the meta graph speaks of it."""
    for node in graph.nodes.values():
        node.attr.pop("_output_shapes", None)
    versions = tf.compat.v1.GraphDef.FromString(meta_graph.graph_def.SerializeToString()).versions
    if table.graph_def_version is not None:
        versions.producer = min(versions.producer, table.graph_def_version)
        versions.min_consumer = min(versions.min_consumer, table.graph_def_version)
    meta_graph.graph_def.CopyFrom(graph.graph_def(versions))
    meta_graph.meta_info_def.stripped_op_list.CopyFrom(table.op_list({node.op for node in graph.nodes.values()}))
    meta_graph.meta_info_def.stripped_default_attrs = False
    if not table.is_current:
        meta_graph.meta_info_def.tensorflow_version = table.version
    for key, contexts in graph.context_protos().items():
        meta_graph.collection_def.pop(key, None)
        for proto in contexts:
            meta_graph.collection_def[key].bytes_list.value.append(proto.SerializeToString(deterministic=True))
