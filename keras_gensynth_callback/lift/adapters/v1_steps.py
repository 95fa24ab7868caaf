"""Predict, test and train step of Keras's graph-mode engine, which has none: it builds the parts of its one graph once,
in `compile`. Here the same methods of the engine build them again, on other tensors.
"""

import contextlib
import copy

import tensorflow as tf

from keras_gensynth_callback.compat import patched
from keras_gensynth_callback.graph import is_write

from ..tracing import gradients_for_an_optimizer
from .v1_engine import ancestors, layer_updates_of, metric_results


class V1Steps:
    """The steps of a model of the graph-mode engine, with the names that they have in eager Kerases.

    Args:
        model: the model.
        backend: the module `backend` of its Keras, with private names.
        calling: callable, returns the context in which the user's Python is called.

    Attributes:
        untracked: list of str, the writes of the step built last that the engine would never run: those of frozen
            layers, and those that no layer lists as an update.
    """

    def __init__(self, model, backend, calling=contextlib.nullcontext):
        self.model, self._backend, self._calling = model, backend, calling
        self.untracked = []

    def predict_step(self, data):
        with self._calling():
            outputs = self.forward(data[0], training=False)
        self._note_untracked(tf.nest.flatten(outputs), training=False)
        return outputs

    def test_step(self, data):
        loss, results = self._evaluated(data, training=False)
        self._note_untracked([loss, *results.values()], training=False)
        return results

    def train_step(self, data):
        model = self.model
        with _compiled_trainable_state(model):
            loss, results = self._evaluated(data, training=True)
            self._note_untracked([loss, *results.values()], training=True)
            with tf.name_scope("training"), gradients_for_an_optimizer():
                model.optimizer.get_updates(params=model._collected_trainable_weights, loss=loss)
        return results

    def forward(self, inputs, training):
        """Calls the model in one phase."""
        kwargs = {"training": training} if self.model._expects_training_arg else {}
        # `set_learning_phase` would set it in the session's graph.
        with patched(self._backend, "learning_phase", lambda *_: int(training)):
            return self.model(inputs, **kwargs)

    def compute_loss(self, masks):
        """The loss that the engine minimises, of what its training endpoints hold."""
        return tf.convert_to_tensor(self.model._prepare_total_loss(masks))

    def loss_of(self, y, y_pred, weights):
        """The loss of what was predicted."""
        with self._with_endpoints(tf.nest.flatten(y_pred), y, weights):
            return self.compute_loss([None] * len(self.model._training_endpoints))

    def _evaluated(self, data, training):
        """The loss and the results of the metrics."""
        x, y, weights = (*data, None, None)[:3]
        model = self.model
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._calling())
            outputs = tf.nest.flatten(self.forward(x, training))
            masks = [getattr(output, "_keras_mask", None) for output in outputs]
            endpoints = stack.enter_context(self._with_endpoints(outputs, y, weights))
            loss = self.compute_loss(masks)
            model._handle_metrics(
                outputs,
                targets=[endpoint.training_target.target for endpoint in endpoints],
                skip_target_masks=[endpoint.should_skip_target() for endpoint in endpoints],
                sample_weights=[endpoint.sample_weight for endpoint in endpoints],
                masks=masks,
                return_weighted_and_unweighted_metrics=True,
            )
        return loss, metric_results(model)

    @contextlib.contextmanager
    def _with_endpoints(self, outputs, y, weights):
        """Inside of the block, the model's training endpoints hold these tensors."""
        model = self.model
        endpoints = _endpoints(model, outputs, _padded(y, outputs), _padded(weights, outputs))
        with contextlib.ExitStack() as stack:
            stack.enter_context(_exchanged(model, "_training_endpoints", endpoints))
            # Unless `compile` was told, the engine asks whether functions run eagerly, which they do in a trace.
            stack.enter_context(_exchanged(model, "_run_eagerly", False))
            stack.enter_context(patched(model, "get_losses_for", _losses_of_call))
            yield endpoints

    def _note_untracked(self, results, training):
        graph = tf.compat.v1.get_default_graph()
        needed = {op for tensor in tf.nest.flatten(results) for op in ancestors(tensor.op)}
        for update in layer_updates_of(self.model, only_stateful=not training):
            needed.update(ancestors(update))
        self.untracked = [op.name for op in graph.get_operations() if op not in needed and is_write(op.node_def)]


def _endpoints(model, outputs, targets, weights):
    """The model's training endpoints (output, target, loss, weights) with other tensors in them."""
    found = []
    for endpoint, output, target, weight in zip(model._training_endpoints, outputs, targets, weights):
        endpoint = copy.copy(endpoint)
        endpoint._output = output
        endpoint.training_target = copy.copy(endpoint.training_target)
        endpoint.training_target._target = _as_the_engine_casts(target, output)
        endpoint.sample_weight = weight
        found.append(endpoint)
    return found


def _as_the_engine_casts(target, output):
    if target is not None and target.dtype.is_floating and target.dtype != output.dtype:
        return tf.cast(target, output.dtype)
    return target


def _losses_of_call(wrapped, model, args, kwargs):
    """In the place of `model.get_losses_for`: while a trace is made, the model holds this call's losses alone."""
    return [] if args[0] is not None else list(wrapped.__self__.losses)


def _padded(values, outputs):
    values = [] if values is None else tf.nest.flatten(values)
    return values + [None] * (len(outputs) - len(values))


@contextlib.contextmanager
def _exchanged(model, name, value):
    before = vars(model)[name]
    object.__setattr__(model, name, value)
    try:
        yield
    finally:
        object.__setattr__(model, name, before)


@contextlib.contextmanager
def _compiled_trainable_state(model):
    """Layers are frozen or not as they were when the model was compiled, as in the engine's own train function."""
    if not hasattr(model, "_compiled_trainable_state"):  # TF 1.14 keeps the list of weights alone
        yield
        return
    before = model._get_trainable_state()
    model._set_trainable_state(model._compiled_trainable_state)
    try:
        yield
    finally:
        model._set_trainable_state(before)
