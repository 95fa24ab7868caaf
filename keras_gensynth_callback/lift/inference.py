"""The inference graph: `predict_step` and `test_step`, with the same names for what both take from outside."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

import tensorflow as tf

from keras_gensynth_callback.graph import EditableGraph, moved, node_of, unique, unite

from . import steps
from .adapters import Variable
from .metrics import value_without_update
from .normalize import normalize
from .passes import PASSES_OVER_TRACES, Needed, run_passes
from .random_draws import draw_anew
from .traces import Traces
from .tracing import Table


@dataclass(frozen=True, eq=False)
class Named:
    """Traces in which variables, placeholders and tables have one name each.

    Attributes:
        traces: Traces.
        variables: all Variables that the traces hold.
        tables: the lookup tables.
        serving_placeholders: the names of what `predict_step` is fed with, in order.
        placeholders: the names of what the other steps are fed with.
    """

    traces: Traces
    variables: Tuple[Variable, ...]
    tables: Tuple[Any, ...]
    serving_placeholders: Tuple[str, ...]
    placeholders: Tuple[str, ...]

    @property
    def fed(self):
        """The names of all placeholders for data."""
        return list(dict.fromkeys((*self.serving_placeholders, *self.placeholders)))

    def metric_variables(self):
        """The names of the variables of metrics."""
        return {variable.name for variable in self.variables if variable.kind == "metric"}


@dataclass(frozen=True, eq=False)
class Merged:
    """One graph of several traces, and what in it is what. Tensors and nodes by name.

    Attributes:
        named: Named.
        graph: EditableGraph.
        outputs: tensors, in the order of the outputs.
        loss: tensor, or None.
        metrics: dict, name -> tensor of the value after an update.
        metric_values: dict, name -> tensor of the value without an update, or None where there is none.
        alone: the nodes that stand for `metric_values` alone.
    """

    named: Named
    graph: EditableGraph
    outputs: Tuple[str, ...]
    loss: Optional[str]
    metrics: Dict[str, str]
    metric_values: Dict[str, Optional[str]]
    alone: Tuple[str, ...] = ()


def name_alike(traces):
    """The Named of Traces, whose graphs are renamed in place."""
    variables = traces.request.adapter.variables()
    names = {id(variable.value): variable.name for variable in variables}
    taken = {name.lower() for name in names.values()}
    placeholders = {}
    for name in traces.serving.names() + traces.spec.names():
        if name not in placeholders:
            placeholders[name] = unique(name, taken)
    of_steps = [placeholders[name] for name in traces.spec.names()]
    of_serving = [placeholders[name] for name in traces.serving.names()]
    others: Dict[str, Any] = {}
    tables: Dict[str, Table] = {}
    steps_ = {}
    is_shared = traces.predict is traces.test
    for kind in ("test", "train", "forward") if is_shared else ("predict", "test", "train", "forward"):
        step = getattr(traces, kind)
        if step is not None:
            fed = of_serving if kind == "predict" else of_steps
            steps_[kind] = normalize(step, fed[: len(step.trace.inputs)], names, others, tables, taken)
            draw_anew(step.trace.graph, roots_of(steps_[kind]))
    if is_shared:
        steps_["predict"] = steps_.get("test")
    variables += [Variable(name, value, "other") for name, value in others.items()]
    return Named(
        replace(traces, **steps_), tuple(variables), tuple(tables.values()), tuple(of_serving), tuple(of_steps)
    )


def merge_inference(named):
    """The Merged of `predict_step` and `test_step`."""
    predict, test = named.traces.predict or steps.nothing(), named.traces.test
    outputs = tuple(tf.nest.flatten(predict.outputs))
    if predict is not test:
        shrink(predict, outputs, with_writes=False)
    if test is None:
        return Merged(named, predict.trace.graph, outputs, None, {}, {})
    shrink(test, test.results())
    names = unite(predict.trace.graph, test.trace.graph) if predict is not test else {}
    graph = test.trace.graph
    before = set(graph.nodes)
    values = {name: value_without_update(graph, tensor) for name, tensor in test.logs.items()}
    return Merged(
        named,
        graph,
        outputs=tuple(moved(tensor, names) for tensor in outputs),
        loss=test.loss,
        metrics=dict(test.logs),
        metric_values=values,
        alone=tuple(name for name in graph.nodes if name not in before),
    )


def shrink(step, results, with_writes=True):
    """Drops from a trace what neither these results nor its writes need, and what it computes twice."""
    roots = roots_of(step, results)
    if with_writes:
        roots += step.trace.stateful_writes()
    run_passes(PASSES_OVER_TRACES, step.trace.graph, Needed(roots))


def roots_of(step, results=None):
    """The nodes that a step's trace is run for, besides its writes: `results`, or all that it has, and gradients."""
    tensors = list(step.results() if results is None else results)
    for call in step.trace.gradient_calls:
        tensors += call.tensors()
    tensors += [name for name in step.trace.built_gradients if node_of(name) in step.trace.graph.nodes]
    return [node_of(name) for name in tensors]
