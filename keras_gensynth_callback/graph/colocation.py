"""Which node another stands beside, as TensorFlow 1.x writes it: `loc:@name` in the attribute `_class`.

A device function, such as `tf.train.replica_device_setter`, moves variables; what is colocated with one goes with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Collection, Iterable, List

from .nodes import data_inputs, node_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from .editable import EditableGraph

# Every TensorFlow knows it.
COLOCATION = "_class"
_BESIDE = b"loc:@"


def colocate(graph: EditableGraph, variables: Iterable[str]) -> None:
    """Colocates the initialiser and the read of each variable with it, and what one training op changes together: the
    slots of an optimizer with their variable.

    Args:
        graph: EditableGraph, changed in place.
        variables: names of the variables, which are those of their handles.
    """
    beside = {name: name for name in variables}
    trained = []
    for node in graph.nodes.values():
        handles = _handles(node, beside)
        if len(handles) > 1:
            trained.append((node.name, handles[0]))
            beside.update(dict.fromkeys(handles[1:], beside[handles[0]]))
    for name, variable in trained:
        _put_beside(graph.nodes[name], beside[variable])
    for name, place in beside.items():
        start = graph.nodes[f"{name}/Assign"].input[1]
        initializers = [f"{name}/Assign", f"{name}/Read/ReadVariableOp", *graph.ancestors([node_of(start)])]
        for around in (name, *initializers):
            _put_beside(graph.nodes[around], place)


def drop_lost_colocation(graph: EditableGraph) -> None:
    """Lets no node stand beside one that went: `import_graph_def` refuses that."""
    for node in graph.nodes.values():
        if COLOCATION in node.attr:
            there = [place for place in node.attr[COLOCATION].list.s if not _is_lost(place, graph)]
            node.attr[COLOCATION].list.s[:] = there
            if not there:
                del node.attr[COLOCATION]


def _handles(node: NodeDef, variables: Collection[str]) -> List[str]:
    """The variables that a training op takes handles of."""
    if not node.op.startswith(("ResourceApply", "ResourceSparseApply")):
        return []
    return [node_of(tensor) for tensor in data_inputs(node) if node_of(tensor) in variables]


def _put_beside(node: NodeDef, variable: str) -> None:
    node.attr[COLOCATION].Clear()
    node.attr[COLOCATION].list.s.append(_BESIDE + variable.encode())


def _is_lost(place: bytes, graph: EditableGraph) -> bool:
    return place.startswith(_BESIDE) and place[len(_BESIDE) :].decode("utf-8", "replace") not in graph.nodes
