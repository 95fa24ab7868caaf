"""A graph of mixed precision, computed in float32: for targets that have no kernels for the shorter type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, List, Set

import tensorflow as tf

from keras_gensynth_callback.errors import UnsupportedModelError
from keras_gensynth_callback.graph import become, shape_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import AttrValue, NodeDef
    from keras_gensynth_callback.graph import EditableGraph

_SHORT = {tf.float16.as_datatype_enum: "float16", tf.bfloat16.as_datatype_enum: "bfloat16"}
_FLOAT32 = tf.float32.as_datatype_enum


def compute_in_float32(graph: EditableGraph) -> List[str]:
    """Lets all that a graph computes in float16 or bfloat16 be computed in float32.

    Args:
        graph: EditableGraph, edited in place.

    Returns:
        The names of the types that were replaced, as a sorted list of str.

    Raises:
        UnsupportedModelError: a variable has one of these types.
    """
    found: Set[str] = set()
    for node in graph.nodes.values():
        if node.op == "VarHandleOp" and node.attr["dtype"].type in _SHORT:
            raise UnsupportedModelError(
                f"compute_dtype='float32' expects variables of float32, as under `mixed_float16` and `mixed_bfloat16`. "
                f"Received the variable `{node.name}` of {_SHORT[node.attr['dtype'].type]}. Build the model under "
                "one of these policies, and train it so."
            )
        for attr in node.attr.values():
            found.update(_widened(attr))
        if node.op == "Cast" and node.attr["SrcT"].type == node.attr["DstT"].type:
            _turn_into_identity(node)
    return sorted(found)


def _widened(attr: AttrValue) -> Iterator[str]:
    """Replaces short types in an AttrValue; yields their names."""
    kind = attr.WhichOneof("value")
    if kind == "type" and attr.type in _SHORT:
        yield _SHORT[attr.type]
        attr.type = _FLOAT32
    elif kind == "tensor" and attr.tensor.dtype in _SHORT:
        yield _SHORT[attr.tensor.dtype]
        attr.tensor.CopyFrom(tf.make_tensor_proto(tf.make_ndarray(attr.tensor).astype("float32")))
    elif kind == "list":
        for index, enum in enumerate(attr.list.type):
            if enum in _SHORT:
                yield _SHORT[enum]
                attr.list.type[index] = _FLOAT32


def _turn_into_identity(cast: NodeDef) -> None:
    """A cast to the type that it comes from: something may refer to it by its name."""
    become(cast, "Identity", cast.input, **shape_of(cast), T=cast.attr["DstT"])
