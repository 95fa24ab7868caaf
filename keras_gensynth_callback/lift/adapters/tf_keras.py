"""tf_keras, and tf.keras of TF 2.x, which it was."""

import contextlib
import sys

import tensorflow as tf

from keras_gensynth_callback.compat import patched, strategy_of
from keras_gensynth_callback.kerases import KERASES

from ..tf1_forms import masks_apart, training_ops, zeros_without_a_step
from ..tracing import noted_layer_calls, standard_loops
from .base import Adapter, input_relaxed, relaxed, restored_lists
from .initializers import initializers_of
from .outer_model import is_built, left_unbuilt
from .variable import Variable, slot_name


class TfKeras(Adapter):
    """Models of tf_keras (Keras 2) in eager mode."""

    @property
    def keras(self):
        """The Keras that the model is of; it is imported, since the model exists."""
        for base in type(self.model).__mro__:
            package = base.__module__.split(".")[0]
            if package in KERASES:
                return sys.modules[package]
        return tf.keras

    def version(self):
        name = "tf_keras" if self.keras.__name__ == "tf_keras" else "tf.keras"
        return f"{name} {self.keras.__version__}"

    def _all_variables(self):
        model = self.model
        metric_variables = {id(variable) for metric in self.metrics() for variable in metric.variables}
        trainable = {id(variable) for variable in model.trainable_variables}
        initializers = initializers_of(self.layers())
        for variable in model.variables:
            # A text layer that was adapted lists its vocabulary, too, which is no variable.
            if id(variable) not in metric_variables and isinstance(variable, tf.Variable):
                initializer = initializers.get(id(variable))
                yield Variable(_base_name(variable), variable, "weight", id(variable) in trainable, initializer)
        for metric in self.metrics():
            for variable in metric.variables:
                yield Variable(f"metrics/{metric.name}/{_base_name(variable).split('/')[-1]}", variable, "metric")
        for optimizer in self.optimizers():
            yield from self._optimizer_variables(optimizer)

    def _optimizer_variables(self, optimizer):
        name = type(optimizer).__name__
        references = {_base_name(variable): _base_name(variable) for variable in self.model.trainable_variables}
        variables = optimizer.variables() if callable(optimizer.variables) else optimizer.variables
        # A legacy one that wraps another one lists that one's among its `weights` alone.
        distinct = {id(held): held for held in (*variables, *getattr(optimizer, "weights", ()))}
        # Optimizers up to TensorFlow 2.10, `legacy` ones since, hold what they are set to as variables of their own.
        settings = getattr(optimizer, "_hyper", {}).values()
        for variable in [*distinct.values(), *(value for value in settings if isinstance(value, tf.Variable))]:
            yield Variable(slot_name(_base_name(variable), name, references), variable, "optimizer")
        # These two an optimizer holds beside its `variables`.
        for attribute in ("_learning_rate", "_u_product"):
            value = getattr(optimizer, attribute, None)
            if isinstance(value, tf.Variable):
                yield Variable(f"training/{name}/{attribute[1:]}", value, "optimizer")

    def metrics(self):
        """All metrics of the model."""
        return self.model.metrics

    @property
    def optimizer(self):
        return getattr(self.model, "optimizer", None)

    def trainable_values(self):
        return list(self.model.trainable_variables)

    def iterations(self):
        return [optimizer.iterations for optimizer in self.optimizers()]

    def is_built(self):
        return is_built(self)

    def input_spec(self):
        if hasattr(self.model, "save_spec"):
            args, _ = self.model.save_spec(dynamic_batch=True) or ((), {})
            inputs = args[0] if args else None
        else:  # before TensorFlow 2.5
            inputs = self.model._saved_model_inputs_spec
        return inputs and tf.nest.map_structure(input_relaxed, inputs)

    def output_spec(self):
        outputs = getattr(self.model, "_nested_outputs", None) if not self.is_subclassed() and self.is_built() else None
        given = [getattr(value, "type_spec", None) for value in tf.nest.flatten(outputs)]
        specs = [relaxed(spec.shape, spec.dtype) for spec in given if isinstance(spec, tf.TensorSpec)]
        return tf.nest.pack_sequence_as(outputs, specs) if specs and len(specs) == len(given) else None

    def input_names(self):
        return None if self.is_subclassed() else list(getattr(self.model, "input_names", None) or []) or None

    def output_names(self):
        return None if self.is_subclassed() else list(getattr(self.model, "output_names", None) or []) or None

    def build_for_training(self):
        optimizer = self.optimizer
        if self.optimizers() != [optimizer] or getattr(optimizer, "_built", False):
            return
        # The legacy ones have no public `build`.
        build = getattr(optimizer, "build", None) or getattr(optimizer, "_create_all_weights", None)
        if build is not None:
            # The scope under which `apply_gradients` builds, for the same names.
            with tf.init_scope(), tf.name_scope(_name_of(optimizer)):
                build(self.model.trainable_variables)

    def loss_of(self, x, y, y_pred, sample_weight):
        if hasattr(self.model, "compute_loss"):
            return super().loss_of(x, y, y_pred, sample_weight)
        # Before TensorFlow 2.8.
        return self.model.compiled_loss(y, y_pred, sample_weight, regularization_losses=self.model.losses)

    def build_metrics(self, spec):
        strategy = strategy_of(self.model)
        step = tf.function(lambda *tensors: strategy.run(self.model.test_step, (spec.pack(tensors),)), autograph=False)
        step.get_concrete_function(*spec.specs())

    @contextlib.contextmanager
    def seeds_kept(self):
        layers = list(self.layers())
        generator = getattr(getattr(self._backend(), "_SEED_GENERATOR", None), "generator", None)
        drawn = generator.getstate() if generator is not None else None
        seeds = [(drawer, drawer._seed) for drawer in _random_generators(layers)]
        try:
            with self._nadam_counter():
                yield
        finally:
            for drawer, seed in seeds:
                drawer._seed = seed
            if generator is not None:
                generator.setstate(drawn)

    def _dropout_masks(self):
        """The methods that give the cells of RNNs their masks, and the class that has them, which is not public."""
        methods = ("get_dropout_mask_for_cell", "get_recurrent_dropout_mask_for_cell")
        bases = self.keras.layers.LSTMCell.__mro__
        return [(base, method) for base in bases for method in methods if self.both_phases and method in vars(base)]

    @contextlib.contextmanager
    def tracing(self, scopes):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.seeds_kept())
            stack.enter_context(patched(self._backend(), "zeros", _plain_zeros))
            stack.enter_context(patched(self._backend(), "rnn", zeros_without_a_step))
            stack.enter_context(restored_lists(list(self.layers()), ("_losses", "_eager_losses")))
            stack.enter_context(left_unbuilt(self))
            stack.enter_context(noted_layer_calls(self.keras.layers.Layer))
            stack.enter_context(standard_loops(self.keras))
            stack.enter_context(training_ops(self.keras.optimizers, self.optimizers()))
            for owner, method in self._dropout_masks():
                stack.enter_context(patched(owner, method, masks_apart))
            yield

    @contextlib.contextmanager
    def _nadam_counter(self):
        """Nadam counts in Python how often it was traced, and the graph holds the count: what trains was traced from 1
        on (tf_keras/src/optimizers/nadam.py).
        """
        counted = getattr(self.optimizer, "_u_product_counter", None)
        if counted is None:
            yield
            return
        self.optimizer._u_product_counter = 1
        try:
            yield
        finally:
            self.optimizer._u_product_counter = counted

    def _backend(self):
        """The module `backend` with its private names: each release of Keras 2 has it in another place."""
        modules = [base.__module__ for base in type(self.model).__mro__]
        return sys.modules[next(name for name in modules if ".engine." in name).rsplit(".engine.", 1)[0] + ".backend"]


def _plain_zeros(wrapped, instance, args, kwargs):
    """`backend.zeros` makes a variable, which a trace may not (the constraint `RadialConstraint` calls it)."""
    return wrapped(*args, **kwargs) if tf.executing_eagerly() else _zeros(*args, **kwargs)


def _zeros(shape, dtype=None, name=None):
    return tf.zeros(shape, dtype or "float32", name)


def _random_generators(layers):
    """What layers draw from; with a `seed`, each trace moves it on (tf_keras/src/backend.py, `make_legacy_seed`)."""
    return [value for layer in layers for value in vars(layer).values() if hasattr(value, "make_legacy_seed")]


def _base_name(variable):
    return variable.name.split(":")[0]


def _name_of(optimizer):
    return getattr(optimizer, "name", None) or getattr(optimizer, "_name", type(optimizer).__name__)
