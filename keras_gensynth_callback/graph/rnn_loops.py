"""RNN loops as TF 1.15's own layers have them: one counter, and a last output that needs no TensorArray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import numpy as np
import tensorflow as tf

from .editable import WHILE_CONTEXT
from .nodes import become_identity, moved, node_of, tensor_name

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from .editable import Context, EditableGraph


def one_counter_a_loop(graph: EditableGraph) -> None:
    """Drops from each loop the counters that count what another counts already.

    Keras calls `tf.while_loop` with `maximum_iterations`, which counts the steps beside Keras's own `time`, and asks
    both at each step.

    Args:
        graph: EditableGraph, changed in place; what nothing reads any more stays for `keep`.
    """
    consumers = graph.consumers()
    for context in graph.contexts:
        if context.kind == WHILE_CONTEXT:
            first: Dict[Tuple[Any, ...], _Counter] = {}
            for merge in [graph.nodes[name] for name in _merges(graph, context, consumers)]:
                counter = _Counter.read(graph, merge, consumers)
                if counter is not None:
                    kept = first.setdefault(counter.key, counter)
                    if kept is not counter:
                        _unify(graph, context, kept, counter)
            _ask_once(graph, context)


class _Counter:
    """A loop variable that starts at a constant and grows by a constant.

    Attributes:
        key: what it counts: start, step, type.
        enter, merge, switch, identity, exits: node names.
    """

    def __init__(
        self, key: Tuple[Any, ...], enter: str, merge: str, switch: str, identity: str, exits: List[str]
    ) -> None:
        self.key, self.enter, self.merge = key, enter, merge
        self.switch, self.identity, self.exits = switch, identity, exits

    @classmethod
    def read(cls, graph: EditableGraph, merge: NodeDef, consumers: Dict[str, List[NodeDef]]) -> Optional[_Counter]:
        """The counter whose `Merge` node this is, or None."""
        enter, following = (graph.nodes[node_of(tensor)] for tensor in merge.input[:2])
        grown = graph.nodes[node_of(following.input[0])]
        if grown.op not in ("Add", "AddV2"):
            return None
        start, step = constant(graph, enter.name), constant(graph, grown.input[1])
        switches = [
            node for node in consumers[merge.name] if node.op == "Switch" and node_of(node.input[0]) == merge.name
        ]
        if start is None or step is None or start.ndim or step.ndim or len(switches) != 1:
            return None
        bodies = [node for node in consumers[switches[0].name] if f"{switches[0].name}:1" in node.input]
        exits = [node.name for node in consumers[switches[0].name] if node.op == "Exit"]
        if [node.op for node in bodies] != ["Identity"] or node_of(grown.input[0]) != bodies[0].name:
            return None
        key = start.dtype, start.item(), step.item()
        return cls(key, enter.name, merge.name, switches[0].name, bodies[0].name, exits)


def constant(graph: EditableGraph, tensor: str) -> Optional[np.ndarray]:
    """The value of a tensor that is constant, or enters a loop as a constant; else None."""
    node = graph.origin(tensor, ("Enter", "Identity"))
    return tf.make_ndarray(node.attr["value"].tensor) if node is not None and node.op == "Const" else None


def _merges(graph: EditableGraph, context: Context, consumers: Dict[str, List[NodeDef]]) -> List[str]:
    """The `Merge` nodes at the head of a loop, in the order of its variables."""
    enters = [node_of(tensor) for tensor in context.fields.loop_enter_names]
    heads = [node.name for enter in enters for node in consumers.get(enter, ()) if node.op == "Merge"]
    return [name for name in heads if graph.nodes[node_of(graph.nodes[name].input[1])].op == "NextIteration"]


def _unify(graph: EditableGraph, context: Context, kept: _Counter, twin: _Counter) -> None:
    """Lets all that reads the counter `twin` read `kept`, which is the same number at each step."""
    replaced = {twin.merge: kept.merge, twin.switch: kept.switch, twin.identity: kept.identity}
    if len(kept.exits) < len(twin.exits):
        return
    for ended, other in zip(twin.exits, kept.exits):
        become_identity(graph.nodes[ended], other)
    own = {twin.enter, node_of(graph.nodes[twin.merge].input[1]), *replaced}
    for node in graph.nodes.values():
        if node.name not in own:
            for index, tensor in enumerate(node.input):
                node.input[index] = moved(tensor, replaced)
    fields = context.fields
    for field in (fields.loop_enter_names, fields.loop_exit_names):
        names = [name for name in field if node_of(name) not in own and node_of(name) not in twin.exits]
        del field[:]
        field.extend(names)
    graph.remove(own)


def _ask_once(graph: EditableGraph, context: Context) -> None:
    """Where a loop asks one counter twice for one limit, it asks once."""
    condition = graph.nodes[node_of(context.fields.pivot_name)]
    both = graph.nodes[node_of(condition.input[0])]
    if both.op != "LogicalAnd":
        return
    first, second = (graph.nodes[node_of(tensor)] for tensor in both.input[:2])
    if first.op == second.op == "Less" and first.input[0] == second.input[0] and first.attr["T"] == second.attr["T"]:
        if _entered(graph, first.input[1]) == _entered(graph, second.input[1]):
            condition.input[0] = first.name


def _entered(graph: EditableGraph, tensor: str) -> Any:
    """What tells whether two limits of a loop are one: their value, or the tensor that enters the loop."""
    value = constant(graph, tensor)
    if value is not None:
        return value.tolist()
    node = graph.nodes[node_of(tensor)]
    return _entered(graph, node.input[0]) if node.op == "Enter" else tensor_name(tensor)


def last_output_without_array(graph: EditableGraph) -> None:
    """Lets what reads the only element of a TensorArray be what was written to it.

    That is how Keras's `rnn` takes the last output, once the array stands behind the loop
    (`lift/tf1_forms/tensor_arrays.py`). The node keeps its name, in whatever trace it stands, so that the traces can
    still be laid over each other.

    Args:
        graph: EditableGraph, changed in place; what nothing reads any more stays for `keep`.
    """
    for node in graph.nodes.values():
        written = _only_element(graph, node) if node.op == "StridedSlice" else None
        if written is not None:
            become_identity(node, written)


def _only_element(graph: EditableGraph, node: NodeDef) -> Optional[str]:
    """The tensor that is the only element of the array that `node` slices, or None."""
    gather = graph.nodes[node_of(node.input[0])]
    if gather.op != "TensorArrayGatherV3" or not _takes_one(graph, node):
        return None
    array, write = graph.nodes[node_of(gather.input[0])], graph.nodes[node_of(gather.input[2])]
    if write.op != "TensorArrayWriteV3" or node_of(write.input[0]) != array.name or array.op != "TensorArrayV3":
        return None
    places = [graph.context_of.get(name) for name in (node.name, gather.name, write.name, array.name)]
    facts = [constant(graph, array.input[0]), constant(graph, write.input[1]), _indices(graph, gather.input[1])]
    first = [fact is not None and fact.tolist() for fact in facts] == [1, 0, [0]]
    return write.input[2] if first and len({id(place) for place in places}) == 1 else None


def _indices(graph: EditableGraph, tensor: str) -> Optional[np.ndarray]:
    """The value of a constant, or of a range between constants; else None."""
    node = graph.nodes[node_of(tensor)]
    if node.op != "Range":
        return constant(graph, tensor)
    start, limit, step = (constant(graph, end) for end in node.input[:3])
    return (
        None if start is None or limit is None or step is None else np.arange(start.item(), limit.item(), step.item())
    )


def _takes_one(graph: EditableGraph, node: NodeDef) -> bool:
    """Whether a StridedSlice takes the first or last element along the first axis, whole."""
    begin, strides = constant(graph, node.input[1]), constant(graph, node.input[3])
    masks = {key: node.attr[key].i for key in ("begin_mask", "ellipsis_mask", "new_axis_mask")}
    if begin is None or strides is None or any(masks.values()) or node.attr["shrink_axis_mask"].i != 1:
        return False
    return begin.tolist() in ([0], [-1]) and strides.tolist() == [1]
