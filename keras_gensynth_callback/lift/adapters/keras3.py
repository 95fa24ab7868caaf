"""Keras 3 on the TensorFlow backend."""

import contextlib
import sys

import tensorflow as tf

from keras_gensynth_callback.compat import patched

from ..tf1_forms import (
    bias_of_one_value,
    fused_batch_normalization,
    masks_of_ones,
    steps_as_rows,
    training_ops,
    zeros_without_a_step,
)
from ..tracing import noted_layer_calls, without_cudnn
from .base import Adapter, input_relaxed, relaxed, restored_lists
from .initializers import initializers_of
from .outer_model import is_built, left_unbuilt
from .variable import Variable, slot_name


class Keras3(Adapter):
    """Models whose class has `stateless_call`."""

    converts_calls = False

    @property
    def keras(self):
        """The Keras that the model is of; it is imported, since the model exists."""
        return sys.modules["keras"]

    def version(self):
        return f"keras {self.keras.__version__}"

    def _all_variables(self):
        model, names = self.model, self._names()
        weights = {id(variable) for variable in model.weights}
        initializers = initializers_of(model._flatten_layers())
        trainable = {id(variable) for variable in model.trainable_variables}
        metric_variables = {id(variable) for metric in model.metrics for variable in metric.variables}
        for variable in model.variables:
            if id(variable) not in metric_variables:
                name = names.get(id(variable), variable.path).split(":")[0]  # from a SavedModel with `:0`
                kind = "weight" if id(variable) in weights else "state"
                initializer = initializers.get(id(variable))
                yield Variable(name, variable.value, kind, id(variable) in trainable, initializer)
        for metric in model.metrics:
            for variable in metric.variables:
                yield Variable("metrics/" + variable.path, variable.value, "metric")
        for optimizer in self.optimizers():
            yield from self._optimizer_variables(optimizer, names)

    def _optimizer_variables(self, optimizer, names):
        references = {v.path.replace("/", "_"): names.get(id(v), v.path) for v in self.model.trainable_variables}
        for variable in optimizer.variables:
            yield Variable(slot_name(variable.path, type(optimizer).__name__, references), variable.value, "optimizer")

    def _names(self):
        """dict, id of a variable -> its path from its layer on, as in TF 1.15: what was built inside a Sequential or
        functional model has that model's name in front of it in Keras 3, even in another model.
        """
        if self.is_subclassed():
            return {}
        names = {}
        for layer in self.model.layers:
            for variable in layer.variables:
                parts = variable.path.split("/")
                names[id(variable)] = (
                    "/".join(parts[parts.index(layer.name) :]) if layer.name in parts else variable.path
                )
        return names

    @property
    def optimizer(self):
        return getattr(self.model, "optimizer", None)

    def trainable_values(self):
        return [variable.value for variable in self.model.trainable_variables]

    def iterations(self):
        return [self._counter(optimizer).value for optimizer in self.optimizers()]

    def _counter(self, optimizer):
        counter = optimizer.iterations
        if not hasattr(counter, "value"):
            # With gradient accumulation it is a tensor, how often the weights were updated; the counter counts batches.
            counter = next(v for v in optimizer.variables if v.path.endswith("/iteration"))
        return counter

    def is_built(self):
        return is_built(self)

    def input_spec(self):
        model = self.model
        if not self.is_subclassed():
            inputs = self._inputs()
            if not inputs:
                return None
            structure = getattr(model, "_inputs_struct", None)
            structure = inputs[0] if structure is None and len(inputs) == 1 else structure
            structure = inputs if structure is None else structure
            return tf.nest.map_structure(input_relaxed, structure)
        shapes = [shape for key, shape in (model.get_build_config() or {}).items() if key.endswith("shape")]
        return shapes and self._spec_of_shape(shapes[0]) or None

    def output_spec(self):
        outputs = getattr(self.model, "outputs", None) if not self.is_subclassed() and self.is_built() else None
        structure = getattr(self.model, "_outputs_struct", None)
        if not outputs or any(getattr(value, kind, False) for value in outputs for kind in ("sparse", "ragged")):
            return None
        structure = outputs[0] if structure is None and len(outputs) == 1 else structure
        if structure is None:
            return None
        return tf.nest.map_structure(lambda value: relaxed(value.shape, value.dtype), structure)

    def _spec_of_shape(self, shape):
        if isinstance(shape, dict):
            return {key: self._spec_of_shape(value) for key, value in shape.items()}
        if shape and isinstance(shape[0], (list, tuple)):
            return [self._spec_of_shape(value) for value in shape]
        dtype = getattr(self.model, "input_dtype", None) or self.model.compute_dtype
        return relaxed(shape, dtype)

    def _inputs(self):
        try:
            return getattr(self.model, "inputs", None)
        except ValueError:  # how Keras 3.0 says that a Sequential model has none yet
            return None

    def input_names(self):
        inputs = None if self.is_subclassed() else self._inputs()
        return [tensor.name for tensor in inputs] if inputs else None

    def output_names(self):
        if self.is_subclassed():
            return None
        names = getattr(self.model, "output_names", None)
        return list(names) if names else [self.model.layers[-1].name]

    def build_for_training(self):
        if self.optimizers() == [self.optimizer] and not self.optimizer.built:
            self.optimizer.build(self.model.trainable_variables)

    def build_metrics(self, spec):
        # What `fit` calls (keras/src/backend/tensorflow/trainer.py, `_maybe_symbolic_build`).
        self.model._symbolic_build(data_batch=spec.parts)

    @contextlib.contextmanager
    def tracing(self, scopes):
        def entered(wrapped, instance, args, kwargs):
            result = wrapped(*args, **kwargs)
            scope = tf.compat.v1.get_default_graph().get_name_scope()
            if scope and getattr(instance, "caller", None) is not None:
                scopes.setdefault(scope, instance.name)
            return result

        layers = self.model._flatten_layers()
        with contextlib.ExitStack() as stack:
            stack.enter_context(restored_lists(layers, ("_losses", "_loss_ids")))
            stack.enter_context(without_cudnn(layers))
            # Not `keras.name_scope`, which is a class derived from it in Keras 3.0.
            stack.enter_context(patched(sys.modules["keras.src.backend"].name_scope, "__enter__", entered))
            stack.enter_context(patched(self.keras.layers.BatchNormalization, "call", fused_batch_normalization))
            stack.enter_context(patched(sys.modules["keras.src.backend"], "rnn", zeros_without_a_step))
            stack.enter_context(patched(self.keras.layers.TimeDistributed, "call", steps_as_rows))
            if self.both_phases:
                stack.enter_context(patched(self.keras.layers.RNN, "call", masks_of_ones))
            stack.enter_context(patched(sys.modules["keras.src.backend"].numpy, "add", bias_of_one_value))
            stack.enter_context(left_unbuilt(self))
            stack.enter_context(noted_layer_calls(self.keras.layers.Layer))
            stack.enter_context(training_ops(self.keras.optimizers, self.optimizers()))
            yield
