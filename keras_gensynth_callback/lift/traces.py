"""Traces each step of a model that an export needs."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

import tensorflow as tf

from keras_gensynth_callback.compat import strategy_of
from keras_gensynth_callback.errors import UnsupportedModelError
from keras_gensynth_callback.graph import is_write, node_of, written_variable
from keras_gensynth_callback.options import ExportOptions

from . import spec as specs
from . import steps
from .adapters import Adapter, predicts
from .fitted_data import spec_of_last_fit
from .optional_weights import with_optional_weights
from .resets import reset_values
from .tracing import refuse_changed_gradients, scope_of


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be lifted.

    Attributes:
        adapter: Adapter of the model.
        options: ExportOptions.
        data_spec: nest of tf.TensorSpec as the iterator of `fit` gives it, or None.
    """

    adapter: Adapter
    options: ExportOptions
    data_spec: Any = None

    @property
    def trainable(self) -> bool:
        """Whether the graph is for training, too."""
        return self.options.is_trainable

    def with_data_of_last_fit(self):
        """The same; where no data is given, with that which the model was last trained on, if it was.

        Of its inputs the model itself may know more: that some of their sizes are open.
        """
        adapter = self.adapter
        given = self.data_spec is not None or self.options.input_signature is not None
        if given or not self.trainable or not adapter.is_compiled:
            return self
        spec, own = spec_of_last_fit(adapter.model), adapter.input_spec()
        if isinstance(spec, tuple) and own is not None and not adapter.overrides("train_step"):
            spec = (own, *spec[1:])
        return replace(self, data_spec=spec)


@dataclass(frozen=True, eq=False)
class Traces:
    """The steps of a model, traced.

    Attributes:
        request: Request.
        serving, predict: DataSpec of what `predict_step` is fed with, and its Step, or None; `predict` is `test` where
            one trace has both.
        output_specs: nest of tf.TensorSpec, what is predicted.
        output_names: the Keras names of it.
        spec: DataSpec of what the other steps are fed with.
        train, test: Step or None.
        forward: Step, a call of the model in training, where the train step has none; or None.
        has_train_step: whether `train` is what Keras trains by, and not a forward pass alone.
        initial_values: dict, id of a metric's variable -> ndarray, where a reset gives something else than zeros.
        scopes: dict, name scope of a layer's call -> the layer's name, where the Keras reports them.
        notes: what could not be carried over, in words.
    """

    request: Request
    serving: specs.DataSpec
    predict: Optional[steps.Step]
    output_specs: Any
    output_names: Tuple[str, ...]
    spec: specs.DataSpec
    train: Optional[steps.Step] = None
    test: Optional[steps.Step] = None
    forward: Optional[steps.Step] = None
    has_train_step: bool = False
    initial_values: Any = None
    scopes: Any = None
    notes: Tuple[str, ...] = ()


def trace_steps(request):
    """The Traces of a Request.

    Raises:
        NotBuiltError: the shapes of the inputs are not known.
        UnsupportedModelError: the model's Python cannot be traced.
    """
    adapter = request.adapter
    scopes: Dict[str, str] = {}
    adapter.both_phases = request.trainable
    traces = _trace_prediction(request, scopes)
    if not request.trainable:
        return traces
    if not adapter.is_compiled or not adapter.has_own_loss():
        traces = replace(traces, train=steps.forward_in_training(adapter, traces.spec, scopes))
    if adapter.is_compiled and (traces.train is None or traces.train.adds_losses):
        traces = _trace_compiled(traces)
    train = traces.train
    refuse_changed_gradients(train.trace.graph.graph_def(), train.custom_gradients, adapter.layer_of)
    return traces


def _trace_prediction(request, scopes):
    """Traces `predict_step`. A model may be trained on something else than it is called on, or have nothing to call: a
    GAN. Then there is no trace.
    """
    adapter = request.adapter
    inputs = specs.inputs_spec(adapter, request.data_spec, request.options.input_signature)
    nothing = Traces(request, specs.DataSpec((), []), None, (), (), inputs, scopes=scopes)
    has_own_step = request.trainable and adapter.is_compiled and adapter.overrides("train_step")
    if has_own_step and not predicts(adapter):
        return replace(nothing, notes=("no `serving_default` signature: the model has no `call`",))
    known = _outputs_of_test_step(adapter) if request.trainable else None
    if known is not None:
        return _predicting(nothing, adapter, inputs, known)
    serving = inputs
    try:
        predict = steps.predict_step(adapter, inputs, scopes)
    except UnsupportedModelError as error:
        if not has_own_step or request.data_spec is None:
            raise
        if adapter.input_spec() is None:  # it was never called, by nobody
            return replace(nothing, notes=(f"no `serving_default` signature: {str(error).splitlines()[0]}",))
        serving = specs.inputs_spec(adapter)
        inputs = replace(inputs, input_names=[f"{name}_train" for name in inputs.input_names])
        predict = steps.predict_step(adapter, serving, scopes)
    traces = _predicting(nothing, adapter, serving, predict.output_specs)
    return replace(traces, predict=predict, spec=inputs)


def _predicting(traces, adapter, serving, output_specs):
    names = tuple(specs.output_names(adapter, output_specs))
    return replace(traces, serving=serving, output_specs=output_specs, output_names=names)


def _outputs_of_test_step(adapter):
    """What a model predicts, a nest of tf.TensorSpec, where `test_step` calls it as `predict_step` does: one trace
    has both. Else None. It must be known before the trace is made, since targets are like it.
    """
    own = any(map(adapter.overrides, ("predict_step", "test_step", "train_step")))
    if own or adapter.steps is not adapter.model or not adapter.is_compiled or not adapter.has_own_loss():
        return None
    return adapter.output_spec()


def _trace_compiled(traces):
    """Traces train and test step of a compiled model."""
    adapter, inputs, scopes, notes = traces.request.adapter, traces.spec, traces.scopes, list(traces.notes)
    with scope_of(adapter.model):
        adapter.build_for_training()
    spec = specs.step_spec(adapter, inputs, traces.output_specs, traces.output_names, traces.request.data_spec)
    if strategy_of(adapter.model) is not None:
        _build_metrics(adapter, spec)
    spec = with_optional_weights(adapter, spec, traces.output_specs, traces.output_names)
    # The test step first: a trace that makes variables is made twice, and the metrics' are made here.
    traces = _with_test(traces, spec, notes)
    train, forward = steps.train_step(adapter, spec, scopes), None
    if train.outputs is not None and _predicts_after_the_step(adapter, train, spec):
        train = replace(train, outputs=None)
    if train.outputs is None and traces.predict is not None and traces.serving is inputs:
        forward = _trace_forward(adapter, inputs, scopes, notes)
    return replace(
        traces,
        spec=spec,
        train=train,
        forward=forward,
        has_train_step=True,
        initial_values=reset_values(adapter),
        notes=tuple(notes),
    )


def _predicts_after_the_step(adapter, train, spec):
    """Whether a train step called the model on its inputs when it had moved the weights already.

    What a layer writes on its way to the predictions depends on no target and no gradient.
    """
    graph, held = train.trace.graph, train.trace.variables
    trainable = {id(value) for value in adapter.trainable_values()}
    weights = {name for name, variable in held.items() if id(variable) in trainable}
    of_the_step = set(map(node_of, train.trace.gradient_placeholders()))
    of_the_step.update(train.trace.inputs[len(spec.input_names) :])
    behind = graph.ancestors(node_of(tensor) for tensor in tf.nest.flatten(train.outputs))
    writes = [name for name in behind if is_write(graph.nodes[name])]
    return any(
        written_variable(graph, graph.nodes[name]) in weights and of_the_step & graph.ancestors([name])
        for name in writes
    )


def _with_test(traces, spec, notes):
    """Traces the test step, and with it what the model predicts, if it is not traced yet."""
    adapter, scopes = traces.request.adapter, traces.scopes
    predicts = traces.predict is None and bool(traces.output_names)
    test, predict = _trace_test(adapter, spec, scopes, notes, predicts), traces.predict
    if predicts:
        predict = test if test.outputs is not None else steps.predict_step(adapter, traces.serving, scopes)
    return replace(traces, test=test, predict=predict)


def _trace_test(adapter, spec, scopes, notes, predicts):
    """A model that overrides `train_step` alone often has no test step that runs; Keras's own `evaluate` fails on it,
    too.
    """
    try:
        return steps.test_step(adapter, spec, scopes, predicts)
    except Exception as error:
        if not adapter.overrides("train_step"):
            raise
        said = str(error).splitlines()[0]
        notes.append(f"no `eval` signature: test_step fails with {type(error).__name__}: {said}")
        return None


def _trace_forward(adapter, inputs, scopes, notes):
    """A call of the model in training, where its train step has none."""
    try:
        return steps.forward_in_training(adapter, inputs, scopes)
    except UnsupportedModelError as error:
        notes.append(f"predictions are those of inference in both phases: {error}")
        return None


def _build_metrics(adapter, spec):
    """Traces make the variables of metrics where they are not there, but on one device alone."""
    try:
        with scope_of(adapter.model):
            adapter.build_metrics(spec)
    except Exception:
        # Where there is no test step that runs, its trace says why.
        if not adapter.overrides("train_step"):
            raise
