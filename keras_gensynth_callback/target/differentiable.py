"""Which ops stop the target's `tf.gradients`, and the error for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterable, List, Set

from keras_gensynth_callback.compat import can_be_differentiated
from keras_gensynth_callback.graph import is_control, node_of, op_definition, output_types

from .problems import Problem, raise_problems
from .table import OpTable

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef
    from keras_gensynth_callback.graph import EditableGraph

_FLOATING = frozenset([1, 2, 8, 14, 18, 19])  # DT_FLOAT, DT_DOUBLE, DT_COMPLEX64, DT_BFLOAT16, DT_COMPLEX128, DT_HALF
# tf.gradients ends at these, whatever comes in.
_ENDS = frozenset(["StopGradient", "Const", "Placeholder", "VarHandleOp", "Shape", "ZerosLike", "OnesLike"])


def refuse_lost_gradients(graph: EditableGraph, losses: Iterable[str], variables: Iterable[str], target: str) -> None:
    """Raises where Keras has a gradient, and a program that trains the graph in the target would find none.

    Args:
        graph: EditableGraph that fits the target otherwise.
        losses: node names of what is differentiated.
        variables: node names of the trainable variables' handles.
        target: str, one of `known_targets()`.

    Raises:
        UnsupportedOpError: there is such an op. All of them are named in one message.
    """
    nodes = [graph.nodes[name] for name in ops_without_gradient(graph, losses, variables, target)]
    lost = [node for node in nodes if can_be_differentiated(node.op)]
    raise_problems([Problem(node.name, node.op, "it has no gradient there") for node in lost], target)


def ops_without_gradient(
    graph: EditableGraph, losses: Iterable[str], variables: Iterable[str], target: str
) -> List[str]:
    """The nodes on a floating-point path from trainable variables to the losses whose op has no gradient in the target.

    Args:
        graph: EditableGraph.
        losses: node names of what is differentiated.
        variables: node names of the trainable variables' handles.
        target: str, one of `known_targets()`.

    Returns:
        A list of node names, in the graph's order.
    """
    table = OpTable.load(target)
    behind = graph.ancestors(losses, stop=[name for name, node in graph.nodes.items() if node.op in _ENDS])
    reached = _reached_from(graph, variables, behind)
    return [name for name in graph.nodes if name in reached and not table.has_gradient(graph.nodes[name].op)]


def _reached_from(graph: EditableGraph, variables: Iterable[str], within: Iterable[str]) -> Set[str]:
    consumers: Dict[str, List[str]] = {}
    for name in within:
        for tensor in graph.nodes[name].input:
            if not is_control(tensor):
                consumers.setdefault(node_of(tensor), []).append(name)
    seen: Set[str] = set()
    todo = [reader for variable in variables for reader in consumers.get(variable, ())]
    while todo:
        name = todo.pop()
        if name in seen or not _is_floating(graph.nodes[name]):
            continue
        seen.add(name)
        todo.extend(consumers.get(name, ()))
    return seen


def _is_floating(node: NodeDef) -> bool:
    """Whether an output of the node is floating-point, so that a gradient flows through it."""
    if node.op in _ENDS or op_definition(node.op) is None:
        return False
    return not _FLOATING.isdisjoint(output_types(node))
