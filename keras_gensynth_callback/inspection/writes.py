"""Which nodes of a graph change variables while it runs, besides those that restore, initialise and set them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Container, Dict, Iterable, Optional, Set

from keras_gensynth_callback.graph import CASTS, HANDS_ON, HANDS_ON_REFERENCES, is_write

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef
    from keras_gensynth_callback.graph import EditableGraph

# Variables of TensorFlow 1.x before resources: the ops that write to a reference.
_REF_WRITES = ("Assign", "AssignAdd", "AssignSub", "ScatterUpdate", "ScatterAdd", "ScatterSub")
PASSING = (*HANDS_ON, *HANDS_ON_REFERENCES, "Merge", "RefMerge")
_HANDLES = ("VarHandleOp", "VariableV2", "Variable", "TemporaryVariable")
# What they write comes from outside of the graph.
_FROM_OUTSIDE = ("RestoreV2", "Placeholder")


def is_variable(node: NodeDef) -> bool:
    """Whether a NodeDef holds a variable."""
    return node.op in _HANDLES


def variable_of(graph: EditableGraph, tensor: str) -> Optional[str]:
    """The name of the variable that a handle, a reference or a read comes from, or None."""
    node = graph.origin(tensor, PASSING)
    return node.name if node is not None and is_variable(node) else None


def moving_writes(graph: EditableGraph, initializers: Container[str]) -> Dict[str, str]:
    """The nodes that change a variable when a step runs.

    Args:
        graph: EditableGraph.
        initializers: set of node names that initialise variables.

    Returns:
        {node name: variable name}, in the order of the graph.
    """
    found: Dict[str, str] = {}
    for name, node in graph.nodes.items():
        writes = node.input and (is_write(node) or _is_ref_write(node))
        if not writes or name in initializers or name.endswith("/Assign"):
            continue
        variable = variable_of(graph, node.input[0])
        if variable is not None and not _comes_from_outside(graph, node):
            found[name] = variable
    return found


def reached_by(graph: EditableGraph, names: Iterable[str]) -> Set[str]:
    """The names of the nodes that run with some others, those that the graph has."""
    return graph.ancestors(name for name in names if name in graph.nodes)


def _is_ref_write(node: NodeDef) -> bool:
    return node.op in _REF_WRITES or node.op.startswith(("Apply", "SparseApply")) and len(node.input) > 1


def _comes_from_outside(graph: EditableGraph, node: NodeDef) -> bool:
    source = graph.origin(node.input[1], CASTS) if len(node.input) > 1 else None
    return source is not None and source.op in _FROM_OUTSIDE
