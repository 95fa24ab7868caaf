"""Fused batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_gensynth_callback.graph import is_control, tensor_name

from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from ..rewriting import Rewriter

_EMPTY = np.zeros([0], np.float32)


@rewrites("FusedBatchNormV3")
def fit_fused_batch_norm(rewriter: Rewriter, node: NodeDef) -> bool:
    return _train_without_old_statistics(rewriter, node)


@rewrites("FusedBatchNormV3")
def use_fused_batch_norm_v2(rewriter: Rewriter, node: NodeDef) -> bool:
    """The third version has one output more, which its gradient takes; on a CPU there is nothing in it."""
    if rewriter.table.op("FusedBatchNormV3"):
        return False
    gradients, others = [], False
    for reader in rewriter.readers(node):
        if reader.op.startswith("FusedBatchNormGrad"):
            gradients.append(reader.name)
        elif any(not is_control(tensor) and tensor_name(tensor) == f"{node.name}:5" for tensor in reader.input):
            others = True
    if others:
        rewriter.redirect(node, {5: rewriter.constant(0, "reserve_space_3", node, "float32")}, but=gradients)
    _become_second_version(rewriter, node, "FusedBatchNormV2", inputs=5)
    return True


@rewrites("FusedBatchNormGradV3")
def use_gradient_of_fused_batch_norm_v2(rewriter: Rewriter, node: NodeDef) -> bool:
    if rewriter.table.op("FusedBatchNormGradV3"):
        return False
    _become_second_version(rewriter, node, "FusedBatchNormGradV2", inputs=5)
    return True


def _become_second_version(rewriter: Rewriter, node: NodeDef, op: str, inputs: int) -> None:
    known = rewriter.table.attributes_of(op)
    rewriter.become(node, op, node.input[:inputs], **{name: name for name in node.attr if name in known})


def _train_without_old_statistics(rewriter: Rewriter, node: NodeDef) -> bool:
    """In training TF 1.15 wants empty statistics as inputs; TF 2 blends the batch's into those it is given."""
    factor = node.attr["exponential_avg_factor"].f if "exponential_avg_factor" in node.attr else 1.0
    if "exponential_avg_factor" in node.attr:
        del node.attr["exponential_avg_factor"]
    if not node.attr["is_training"].b:
        return False
    if all(_is_empty(rewriter, tensor) for tensor in node.input[3:5]) and factor == 1.0:
        return False
    if factor != 1.0:
        _blend_statistics(rewriter, node, factor)
    for position, name in ((3, "mean"), (4, "variance")):
        node.input[position] = rewriter.constant(_EMPTY, name, node)
    return True


def _blend_statistics(rewriter: Rewriter, node: NodeDef, factor: float) -> None:
    """Readers of the new mean (output 1) and variance (output 2) read old + factor * (batch - old)."""
    float32 = {"T": node.attr["U"]}
    blended, differences = {}, []
    for output, old, name in ((1, node.input[3], "new_mean"), (2, node.input[4], "new_variance")):
        rate = rewriter.constant(np.float32(factor), name + "/rate", node)
        difference = rewriter.add("Sub", name + "/difference", [f"{node.name}:{output}", old], node, **float32)
        differences.append(difference)
        step = rewriter.add("Mul", name + "/step", [difference, rate], node, **float32)
        blended[output] = rewriter.add("AddV2", name, [old, step], node, **float32)
    rewriter.redirect(node, blended, but=differences)


def _is_empty(rewriter: Rewriter, tensor: str) -> bool:
    value = rewriter.value(tensor)
    return value is not None and value.size == 0
