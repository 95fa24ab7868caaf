"""What goes into a graph and what comes out of it: by its signatures, or, without one, by its placeholders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import tensorflow as tf

from keras_gensynth_callback.graph import LEARNING_PHASE, tensor_name, type_name

if TYPE_CHECKING:
    from keras_gensynth_callback._types import MetaGraphDef, NodeDef, Shape, TensorInfo, TensorSays, TensorShapeProto
    from keras_gensynth_callback.graph import EditableGraph

_SERVING = tf.compat.v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
# Placeholders that are fed with other things than the model's inputs.
_NO_INPUTS = ("save", LEARNING_PHASE, "Placeholder", "AssignVariableOp")
_NO_INPUT_SUFFIXES = ("_target", "_sample_weights", "learning_phase")


def signatures_of(meta_graph: MetaGraphDef) -> Dict[str, Any]:
    """The signatures as plain values: {key: {"method", "inputs": {name: tensor}, "outputs": {name: tensor}}}."""
    return {
        key: {
            "method": signature.method_name,
            "inputs": {name: _described(info) for name, info in sorted(signature.inputs.items())},
            "outputs": {name: _described(info) for name, info in sorted(signature.outputs.items())},
        }
        for key, signature in sorted(meta_graph.signature_def.items())
    }


def inputs_and_outputs(
    meta_graph: MetaGraphDef, graph: EditableGraph
) -> Tuple[Dict[str, TensorSays], Dict[str, TensorSays]]:
    """What a prediction is fed with and what it gives.

    Returns:
        (inputs, outputs), each {name: {"tensor", "dtype", "shape"}}. Without a signature the inputs are the
        placeholders that look like ones, and the outputs are unknown: {}.
    """
    signatures = signatures_of(meta_graph)
    serving = signatures.get(_SERVING) or (next(iter(signatures.values())) if len(signatures) == 1 else None)
    if serving:
        return serving["inputs"], serving["outputs"]
    return {node.name: _placeholder(node) for node in graph.nodes.values() if _is_input(node)}, {}


def is_placeholder(node: NodeDef) -> bool:
    """Whether a NodeDef is there to be fed."""
    return node.op in ("Placeholder", "PlaceholderWithDefault")


def is_learning_phase(node: NodeDef) -> bool:
    """Whether a NodeDef is Keras's learning phase, in whichever scope it was imported."""
    return is_placeholder(node) and node.name.split("/")[-1] == LEARNING_PHASE


def _is_input(node: NodeDef) -> bool:
    scope = node.name.split("/")[0]
    known = not scope.startswith(_NO_INPUTS) and not node.name.endswith(_NO_INPUT_SUFFIXES)
    return node.op == "Placeholder" and known


def _described(info: TensorInfo) -> TensorSays:
    return {"tensor": _tensor_of(info), "dtype": type_name(info.dtype), "shape": _shape(info.tensor_shape)}


def _tensor_of(info: TensorInfo) -> str:
    """The tensor that stands for an input or output; of a sparse one, that of its values."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        return info.coo_sparse.values_tensor_name
    if kind == "composite_tensor":
        return next((component.name for component in info.composite_tensor.components), "")
    return info.name


def _placeholder(node: NodeDef) -> TensorSays:
    shape = node.attr["shape"].shape
    return {"tensor": tensor_name(node.name), "dtype": type_name(node.attr["dtype"].type), "shape": _shape(shape)}


def _shape(proto: TensorShapeProto) -> Optional[Shape]:
    """A list of int or None; None if not even the rank is known."""
    return None if proto.unknown_rank else [None if dim.size < 0 else dim.size for dim in proto.dim]
