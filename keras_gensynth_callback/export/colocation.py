"""Which variable a node stands beside, as TensorFlow 1.x writes it: `loc:@name` in the attribute `_class`.

A device function, such as `tf.train.replica_device_setter`, moves variables; what is colocated with one goes with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterable, List

import tensorflow as tf

from keras_gensynth_callback.graph import data_inputs, node_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef
    from keras_gensynth_callback.graph import EditableGraph


def colocate(graph: EditableGraph, variables: Iterable[str]) -> None:
    """Colocates the initialiser and the read of each variable with it, and what one training op changes together: the
    slots of an optimizer with their variable.

    Args:
        graph: EditableGraph, changed in place.
        variables: names of the variables, which are those of their handles.
    """
    beside = {name: name for name in variables}
    for node in graph.nodes.values():
        handles = _handles(node, beside)
        if len(handles) > 1:
            beside.update(dict.fromkeys(handles[1:], beside[handles[0]]))
    for node in graph.nodes.values():
        if node.name in beside:
            _put_beside(node, beside[node.name])
        elif len(_handles(node, beside)) > 1:
            _put_beside(node, beside[_handles(node, beside)[0]])
    for name, place in beside.items():
        start = graph.nodes[f"{name}/Assign"].input[1]
        initializers = [f"{name}/Assign", f"{name}/Read/ReadVariableOp", *graph.ancestors([node_of(start)])]
        for node in initializers:
            _put_beside(graph.nodes[node], place)


def _handles(node: NodeDef, variables: Dict[str, str]) -> List[str]:
    """The variables that a training op takes handles of."""
    if not node.op.startswith(("ResourceApply", "ResourceSparseApply")):
        return []
    return [node_of(tensor) for tensor in data_inputs(node) if node_of(tensor) in variables]


def _put_beside(node: NodeDef, variable: str) -> None:
    place = tf.compat.v1.AttrValue.ListValue(s=[f"loc:@{variable}".encode()])
    node.attr["_class"].CopyFrom(tf.compat.v1.AttrValue(list=place))
