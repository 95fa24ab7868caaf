"""What a TensorFlow 1.x program will miss in a checkpoint, in words."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Collection, Container, Dict, Iterator, List, Optional, Tuple

import tensorflow as tf

from keras_gensynth_callback.graph import node_of
from keras_gensynth_callback.static import small_constant
from keras_gensynth_callback.target import misfits, needs_gpu, without_gradient

from .collections import members
from .variables import initializers_of, is_statistic
from .writes import moving_writes, reached_by

if TYPE_CHECKING:
    from keras_gensynth_callback._types import MetaGraphDef
    from keras_gensynth_callback.graph import EditableGraph

    from .variables import Variable

_KEYS = tf.compat.v1.GraphKeys
_SHOWN = 5


def gaps_of(
    meta_graph: MetaGraphDef, graph: EditableGraph, variables: Dict[str, Variable], tensors: Container[str], target: str
) -> List[str]:
    """The warnings about a checkpoint: a list of str, each with what follows from it.

    Args:
        meta_graph: MetaGraphDef.
        graph: its EditableGraph.
        variables: {name: Variable}.
        tensors: {name: Tensor}, what the checkpoint has values for.
        target: str, one of `known_targets()`.
    """
    moved = moving_writes(graph, initializers_of(meta_graph))
    updates = [node_of(name) for name in members(meta_graph, _KEYS.UPDATE_OPS)]
    found = [
        _state_that_stands_still(graph, variables, moved, updates),
        _metrics_without_variables(meta_graph, graph, variables),
        _metrics_without_updates(graph, variables, moved, updates),
        _nothing_to_train(meta_graph, variables),
        _nothing_to_restore(meta_graph),
        _values_that_are_not_there(meta_graph, graph, tensors),
        _no_signature(meta_graph),
        _images_for_gpus(graph),
    ]
    return [*filter(None, found), *_of_the_target(meta_graph, variables, target)]


def _images_for_gpus(graph: EditableGraph) -> Optional[str]:
    found = collections.Counter(node.op for node in graph.nodes.values() if needs_gpu(node))
    if not found:
        return None
    return (
        f"{_some(sorted(found))} ({sum(found.values())} nodes) have the channels of their images in front "
        '(data_format="NCHW"), for which TensorFlow 1.x has kernels on GPUs only. An export with '
        'data_format="channels_last" runs on both.'
    )


def _state_that_stands_still(
    graph: EditableGraph, variables: Dict[str, Variable], moved: Dict[str, str], updates: List[str]
) -> Optional[str]:
    reached = reached_by(graph, updates)
    still_ones = set(moved.values()) - {variable for write, variable in moved.items() if write in reached}
    still = [name for name, variable in variables.items() if name in still_ones and is_statistic(variable)]
    if not still:
        return None
    what = "is empty" if not updates else "lacks their updates"
    return (
        f"UPDATE_OPS {what}: {_some(still)} would stand still while a TensorFlow 1.x program trains, and predictions "
        "would use old statistics."
    )


def _metrics_without_variables(
    meta_graph: MetaGraphDef, graph: EditableGraph, variables: Dict[str, Variable]
) -> Optional[str]:
    local = {
        node_of(name) for key in (_KEYS.LOCAL_VARIABLES, _KEYS.METRIC_VARIABLES) for name in members(meta_graph, key)
    }
    lost = [
        variable.name for variable in variables.values() if variable.kind == "metric" and variable.name not in local
    ]
    if lost:
        return (
            f"LOCAL_VARIABLES and METRIC_VARIABLES lack the variables of metrics ({_some(lost)}): "
            "tf.local_variables_initializer() would not reset them, and metrics would mix batches of several "
            "evaluations."
        )
    if "eval" in meta_graph.signature_def and not local:
        names = {name for name in meta_graph.signature_def["eval"].outputs if name.startswith("metrics/")}
        return "The metrics of the signature `eval` have no variables, and cannot be reset." if names else None
    return None


def _metrics_without_updates(
    graph: EditableGraph, variables: Dict[str, Variable], moved: Dict[str, str], updates: List[str]
) -> Optional[str]:
    metric = {name for name, variable in variables.items() if variable.kind == "metric"}
    reached = reached_by(graph, updates)
    writers = {write for write, variable in moved.items() if variable in metric}
    if not writers or writers & reached:
        return None
    return "UPDATE_OPS lacks the updates of metrics: running them with each batch would leave metrics as they are."


def _nothing_to_train(meta_graph: MetaGraphDef, variables: Dict[str, Variable]) -> Optional[str]:
    if variables and not members(meta_graph, _KEYS.TRAINABLE_VARIABLES):
        weights = any(variable.kind == "weight" and variable.trainable for variable in variables.values())
        return None if weights else "TRAINABLE_VARIABLES is empty: a tf.train.Optimizer finds nothing to train."
    return None


def _nothing_to_restore(meta_graph: MetaGraphDef) -> Optional[str]:
    if meta_graph.HasField("saver_def"):
        return None
    return "There is no saver: import_meta_graph returns None, and a program needs one of its own to restore values."


def _values_that_are_not_there(
    meta_graph: MetaGraphDef, graph: EditableGraph, tensors: Container[str]
) -> Optional[str]:
    saver = meta_graph.saver_def.restore_op_name if meta_graph.HasField("saver_def") else ""
    if saver not in graph.nodes:
        return None
    names: List[str] = []
    for name in graph.ancestors([saver]):
        node = graph.nodes[name]
        if node.op == "RestoreV2":
            source = graph.nodes.get(node_of(node.input[1]))
            listed = small_constant(source) if source is not None else None
            if listed is not None and listed.dtype == object:
                names.extend(value.decode("utf-8", "replace") for value in listed.ravel())
    missing = [name for name in names if name not in tensors]
    if missing:
        return f"Restoring fails: the checkpoint has no values for {_some(missing)}, which the graph restores."
    return None


def _no_signature(meta_graph: MetaGraphDef) -> Optional[str]:
    if meta_graph.signature_def:
        return None
    return "There is no signature: a program must know the names of the tensors that it feeds and fetches."


def _of_the_target(meta_graph: MetaGraphDef, variables: Dict[str, Variable], target: str) -> Iterator[str]:
    reader = "the installed TensorFlow" if target == "current" else f"TensorFlow {target}"
    grouped: Dict[Tuple[str, str], List[str]] = collections.OrderedDict()
    for problem in misfits(meta_graph.graph_def, target):
        grouped.setdefault((problem.op, problem.reason), []).append(problem.node)
    for (op, reason), nodes in grouped.items():
        more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
        yield f"{reader} cannot take the op {op} (node {nodes[0]!r}{more}): {reason}."
    losses = [node_of(name) for name in members(meta_graph, _KEYS.LOSSES)]
    trainable = [variable.name for variable in variables.values() if variable.trainable]
    if grouped or not losses or not trainable:
        return
    ops = without_gradient(meta_graph, losses, trainable, target)
    if ops:
        yield f"tf.gradients of {reader} has no gradient for {', '.join(ops)}, on the way from weights to the loss."


def _some(names: Collection[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more
