"""Kerases of different ages give one weight different names: which one in a checkpoint is which one of the model.

| layer | Keras 3 | tf_keras | tf.keras of TensorFlow 1.15 |
|---|---|---|---|
| `LSTM` | `lstm/lstm_cell/kernel` | `lstm/lstm_cell/kernel` | `lstm/kernel` |
| `TimeDistributed` | `each/dense/kernel` | `each/kernel` | `each/kernel` |
| in a nested model | `inner/dense/kernel` | `dense/kernel` | `dense/kernel` |
| `DepthwiseConv2D` | `depthwise/kernel` | `depthwise/depthwise_kernel` | `depthwise/depthwise_kernel` |
"""

from __future__ import annotations

import collections
from typing import Any, DefaultDict, Dict, List, Mapping, Tuple

_LEAVES = {"depthwise_kernel": "kernel"}


def in_names_of_model(tensors: Mapping[str, Any], weights: Mapping[str, Tuple[int, ...]]) -> Dict[str, str]:
    """What the tensors of a checkpoint are called in the model, where the Keras that wrote it has other names.

    A name is taken for another one if it leaves out parts of it, and if that is so of no other weight of this shape.

    Args:
        tensors: dict, name in the checkpoint -> Tensor, or whatever has a shape.
        weights: dict, name in the model -> shape as a tuple.

    Returns:
        A dict, name in the model -> name in the checkpoint, in the order of `tensors`; slots go along with their
        weights, and what the model does not know keeps its name.
    """
    names = _other_names(tensors, weights)
    return {_renamed(name, names): name for name in tensors}


def _other_names(tensors: Mapping[str, Any], weights: Mapping[str, Tuple[int, ...]]) -> Dict[str, str]:
    """dict, name in the checkpoint -> the model's name for the same weight."""
    spare: DefaultDict[Tuple[Any, str], List[Tuple[str, List[str]]]] = collections.defaultdict(list)
    for name, tensor in tensors.items():
        if name not in weights and name.split("/")[0] not in ("training", "metrics"):
            parts = _parts(name)
            spare[tensor.shape, parts[-1]].append((name, parts))
    fits = {}
    for name, shape in weights.items():
        if name not in tensors:
            parts = _parts(name)
            fits[name] = [other for other, others in spare[shape, parts[-1]] if _is_same(parts, others)]
    taken = collections.Counter(other for found in fits.values() for other in found)
    return {found[0]: name for name, found in fits.items() if len(found) == 1 and taken[found[0]] == 1}


def _is_same(parts: List[str], others: List[str]) -> bool:
    short, long = sorted([parts, others], key=len)
    rest = iter(long)
    return all(part in rest for part in short)


def _parts(name: str) -> List[str]:
    *scopes, leaf = name.split("/")
    return [*scopes, _LEAVES.get(leaf, leaf)]


def _renamed(name: str, names: Dict[str, str]) -> str:
    if not name.startswith("training/"):
        return names.get(name, name)
    head, optimizer, *rest = name.split("/")
    weight, slot = "/".join(rest[:-1]), rest[-1]
    return "/".join([head, optimizer, names[weight], slot]) if weight in names else name
