"""Two checkpoints compared: values, graph, collections and signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

import numpy as np

from keras_gensynth_callback.checkpoint import read_tensors
from keras_gensynth_callback.graph import check_names
from keras_gensynth_callback.inspection import members, read_meta_graph, signatures_of, told_if_damaged

if TYPE_CHECKING:
    from keras_gensynth_callback._types import (
        Compared,
        ComparedContents,
        ComparedNames,
        ComparedValues,
        MetaGraphDef,
        Path,
    )


def compare_checkpoints(first: Path, second: Path) -> Compared:
    """What differs between two checkpoints with graphs. Nothing of them is run.

    Args:
        first, second: str or PathLike, checkpoint prefixes.

    Returns:
        dict of plain values. `equal`: bool. `values`: `only_in_first`, `only_in_second`, `other_shape` (name -> two
        shapes), `changed` (name -> the largest absolute difference; None where it is no number), `equal`, how many.
        `nodes`: `only_in_first`, `only_in_second`, `changed`, names; `functions` the same. `collections`: name ->
        `only_in_first`, `only_in_second`, for those that differ. `signatures`: the keys of those that differ.

    Raises:
        CheckpointFormatError: one of them is missing, has no graph, or is damaged.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> first = gensynth.export_checkpoint(model, tmp_path / "first")
        >>> second = gensynth.export_checkpoint(model, tmp_path / "second")
        >>> gensynth.compare_checkpoints(first.prefix, second.prefix)["equal"]
        True
    """
    with told_if_damaged(first, second):
        return _compared(first, second)


def _compared(first: Path, second: Path) -> Compared:
    meta_graphs = [read_meta_graph(prefix, check_names) for prefix in (first, second)]
    found: Compared = {
        "equal": False,
        "values": _values(read_tensors(first), read_tensors(second)),
        "nodes": _named(*({node.name: node for node in meta.graph_def.node} for meta in meta_graphs)),
        "functions": _named(*(_functions(meta) for meta in meta_graphs)),
        "collections": _collections(*meta_graphs),
        "signatures": _differing(*map(signatures_of, meta_graphs)),
    }
    sections = [dict(found["values"], equal=0), found["nodes"], found["functions"]]
    same = not any(any(section.values()) for section in sections)
    found["equal"] = same and not found["collections"] and not found["signatures"]
    return found


def _values(first: Dict[str, Any], second: Dict[str, Any]) -> ComparedValues:
    both = sorted(set(first) & set(second))
    same_shape = [name for name in both if first[name].shape == second[name].shape]
    changed = [name for name in same_shape if not _same(first[name], second[name])]
    return {
        "only_in_first": sorted(set(first) - set(second)),
        "only_in_second": sorted(set(second) - set(first)),
        "other_shape": {
            name: [list(first[name].shape), list(second[name].shape)]
            for name in both
            if first[name].shape != second[name].shape
        },
        "changed": {name: _distance(first[name], second[name]) for name in changed},
        "equal": len(same_shape) - len(changed),
    }


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype != other.dtype:
        return False
    return bool(np.array_equal(one, other)) if one.dtype == object else one.tobytes() == other.tobytes()


def _distance(one: np.ndarray, other: np.ndarray) -> Optional[float]:
    try:
        distance = float(np.max(np.abs(one.astype("float64") - other.astype("float64"))))
    except (TypeError, ValueError):  # texts
        return None
    return distance if np.isfinite(distance) else None


def _functions(meta_graph: MetaGraphDef) -> Dict[str, Any]:
    return {function.signature.name: function for function in meta_graph.graph_def.library.function}


def _named(first: Dict[str, Any], second: Dict[str, Any]) -> ComparedContents:
    return {
        "only_in_first": [name for name in first if name not in second],
        "only_in_second": [name for name in second if name not in first],
        "changed": [name for name in first if name in second and first[name] != second[name]],
    }


def _collections(first: MetaGraphDef, second: MetaGraphDef) -> Dict[str, ComparedNames]:
    found: Dict[str, ComparedNames] = {}
    for key in sorted({*first.collection_def, *second.collection_def}):
        one, other = members(first, key), members(second, key)
        if one != other:
            in_one, in_other = set(one), set(other)
            found[key] = {
                "only_in_first": [name for name in one if name not in in_other],
                "only_in_second": [name for name in other if name not in in_one],
            }
    return found


def _differing(first: Dict[str, Any], second: Dict[str, Any]) -> List[str]:
    return sorted(key for key in {*first, *second} if first.get(key) != second.get(key))
