"""What of a graph, as it stands in a file, a target cannot load, run or differentiate. Nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Container, Iterable, List, Optional

from keras_gensynth_callback.graph import EditableGraph, op_definition

from .attributes import HINTS, fit_attributes
from .differentiable import ops_without_gradient
from .fit import PROCESS_LOCAL
from .problems import Problem
from .table import OpTable

if TYPE_CHECKING:
    from keras_gensynth_callback._types import GraphDef, MetaGraphDef, NodeDef


def misfits(graph_def: GraphDef, target: str) -> List[Problem]:
    """The nodes that stop a target's TensorFlow, those of functions included.

    Args:
        graph_def: GraphDef.
        target: str, one of `known_targets()`.

    Returns:
        A list of Problem.
    """
    table = OpTable.load(target)
    functions = {function.signature.name for function in graph_def.library.function}
    nodes = [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]
    found = ((node, _reason(node, table, functions)) for node in nodes)
    return [Problem(node.name, node.op, reason) for node, reason in found if reason]


def _reason(node: NodeDef, table: OpTable, functions: Container[str]) -> Optional[str]:
    if node.op in PROCESS_LOCAL:
        return "it calls an object of the process that wrote it"
    if node.op in functions:
        return None
    definition = table.op(node.op)
    if definition is None:
        return "the op does not exist there"
    known, writer = {attr.name for attr in definition.attr}, op_definition(node.op)
    defaults = {attr.name: attr.default_value for attr in writer.attr} if writer else {}
    # import_meta_graph leaves out what it does not know, if it is the default.
    unknown = [name for name in HINTS.intersection(node.attr) - known if node.attr[name] != defaults.get(name)]
    if unknown:
        return f"it has the attribute {sorted(unknown)[0]}, which is unknown there"
    if "_gradient_op_type" in node.attr:
        return "its gradient is a function of the process that wrote it, and tf.gradients fails"
    copy = type(node).FromString(node.SerializeToString())
    return fit_attributes(copy, definition, writer, lambda rule, node: None) or (
        None if table.has_cpu_kernel(copy) else "there is no CPU kernel for its types"
    )


def without_gradient(
    meta_graph: MetaGraphDef, losses: Iterable[str], variables: Iterable[str], target: str
) -> List[str]:
    """The ops between losses and trainable variables that the target cannot differentiate: sorted list of str."""
    graph = EditableGraph(meta_graph.graph_def)
    return sorted({graph.nodes[name].op for name in ops_without_gradient(graph, losses, variables, target)})
