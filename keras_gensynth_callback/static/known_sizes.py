"""Sizes that a graph reads off a shape although they are known before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Set

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.graph import become, has_control_inputs, node_of, shape_of, tensor_name

from .constants import small_constant
from .values import MOST_VALUES, value_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef
    from keras_gensynth_callback.graph import EditableGraph


def fold_known_sizes(graph: EditableGraph) -> None:
    """Makes each slice of a shape a constant, where its value is known and it is computed in each run.

    tf2onnx 1.8 to 1.10 do not end on such a slice that a `Range` takes. What depends on a `Switch` runs in one of two
    branches; a constant would run in both, and a `Merge` behind it could take the wrong one. Gradients of conditionals
    do so outside of any context.

    Args:
        graph: EditableGraph with static shapes in `_output_shapes` attributes, changed in place. Names stay; what only
            the slices took goes.
    """
    taken: List[str] = []
    in_branches = _behind_switches(graph)
    for node in graph.nodes.values():
        value = _known_size(graph, node) if node.name not in in_branches else None
        if value is not None:
            taken += map(node_of, node.input)
            _become_constant(node, value)
    consumers = graph.consumers()
    named = {node_of(value) for context in graph.contexts for value in (*context.values, *context.external)}
    graph.remove(name for name in taken if not consumers[name] and name not in named)


def _behind_switches(graph: EditableGraph) -> Set[str]:
    found: Set[str] = set()
    for name in graph.topological():
        node = graph.nodes[name]
        if node.op in ("Switch", "RefSwitch") or any(node_of(tensor) in found for tensor in node.input):
            found.add(name)
    return found


def _known_size(graph: EditableGraph, node: NodeDef) -> Optional[np.ndarray]:
    if node.op != "StridedSlice" or node.name in graph.context_of or has_control_inputs(node):
        return None
    shape, *bounds = [graph.nodes[node_of(tensor)] for tensor in node.input]
    if shape.op != "Shape":
        return None
    name, _, index = tensor_name(shape.input[0]).rpartition(":")
    shapes = graph.nodes[name].attr["_output_shapes"].list.shape
    if int(index) >= len(shapes) or shapes[int(index)].unknown_rank:
        return None
    sizes = np.array([None if dim.size < 0 else dim.size for dim in shapes[int(index)].dim], dtype=object)
    constants = [small_constant(bound, MOST_VALUES) for bound in bounds]
    if any(constant is None for constant in constants):
        return None
    found = value_of(node, [], [sizes, *constants])
    return found if found is not None and None not in found.ravel().tolist() else None


def _become_constant(node: NodeDef, value: np.ndarray) -> None:
    dtype = tf.as_dtype(node.attr["T"].type)
    proto = tf.make_tensor_proto(value.astype(dtype.as_numpy_dtype), dtype, value.shape)
    become(node, "Const", [], **shape_of(node), dtype=dtype, value=proto)
