"""Arithmetic on integers for which the target has no kernel is done in int64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from ..rewriting import Rewriter

_NARROW = frozenset(
    [
        tf.uint16.as_datatype_enum,
        tf.uint32.as_datatype_enum,
        tf.int8.as_datatype_enum,
        tf.uint8.as_datatype_enum,
        tf.int16.as_datatype_enum,
        tf.int32.as_datatype_enum,
        tf.bool.as_datatype_enum,
    ]
)
_INT64 = tf.int64.as_datatype_enum
_BINARY = (
    "Add",
    "AddV2",
    "Sub",
    "Mul",
    "FloorMod",
    "FloorDiv",
    "Maximum",
    "Minimum",
    "SelectV2",
    "Select",
    "Fill",
    "Pack",
)
_COMPARING = ("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual")
_SEARCHING = ("ArgMax", "ArgMin")
_UNARY = ("Sum", "Max", "Min", "Prod", "Neg", "Sign", "Abs", "BroadcastTo", "Transpose")
# For each op the inputs that have the type of attribute T, and whether the result has it.
WIDENED = {}
WIDENED.update({op: True for op in _BINARY + _UNARY})
WIDENED.update({op: False for op in _COMPARING + _SEARCHING})
_INPUTS = {"SelectV2": (1, 2), "Select": (1, 2), "Fill": (1,), "ArgMax": (0,), "ArgMin": (0,)}


def compute_in_wider_integers(rewriter: Rewriter, node: NodeDef) -> bool:
    """Casts the operands to int64 and the result back, which wraps around as the narrow type does."""
    narrow = node.attr["T"].type
    if narrow not in _NARROW:
        return False
    positions = _INPUTS.get(
        node.op, range(1 if node.op in _UNARY else sum(not name.startswith("^") for name in node.input))
    )
    inputs = list(node.input)
    for position in positions:
        inputs[position] = _cast(rewriter, inputs[position], f"wide_{position}", node, narrow, _INT64)
    if not WIDENED[node.op]:
        node.input[:] = inputs
        node.attr["T"].type = _INT64
        return True
    attrs = {key: value for key, value in node.attr.items() if not key.startswith("_") and key != "T"}
    data = [name for name in inputs if not name.startswith("^")]
    wide = rewriter.add(node.op, "wide", data, node, T=tf.int64, **attrs)
    rewriter.become(node, "Cast", [wide], SrcT=tf.int64, DstT=tf.as_dtype(narrow))
    return True


def _cast(rewriter: Rewriter, tensor: str, name: str, node: NodeDef, source: int, target: int) -> str:
    return rewriter.add("Cast", name, [tensor], node, SrcT=tf.as_dtype(source), DstT=tf.as_dtype(target))
