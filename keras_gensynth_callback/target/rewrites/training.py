"""Training ops that a target lacks, as the reads and writes that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_gensynth_callback.graph import data_inputs

from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from ..rewriting import Rewriter


@rewrites("ResourceApplyKerasMomentum")
def write_momentum_and_variable(rewriter: Rewriter, node: NodeDef) -> bool:
    """`accum = momentum * accum - lr * grad`, which is added to the variable; with Nesterov's momentum
    `momentum * accum - lr * grad` of the new `accum` is (tensorflow/core/ops/training_ops.cc).
    """
    variable, accum, rate, gradient, momentum = data_inputs(node)
    types, nesterov = {"T": node.attr["T"]}, node.attr["use_nesterov"].b
    before = rewriter.add("ReadVariableOp", "accum", [accum], node, dtype=node.attr["T"])
    kept = rewriter.add("Mul", "kept", [before, momentum], node, **types)
    step = rewriter.add("Mul", "step", [gradient, rate], node, **types)
    moved = rewriter.add("Sub", "moved", [kept, step], node, **types)
    write = rewriter.add("AssignVariableOp", "write", [accum, moved], node, dtype=node.attr["T"])
    if nesterov:
        ahead = rewriter.add("Mul", "ahead", [moved, momentum], node, **types)
        moved = rewriter.add("Sub", "moved_ahead", [ahead, step], node, **types)
    rewriter.become(node, "AssignAddVariableOp", [variable, moved], dtype="T")
    node.input.append("^" + write)
    return True
