"""The pieces of a Keras model's Python that are traced: predict, test and train step, and the reset of its metrics."""

import contextlib

import tensorflow as tf

from ..errors import GenSynthExportError, UnsupportedModelError
from .custom_gradients import compare_gradients
from .one_replica import as_one_replica
from .tf_private import patched
from .trace import names_of, trace


class Step:
    """A traced step and what was noted while it ran.

    Attributes:
        trace: Trace.
        outputs: names of the tensors that `predict_step` returned, as a nest, or None.
        output_specs: their TensorSpecs.
        logs: dict, metric name -> tensor name, for a test or train step.
        loss: tensor name of what `compute_loss` returned last, or None.
        custom_gradients: what `compare_gradients` found.
    """

    def __init__(self, traced, notes):
        self.trace = traced
        self.outputs, self.output_specs = notes.get("outputs"), notes.get("output_specs")
        self.logs, self.loss = notes.get("logs") or {}, notes.get("loss")
        self.custom_gradients = notes.get("custom_gradients", [])


def predict_step(adapter, spec, scopes):
    """Traces `model.predict_step` on the inputs of `spec`."""

    def run(notes, data):
        outputs = adapter.steps.predict_step(data)
        notes["outputs"] = names_of(outputs)
        notes["output_specs"] = tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), outputs)

    return _traced(adapter, spec, scopes, run)


def forward_in_training(adapter, spec, scopes):
    """Traces a call of the model with `training=True`: all that an uncompiled model does in training."""

    def run(notes, data):
        notes["outputs"] = names_of(adapter.forward_in_training(data[0]))

    return _traced(adapter, spec, scopes, run, check_gradients=True)


def test_step(adapter, spec, scopes):
    """Traces `model.test_step`, whoever wrote it."""
    return _traced(adapter, spec, scopes, lambda notes, data: _keep_logs(notes, adapter.steps.test_step(data)))


def train_step(adapter, spec, scopes):
    """Traces `model.train_step`, whoever wrote it."""
    return _traced(
        adapter,
        spec,
        scopes,
        lambda notes, data: _keep_logs(notes, adapter.steps.train_step(data)),
        check_gradients=True,
    )


def metric_reset(adapter):
    """Traces the reset of the model's metrics; its writes are the metrics' initial values."""

    with as_one_replica(adapter.model), adapter.tracing({}):
        return trace(adapter.reset_metrics, [], variables=_variables(adapter), live=adapter.live)


def _traced(adapter, spec, scopes, run, check_gradients=False):
    notes = {}

    def function(*tensors):
        notes.clear()
        with _noted_loss(adapter, notes):
            run(notes, spec.pack(tensors))

    def compare(graph, calls):
        notes["custom_gradients"] = compare_gradients(graph, [name for call in calls for name in call.targets])

    with as_one_replica(adapter.model), adapter.tracing(scopes):
        traced = _explained(adapter, function, spec, compare if check_gradients else None)
    traced.graph.drop(getattr(adapter.steps, "untracked", ()))
    return Step(traced, notes)


def _variables(adapter):
    """Lists the variables once the trace is made, which may make some."""
    return lambda: [variable.value for variable in adapter.variables()]


def _explained(adapter, function, spec, afterwards):
    try:
        return trace(function, spec.specs(), adapter.layer_of, afterwards, _variables(adapter), adapter.live)
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
            notes["loss"] = loss.name
        return loss

    with patched(adapter.steps, "compute_loss", compute_loss):
        yield


def _keep_logs(notes, logs):
    notes["logs"] = {
        name: tensor.name for name, tensor in flat_logs(logs).items() if tf.is_tensor(tensor) and hasattr(tensor, "op")
    }


def flat_logs(logs):
    """The logs of a step as `evaluate` returns them.

    Keras flattens nested dicts of metrics in what `evaluate` returns (keras/src/utils/python_utils.py,
    `pythonify_logs`).
    """
    if not isinstance(logs, dict):
        return {}
    found = {}
    for name, value in logs.items():
        found.update(flat_logs(value) if isinstance(value, dict) else {name: value})
    return found
