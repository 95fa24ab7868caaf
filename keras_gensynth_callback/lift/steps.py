"""The pieces of a Keras model's Python that are traced: predict, test and train step, and the reset of its metrics."""

import contextlib
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

import tensorflow as tf

from keras_gensynth_callback.compat import patched
from keras_gensynth_callback.errors import GenSynthExportError, UnsupportedModelError

from .tracing import Trace, as_one_replica, compare_gradients, names_of, output_tensors, trace


@dataclass(frozen=True, eq=False)
class Step:
    """A traced step and what was noted while it ran.

    Attributes:
        trace: Trace.
        outputs: names of the tensors that `predict_step` returned, as a nest, or what the model did in another step; or
            None.
        output_specs: their TensorSpecs.
        returns_outputs: bool, whether what `predict_step` returned is what the model did.
        logs: dict, metric name -> tensor name, for a test or train step.
        log_specs: dict, metric name -> tf.TensorSpec.
        loss: tensor name of what `compute_loss` returned last, or None.
        losses: int, how often `compute_loss` returned a tensor.
        adds_losses: bool, whether layers added losses to a forward pass.
        custom_gradients: what `compare_gradients` found.
    """

    trace: Trace
    outputs: Any = None
    output_specs: Any = None
    returns_outputs: bool = False
    logs: Dict[str, str] = field(default_factory=dict)
    log_specs: Dict[str, tf.TensorSpec] = field(default_factory=dict)
    loss: Optional[str] = None
    losses: int = 0
    adds_losses: bool = False
    custom_gradients: Tuple[Any, ...] = ()

    def results(self):
        """The names of all tensors that the step gives."""
        outputs = tf.nest.flatten(self.outputs) if self.outputs is not None else []
        return [*outputs, *self.logs.values(), *([self.loss] if self.loss else [])]


def predict_step(adapter, spec, scopes):
    """Traces `model.predict_step` on the inputs of `spec`."""

    def run(notes, data):
        with _noted_predictions(adapter, notes, spec.inputs_of(data)):
            outputs = output_tensors(adapter.steps.predict_step(data), adapter.model.name)
        notes["outputs"] = names_of(outputs)
        notes["output_specs"] = tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), outputs)

    return _traced(adapter, spec, scopes, run)


def forward_in_training(adapter, spec, scopes):
    """Traces a call of the model with `training=True`: all that an uncompiled model does in training."""

    def run(notes, data):
        outputs = output_tensors(adapter.forward_in_training(spec.inputs_of(data)), adapter.model.name)
        notes["outputs"] = names_of(outputs)
        notes["adds_losses"] = bool(adapter.model.losses)

    return _traced(adapter, spec, scopes, run, check_gradients=True)


def test_step(adapter, spec, scopes, predicts=False):
    """Traces `model.test_step`, whoever wrote it; `predicts`: with the outputs of the model, if it is called there."""

    def run(notes, data):
        with _noted_predictions(adapter, notes, spec.inputs_of(data)) if predicts else contextlib.ExitStack():
            logs = adapter.steps.test_step(data)
        notes["outputs"] = notes.get("predicted")
        _keep_logs(notes, logs)

    return _traced(adapter, spec, scopes, run)


def train_step(adapter, spec, scopes):
    """Traces `model.train_step`, whoever wrote it."""

    def run(notes, data):
        with _noted_predictions(adapter, notes, spec.inputs_of(data)):
            logs = adapter.steps.train_step(data)
        notes["outputs"] = notes.get("predicted")
        _keep_logs(notes, logs)

    return _traced(adapter, spec, scopes, run, check_gradients=True, of_a_step=True)


def nothing():
    """The step of a model that has nothing to predict with."""
    return Step(trace(lambda: (), []), outputs=(), output_specs=())


def metric_reset(adapter):
    """Traces the reset of the model's metrics; its writes are the metrics' initial values."""

    with as_one_replica(adapter.model), adapter.tracing({}):
        return trace(adapter.reset_metrics, [], variables=_variables(adapter), live=adapter.live)


def _traced(adapter, spec, scopes, run, check_gradients=False, of_a_step=False):
    notes: Dict[str, Any] = {}

    def function(*tensors):
        notes.clear()
        with _noted_loss(adapter, notes):
            run(notes, spec.pack(tensors))

    def compare(graph, calls):
        notes["custom_gradients"] = compare_gradients(graph, [name for call in calls for name in call.targets])

    with as_one_replica(adapter.model), adapter.tracing(scopes):
        traced = _explained(adapter, function, spec, compare if check_gradients else None, of_a_step)
    traced.graph.drop(getattr(adapter.steps, "untracked", ()))
    losses, outputs = notes.get("losses", []), notes.get("outputs")
    return Step(
        traced,
        outputs,
        notes.get("output_specs"),
        returns_outputs=notes.get("predicted") is not None and notes["predicted"] == outputs,
        logs=notes.get("logs", {}),
        log_specs=notes.get("log_specs", {}),
        loss=losses[-1] if losses else None,
        losses=len(losses),
        adds_losses=notes.get("adds_losses", False),
        custom_gradients=tuple(notes.get("custom_gradients", ())),
    )


def _variables(adapter):
    """Lists the variables once the trace is made, which may make some."""
    return lambda: [variable.value for variable in adapter.variables()]


def _explained(adapter, function, spec, afterwards, of_a_step):
    try:
        return trace(
            function,
            spec.specs(),
            adapter.layer_of,
            afterwards,
            _variables(adapter),
            adapter.live,
            of_a_step,
            adapter.converts_calls,
        )
    except GenSynthExportError:
        raise
    except Exception as error:
        raise UnsupportedModelError(
            f"The Python of the model `{adapter.model.name}` fails when it is traced into a TensorFlow 1.x graph "
            f"with inputs {spec.parts}: "
            f"{type(error).__name__}: {error}"
        ) from error


@contextlib.contextmanager
def _noted_loss(adapter, notes):
    """Notes what `compute_loss` returns, and builds it under the scope `loss`."""
    if not hasattr(adapter.steps, "compute_loss"):
        yield
        return

    def compute_loss(wrapped, instance, args, kwargs):
        with adapter.loss_scope():
            loss = wrapped(*args, **kwargs)
        if tf.is_tensor(loss):
            notes.setdefault("losses", []).append(loss.name)
        return loss

    with patched(adapter.steps, "compute_loss", compute_loss):
        yield


@contextlib.contextmanager
def _noted_predictions(adapter, notes, inputs):
    """Notes what the model returned when it was first called on all of `inputs`."""
    model, given = adapter.model, [id(tensor) for tensor in tf.nest.flatten(inputs)]

    def call(wrapped, instance, args, kwargs):
        outputs = wrapped(*args, **kwargs)
        if instance is model and args and "predicted" not in notes and not tf.executing_eagerly():
            plain = all(isinstance(leaf, tf.Tensor) for leaf in tf.nest.flatten(outputs))
            if plain and [id(tensor) for tensor in tf.nest.flatten(args[0])] == given:
                notes["predicted"] = names_of(outputs)
        return outputs

    with patched(type(model), "__call__", call):
        yield


def _keep_logs(notes, logs):
    tensors = {name: _log_tensor(name, value) for name, value in flat_logs(logs).items() if value is not None}
    notes["logs"] = {name: tensor.name for name, tensor in tensors.items()}
    notes["log_specs"] = {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _log_tensor(name, value):
    """A tensor of the graph for what a step returns under `name`: a tensor, a variable, or a number."""
    if tf.is_tensor(value) and not isinstance(value, tf.Variable) and hasattr(value, "op"):
        return value
    try:
        return tf.identity(tf.convert_to_tensor(value))
    except (TypeError, ValueError) as error:
        raise UnsupportedModelError(
            f"The step returns a {type(value).__name__} as the metric `{name}`; in a TensorFlow 1.x graph a metric is "
            "a tensor. Return a dense tensor or a number."
        ) from error


def flat_logs(logs):
    """The logs of a step as `evaluate` returns them.

    Keras flattens nested dicts of metrics in what `evaluate` returns (keras/src/utils/python_utils.py,
    `pythonify_logs`).
    """
    if not isinstance(logs, dict):
        return {}
    found: Dict[str, Any] = {}
    for name, value in logs.items():
        found.update(flat_logs(value) if isinstance(value, dict) else {name: value})
    return found
