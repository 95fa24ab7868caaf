"""A checkpoint frozen: the graph of predictions alone, with the values in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Dict, List, NoReturn, Optional, Sequence, Set, Tuple

import tensorflow as tf

from keras_gensynth_callback.arguments import check_target
from keras_gensynth_callback.checkpoint import as_text, read_tensors, write_file
from keras_gensynth_callback.errors import CheckpointFormatError, InvalidArgumentError, UnsupportedModelError
from keras_gensynth_callback.graph import (
    HANDS_ON,
    HANDS_ON_REFERENCES,
    EditableGraph,
    attr_value,
    become,
    become_identity,
    input_name,
    is_control,
    node_of,
    tensor_name,
)
from keras_gensynth_callback.inspection import (
    inputs_and_outputs,
    is_learning_phase,
    is_variable,
    members,
    read_meta_graph,
    told_if_damaged,
)
from keras_gensynth_callback.target import fit_to_target

from .resolve_conditionals import resolve_conditionals

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, Frozen, NodeDef, Path, Target, TensorSays

_PASSING = (*HANDS_ON, "Merge", "NextIteration", "Exit")
_OF_REFERENCES = (*HANDS_ON_REFERENCES, "RefMerge", "RefNextIteration", "RefExit")
_TABLE_INITIALIZERS = tf.compat.v1.GraphKeys.TABLE_INITIALIZERS


def freeze_checkpoint(
    filepath: Path, path: Path, *, outputs: Optional[Sequence[str]] = None, target: Target = "1.15"
) -> Frozen:
    """Writes the graph of predictions, with the values of a checkpoint as constants, into one file.

    The learning phase is False, whatever the graph could do in training; what only training needs is gone.

    Args:
        filepath: str or PathLike, the checkpoint prefix.
        path: str or PathLike, the GraphDef file to be written, for example `net.pb`.
        outputs: list of str, names of tensors or nodes to keep; None: the outputs of `serving_default`.
        target: str, the oldest TensorFlow that must read it.

    Returns:
        dict: `path`; `inputs` and `outputs`, name -> tensor; `nodes`, how many; `size`, bytes; `run_first`, names of
        ops that fill lookup tables, once a session.

    Raises:
        CheckpointFormatError: the checkpoint is missing, has no graph, or is damaged.
        InvalidArgumentError: there is no signature, and `outputs` is None, or an output is not in the graph.
        UnsupportedModelError: what the outputs need cannot be frozen, or not for the target.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> record = gensynth.export_checkpoint(model, tmp_path / "net")
        >>> found = gensynth.freeze_checkpoint(record.prefix, tmp_path / "net.pb")
        >>> len(found["inputs"]), len(found["outputs"])
        (1, 1)
    """
    check_target(target)
    with told_if_damaged(as_text(filepath)):
        content, found = _frozen(filepath, path, outputs, target)
    write_file(os.fspath(path), content)
    return found


def _frozen(filepath: Path, path: Path, outputs: Optional[Sequence[str]], target: Target) -> Tuple[bytes, Frozen]:
    """The serialized GraphDef, and what is to be said of it."""
    meta_graph = read_meta_graph(filepath)
    graph = EditableGraph.from_meta_graph(meta_graph)
    inputs, signed = inputs_and_outputs(meta_graph, graph)
    chosen = _chosen(filepath, graph, signed, outputs)
    tables = [node_of(name) for name in members(meta_graph, _TABLE_INITIALIZERS)]
    if meta_graph.graph_def.library.function:
        raise UnsupportedModelError(
            f"The graph of {os.fspath(filepath)!r} has functions, as TensorFlow 2 writes them, and these cannot be "
            "frozen. Export the model with export_checkpoint, or mend the checkpoint with `keras-gensynth downgrade`, "
            "and freeze that."
        )
    wanted = [node_of(tensor) for tensor in chosen.values()]
    keep_predictions(graph, [*wanted, *tables])
    needed = graph.ancestors(wanted)
    tables = [name for name in tables if needed & {node_of(tensor) for tensor in graph.nodes[name].input}]
    graph.keep([*wanted, *tables])
    _variables_to_constants(graph, filepath)
    for node in graph.nodes.values():
        for name in [name for name in node.attr if name.startswith("_")]:
            del node.attr[name]
    fit_to_target(graph, target, kept=wanted)
    graph_def = graph.graph_def(meta_graph.graph_def.versions)
    content = graph_def.SerializeToString(deterministic=True)
    return content, {
        "path": os.fspath(path),
        "size": len(content),
        "inputs": {name: of["tensor"] for name, of in inputs.items() if node_of(of["tensor"]) in graph.nodes},
        "outputs": chosen,
        "nodes": len(graph.nodes),
        "run_first": tables,
    }


def _chosen(
    filepath: Path, graph: EditableGraph, signed: Dict[str, TensorSays], outputs: Optional[Sequence[str]]
) -> Dict[str, str]:
    """{name: tensor} of what is to be kept."""
    if outputs is None and not signed:
        raise InvalidArgumentError(
            f"The checkpoint {os.fspath(filepath)!r} has no signature that says what its outputs are. Pass their "
            "names: outputs=['digit/Softmax'] (on the command line, --output digit/Softmax)."
        )
    if outputs is None:
        return {name: of["tensor"] for name, of in signed.items()}
    missing = [name for name in outputs if node_of(name) not in graph.nodes]
    if missing:
        raise InvalidArgumentError(
            f"`outputs` names {', '.join(map(repr, missing))}, which the graph of {os.fspath(filepath)!r} does not "
            "have. Look the names up with `keras-gensynth inspect`."
        )
    return {name: tensor_name(name) for name in outputs}


def keep_predictions(graph: EditableGraph, wanted: List[str]) -> None:
    """Keeps what `wanted` (node names) depend on when the learning phase is False."""
    for node in graph.nodes.values():
        if is_learning_phase(node):
            become(node, "Const", [], dtype=tf.bool, value=tf.make_tensor_proto(False))
    graph.keep(wanted)
    resolve_conditionals(graph)
    graph.keep(wanted)


def _variables_to_constants(graph: EditableGraph, filepath: Path) -> None:
    handles = [node for node in graph.nodes.values() if is_variable(node)]
    values = read_tensors(filepath)
    missing = [node.name for node in handles if node.name not in values]
    if missing:
        raise CheckpointFormatError(
            f"The checkpoint {os.fspath(filepath)!r} has no values for {', '.join(missing)}, which its graph reads. "
            "Save it with a Saver of all variables."
        )
    for node in handles:
        dtype = tf.as_dtype(node.attr["dtype"].type)
        if tf.as_dtype(values[node.name].dtype) != dtype:
            raise CheckpointFormatError(
                f"The checkpoint {os.fspath(filepath)!r} has values of {values[node.name].dtype} for {node.name!r}, "
                f"which is a variable of {dtype.name}. Its files are of two different exports."
            )
    if sum(values[node.name].nbytes for node in handles) >= 2**31:
        raise UnsupportedModelError(
            f"The weights of {os.fspath(filepath)!r} take more than 2.1 GB, which no GraphDef can hold. Use the "
            "checkpoint as it is."
        )
    consumers = graph.consumers()
    for handle in handles:
        dtype, value = tf.as_dtype(handle.attr["dtype"].type), values[handle.name]
        become(handle, "Const", [], dtype=dtype, value=tf.make_tensor_proto(value, dtype, value.shape))
        _read_constant(graph, handle, dtype, consumers)


def _read_constant(graph: EditableGraph, source: NodeDef, dtype: DType, consumers: Dict[str, List[NodeDef]]) -> None:
    """Lets all that took a variable take its value."""
    todo = [source]
    seen: Set[str] = set()
    while todo:
        taken = todo.pop()
        for node in consumers[taken.name]:
            if node.name in seen or taken.name not in {
                node_of(tensor) for tensor in node.input if not is_control(tensor)
            }:
                continue
            seen.add(node.name)
            if node.op in _OF_REFERENCES:
                node.op = node.op[len("Ref") :]
            if node.op in _PASSING and node.attr["T"].type in (tf.resource.as_datatype_enum, dtype.as_datatype_enum):
                passes = node.attr["T"].type == tf.resource.as_datatype_enum
                node.attr["T"].CopyFrom(attr_value(dtype))
                todo.extend([node] if passes else [])
            elif not _read(graph, node, dtype):
                _refuse_use(node, source)


def _read(graph: EditableGraph, node: NodeDef, dtype: DType) -> bool:
    """Turns a read of a variable into one of a constant; whether that was possible, or nothing had to be done."""
    if node.op == "ReadVariableOp":
        become_identity(node, node.input[0], dtype)
    elif node.op == "VariableShape":
        become(
            node, "Shape", node.input, T=dtype, out_type=node.attr["out_type"] if "out_type" in node.attr else tf.int32
        )
    elif node.op == "ResourceGatherNd":
        become(node, "GatherNd", node.input, Tparams=dtype, Tindices=node.attr["Tindices"])
    elif node.op == "ResourceGather":
        # It waits for the indices, so that it stands in the loop that they stand in.
        axis = graph.add(
            "Const",
            f"{node.name}/axis",
            ["^" + node_of(node.input[1])],
            beside=node,
            dtype=tf.int32,
            value=tf.make_tensor_proto(0),
        )
        data, controls = list(node.input[:2]), list(node.input[2:])
        attrs = {"batch_dims": node.attr["batch_dims"]} if node.attr["batch_dims"].i else {}
        inputs = [*data, input_name(axis.name), *controls]
        become(node, "GatherV2", inputs, Tparams=dtype, Tindices=node.attr["Tindices"], Taxis=tf.int32, **attrs)
    else:
        return not any(value.type == tf.resource.as_datatype_enum for value in node.attr.values()) and not (
            node.op.startswith(("Resource", "Assign", "VarIs"))
        )
    return True


def _refuse_use(node: NodeDef, source: NodeDef) -> NoReturn:
    raise UnsupportedModelError(
        f"The variable {source.name!r} is used by the op {node.op} (node {node.name!r}), which has no form for "
        "constants. Predictions that change or test their variables cannot be frozen; use the checkpoint as it is."
    )
