"""The graph of both phases: the train step laid over the inference graph, with its gradients."""

from dataclasses import dataclass, replace
from typing import Dict, FrozenSet, Tuple

import tensorflow as tf

from keras_gensynth_callback.graph import (
    LEARNING_PHASE,
    is_write,
    lay_over,
    moved,
    node_of,
    step_nodes,
    tensor_name,
    unite,
    writes_of,
    written_variable,
)

from .gradients import fill_gradients
from .inference import Merged, shrink


@dataclass(frozen=True, eq=False)
class Overlaid:
    """The graph of both phases.

    Attributes:
        merged: Merged, its graph that of both phases.
        alive: dict, a write that runs in one phase alone -> a node that runs after it in either.
        step_only: the nodes that belong to the train step alone.
        step_writes: the nodes by which the train step changes variables.
        has_step: whether there is a train step.
        changed: the names of the variables that Keras's train step changes.
        differentiated: the names of those that Keras has a gradient of the loss for.
    """

    merged: Merged
    alive: Dict[str, str]
    step_only: FrozenSet[str]
    step_writes: Tuple[str, ...]
    has_step: bool
    changed: Tuple[str, ...]
    differentiated: Tuple[str, ...]


def lay_training_over(merged):
    """The Overlaid of a Merged and the train step of its traces."""
    named = _with_train_step(merged.named, _prepared(merged.named))
    merged, request, train = replace(merged, named=named), named.traces.request, named.traces.train
    graph, calls = train.trace.graph, train.trace.gradient_calls
    own = _nodes_of_the_step(named)
    writes = train.trace.stateful_writes()
    changed, differentiated = _variables_in_keras(named, writes)
    logs = train.logs if named.traces.test is None else {}
    targets = [name for call in calls for name in [*call.targets, *filter(None, call.output_gradients or [])]]
    laid = lay_over(
        merged.graph,
        graph,
        tensor_name(LEARNING_PHASE),
        _results_in_both_phases(merged),
        step_only=own,
        unconditional=_unconditional(named, own, writes),
        alone=merged.alone,
        targets=[node_of(name) for name in [*targets, *logs.values()]],
    )
    _add_learning_phase(laid.graph)
    for call in calls:
        call.rename(lambda tensor: moved(tensor, laid.renamed))
    step_only = {moved(name, laid.renamed) for name in own}
    merged = _with_logs(_with_results(merged, laid), logs, laid, step_only)
    if merged.loss is None and calls and calls[0].is_of_a_scalar:
        merged = replace(merged, loss=tensor_name(calls[0].targets[0]))
    has_step = named.traces.has_train_step and request.options.include_optimizer and bool(own)
    if has_step:
        before = set(merged.graph.nodes)
        graph = fill_gradients(merged.graph, calls, f"training/{optimizer_name(request.adapter)}")
        merged = replace(merged, graph=graph)
        step_only |= set(graph.nodes) - before
    return Overlaid(
        merged,
        laid.alive,
        frozenset(step_only),
        tuple(moved(name, laid.renamed) for name in writes),
        has_step,
        changed,
        differentiated,
    )


def optimizer_name(adapter):
    """The name of the class of the model's optimizer, or ''."""
    optimizer = getattr(adapter.model, "optimizer", None)
    return type(optimizer).__name__ if optimizer is not None else ""


def _with_train_step(named, train):
    return replace(named, traces=replace(named.traces, train=train))


def _prepared(named):
    """The train step as small as it goes: the gradients that are no part of it are filled in, and predictions added."""
    train = _with_forward_gradients(named.traces.train, named.metric_variables())
    shrink(train, train.results())
    return _with_predictions(train, named.traces.forward)


def _with_forward_gradients(train, metrics):
    """The gradients outside of layers' calls that change no variable but metrics are no part of the train step."""
    trace = train.trace
    forward = [call for call in trace.gradient_calls if not writes_of(trace.graph, call.placeholders(), metrics)]
    if not forward:
        return train
    calls = [call for call in trace.gradient_calls if call not in forward]
    before = {name: dict(node.attr) for name, node in trace.graph.nodes.items()}
    graph = fill_gradients(trace.graph, forward, "gradients", calls)
    # An import spells defaults out, and nodes that differ in them are no pair.
    for name in before.keys() & graph.nodes.keys():
        for key in [key for key in graph.nodes[name].attr if key not in before[name]]:
            del graph.nodes[name].attr[key]
    return replace(train, trace=replace(trace, graph=graph, gradient_calls=calls))


def _with_predictions(train, forward):
    """The train step with what the model predicts in training, where the step itself never calls it."""
    if forward is None:
        return train
    graph = forward.trace.graph
    graph.drop(forward.trace.stateful_writes())
    shrink(forward, forward.results(), with_writes=False)
    names = unite(graph, train.trace.graph)
    return replace(train, outputs=tf.nest.map_structure(lambda tensor: moved(tensor, names), forward.outputs))


def _nodes_of_the_step(named):
    """The nodes of the train step's trace that a forward pass does not have."""
    trace = named.traces.train.trace
    return step_nodes(
        trace.graph,
        trace.gradient_placeholders(),
        {variable.name for variable in named.variables if variable.trainable},
        {variable.name for variable in named.variables if variable.kind == "optimizer"},
        writes_of(trace.graph, trace.built_gradients, named.metric_variables()),
    )


def _unconditional(named, own, writes):
    """The names of the variables that are changed in whichever phase.

    A metric that the train step has nothing to do with, or only after its gradients, counts what it sees in both
    phases. A weight does not: the layer that changes it does so in training alone, whatever the optimizer does.
    """
    graph = named.traces.train.trace.graph
    changed = lambda names: {written_variable(graph, graph.nodes[name]) for name in names}  # noqa: E731
    forward = changed(name for name in writes if name not in own)
    after_gradients = changed(name for name in own if is_write(graph.nodes[name]))
    return {name for name in named.metric_variables() if name in after_gradients or name not in forward}


def _variables_in_keras(named, writes):
    """What the trace of the train step changes, and what it finds a gradient of the loss for: names of variables."""
    trace = named.traces.train.trace
    changed = dict.fromkeys(written_variable(trace.graph, trace.graph.nodes[name]) for name in writes)
    calls = trace.gradient_calls
    if not calls or named.traces.request.adapter.overrides("train_step"):
        return tuple(changed), ()
    found = zip(calls[0].sources, calls[0].results)
    return tuple(changed), tuple(node_of(source) for source, result in found if result is not None)


def _results_in_both_phases(merged):
    """Pairs of tensors: outputs, metrics and loss in inference, and each in training or None."""
    train, predict, outputs = merged.named.traces.train, merged.named.traces.predict, [None] * len(merged.outputs)
    if train.outputs is not None and predict is not None and predict.returns_outputs:
        found = tf.nest.flatten(train.outputs)
        outputs = found if len(found) == len(outputs) else outputs
    pairs = list(zip(merged.outputs, outputs))
    pairs += [(tensor, _log_in_training(merged, name)) for name, tensor in merged.metrics.items()]
    return pairs + ([(merged.loss, train.loss if train.losses == 1 else None)] if merged.loss else [])


def _log_in_training(merged, metric):
    """What the train step gives under the name of a metric, where it is the value of that metric."""
    train = merged.named.traces.train
    value, log = merged.metric_values[metric], train.logs.get(metric)
    if value is None or log is None:
        return None
    graph, variables = train.trace.graph, merged.graph.variables_behind([value])
    written = {written_variable(graph, graph.nodes[name]) for name in train.trace.stateful_writes()}
    return log if variables == graph.variables_behind([log]) and variables <= written else None


def _with_results(merged, laid):
    """The Merged of what was laid over: its results are those of the phase that there is."""
    count, results = len(merged.outputs), tuple(laid.results)
    return replace(
        merged,
        graph=laid.graph,
        outputs=results[:count],
        metrics=dict(zip(merged.metrics, results[count:])),
        loss=results[-1] if merged.loss else None,
    )


def _with_logs(merged, logs, laid, step_only):
    """The same with the metrics of the train step that a forward pass has, too, where there is no test step."""
    metrics = dict(merged.metrics)
    for name, tensor in logs.items():
        tensor = moved(tensor, laid.renamed)
        if not step_only & merged.graph.ancestors([node_of(tensor)]):
            metrics[name] = tensor
    return replace(merged, metrics=metrics)


def _add_learning_phase(graph):
    graph.add("Const", f"{LEARNING_PHASE}/input", dtype=tf.bool, value=tf.make_tensor_proto(False))
    shape = tf.TensorShape([])
    graph.add("PlaceholderWithDefault", LEARNING_PHASE, [f"{LEARNING_PHASE}/input"], dtype=tf.bool, shape=shape)
