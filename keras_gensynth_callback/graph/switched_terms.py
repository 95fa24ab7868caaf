"""What a branch takes from outside, where its sums take it twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Tuple

from .nodes import is_control, node_of, tensor_name

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from .editable import EditableGraph


_SUMS = ("Add", "AddV2", "AddN")


def hand_on_switched_terms(graph: EditableGraph) -> None:
    """Puts `Pack` and `Squeeze`, which change nothing, behind each output of a `Switch` that sums take more than once.

    Of what a sum, or a sum of sums, takes twice TF 1.15's arithmetic optimizer makes a product with a constant, which
    waits for the first output of the op that it comes from, whichever output the sum takes (`SimplifyAggregation` in
    tensorflow/core/grappler/optimizers/arithmetic_optimizer.cc). The first output of a `Switch` may be that of the
    other branch, and then the sum never gets a value. An `Identity` would not do: the optimizers take it away first.

    Args:
        graph: EditableGraph, changed in place.
    """
    places: Dict[str, List[Tuple[NodeDef, int]]] = {}
    for node in graph.nodes.values():
        for index, tensor in enumerate(node.input if node.op in _SUMS else ()):
            if not is_control(tensor) and graph.nodes[node_of(tensor)].op == "Switch":
                places.setdefault(tensor_name(tensor), []).append((node, index))
    for tensor, takers in places.items():
        if len(takers) > 1:
            handed_on = _handed_on(graph, tensor)
            for node, index in takers:
                node.input[index] = handed_on


def _handed_on(graph: EditableGraph, tensor: str) -> str:
    switch = graph.nodes[node_of(tensor)]
    packed = graph.add("Pack", f"{switch.name}/Pack", [tensor], switch, T=switch.attr["T"], N=1, axis=0)
    squeezed = graph.add("Squeeze", f"{switch.name}/Squeeze", [packed.name], switch, T=switch.attr["T"])
    squeezed.attr["squeeze_dims"].list.i.append(0)
    return squeezed.name
