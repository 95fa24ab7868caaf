"""Takes a total loss apart into its terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Sequence, Tuple

from .nodes import data_inputs, node_of, tensor_name

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from .editable import EditableGraph


def split_losses(graph: EditableGraph, loss: str) -> Tuple[List[str], List[str]]:
    """The terms that add up to `loss`, as (losses, regularization losses).

    Every Keras sums them up in its own way - `AddN`, `AddV2`, or `Sum` of a `Pack` - and so may a user's
    `compute_loss`: what is split is the sum itself, down to the first thing that is no sum. A term that depends on
    variables alone is a regularisation loss.

    Args:
        graph: EditableGraph.
        loss: str, the tensor's name.
    """
    terms = [term for term in _terms(graph, tensor_name(loss)) if not _is_zero(graph, term)]
    if len(terms) != len(set(terms)):
        terms = [tensor_name(loss)]
    regularizers = [term for term in terms if not _depends_on_data(graph, term)]
    return [term for term in terms if term not in regularizers], regularizers


def _terms(graph: EditableGraph, tensor: str) -> List[str]:
    node = graph.nodes[node_of(tensor)]
    inputs = [tensor_name(name) for name in data_inputs(node)]
    if node.op == "Identity":
        return _terms(graph, inputs[0])
    if node.op in ("AddV2", "Add", "AddN") and node.name not in graph.context_of:
        if len(set(inputs)) == len(inputs):
            return [term for name in inputs for term in _terms(graph, name)]
    if node.op == "Sum" and graph.nodes[node_of(inputs[0])].op == "Pack" and _sums_all(graph, node, inputs):
        packed = graph.nodes[node_of(inputs[0])]
        return [term for name in packed.input for term in _terms(graph, tensor_name(name))]
    return [tensor]


def _sums_all(graph: EditableGraph, node: NodeDef, inputs: Sequence[str]) -> bool:
    axes = graph.nodes[node_of(inputs[1])]
    return not node.attr["keep_dims"].b and axes.op == "Const" and shape_of_constant(axes) in ([], [1])


def shape_of_constant(const: NodeDef) -> List[int]:
    return [dim.size for dim in const.attr["value"].tensor.tensor_shape.dim]


def _is_zero(graph: EditableGraph, tensor: str) -> bool:
    import tensorflow as tf

    node = graph.nodes[node_of(tensor)]
    return node.op == "Const" and not tf.make_ndarray(node.attr["value"].tensor).any()


def _depends_on_data(graph: EditableGraph, tensor: str) -> bool:
    return any(graph.nodes[name].op.startswith("Placeholder") for name in graph.ancestors([node_of(tensor)]))
