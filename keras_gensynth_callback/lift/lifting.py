"""The way from a Keras model to a `Lifted` graph, stage by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from keras_gensynth_callback.graph import LEARNING_PHASE, tensor_name
from keras_gensynth_callback.options import ExportOptions

from .adapters import adapter_of
from .inference import merge_inference, name_alike
from .lifted import Lifted
from .structure import check_structure
from .tidying import refer_to_results, rename, simplify
from .traces import Request, trace_steps
from .training import lay_training_over
from .weights import default_weights
from .wide_variables import keep_in_wider_types

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Model, Nest


def lift(model: Model, options: Optional[ExportOptions] = None, data_spec: Nest = None) -> Lifted:
    """Lifts a Keras model into a v1 graph.

    Args:
        model: a Keras model on TensorFlow.
        options: ExportOptions, of which `graph`, `include_optimizer` and `input_signature` matter here; None: the
            defaults.
        data_spec: nest of tf.TensorSpec as the iterator of `fit` gives it, or None.

    Returns:
        A Lifted.

    Raises:
        NotBuiltError: the shapes of the inputs are not known.
        UnsupportedModelError: the model holds what no TensorFlow 1.x graph can hold.
    """
    request = Request(adapter_of(model), options or ExportOptions(), data_spec)
    traces = trace_steps(request.with_data_of_last_fit())
    named = name_alike(traces)
    merged, overlaid = merge_inference(named), None
    if request.trainable:
        overlaid = lay_training_over(merged)
        merged = overlaid.merged
        default_weights(merged.graph, traces.spec, named.placeholders)
    tidied = refer_to_results(merged, overlaid)
    simplify(tidied)
    tidied = rename(tidied)
    keep_in_wider_types(tidied.graph, tidied.named.variables)
    lifted = _lifted(tidied)
    check_structure(lifted, *((overlaid.changed, overlaid.differentiated) if overlaid else ()))
    return lifted


def _lifted(tidied):
    named, graph, results = tidied.named, tidied.graph, tidied.results
    traces, request = named.traces, named.traces.request
    spec, serving = traces.spec, traces.serving
    _add_unused_placeholders(tidied)
    tensors = [tensor_name(name) for name in named.placeholders]
    count, targets = len(spec.input_names), len(spec.target_names)
    variables = _kept_variables(tidied)
    names = {id(variable.value): variable.name for variable in variables}
    return Lifted(
        graph=graph,
        data=(serving, spec),
        variables=variables,
        tables=[table for table in named.tables if table.name in graph.nodes],
        inputs=dict(zip(serving.input_names, map(tensor_name, named.serving_placeholders))),
        step_inputs=dict(zip(spec.input_names, tensors[:count])),
        targets=dict(zip(spec.target_names, tensors[count : count + targets])),
        sample_weights=dict(zip(spec.weight_names, tensors[count + targets :])),
        outputs={name: tensor_name(tensor) for name, tensor in zip(traces.output_names, results.outputs)},
        learning_phase=tensor_name(LEARNING_PHASE) if request.trainable else None,
        loss=results.loss,
        losses=list(results.losses),
        regularization_losses=list(results.regularization_losses),
        metrics=results.metrics,
        updates=list(results.updates),
        train_op=results.train_op,
        global_step=_global_step(request.adapter, names, tidied.written) if results.train_op else None,
        evaluates=traces.test is not None,
        initial_values={names[key]: value for key, value in (traces.initial_values or {}).items() if key in names},
        notes=list(traces.notes),
        keras=request.adapter.version(),
    )


def _global_step(adapter, names, written):
    """The counter of the optimizer that the train step applies, the model's own if it does."""
    counters = [names[id(counter)] for counter in adapter.iterations() if id(counter) in names]
    counted = [name for name in counters if name in written]
    return next(iter([*counted, *counters]), None)


def _add_unused_placeholders(tidied):
    """A model need not look at all that it is fed with; the reader may feed it all the same."""
    named, graph = tidied.named, tidied.graph
    specs = [*named.traces.serving.specs(), *named.traces.spec.specs()]
    for name, spec in zip((*named.serving_placeholders, *named.placeholders), specs):
        if name not in graph.nodes:
            graph.add("Placeholder", name, dtype=spec.dtype, shape=spec.shape)


def _kept_variables(tidied):
    """The variables that the graph has, trainable ones first, in the order of `model.trainable_variables`. A graph that
    can be trained has those that no step needs as well.
    """
    request = tidied.named.traces.request
    always = {"weight", "state", "metric"} if request.trainable else set()
    always |= {"optimizer"} if tidied.results.train_op else set()
    kept = [v for v in tidied.named.variables if v.kind in always or v.name in tidied.graph.nodes]
    order = {id(value): index for index, value in enumerate(request.adapter.trainable_values())}
    return sorted(kept, key=lambda variable: order.get(id(variable.value), len(order)))
