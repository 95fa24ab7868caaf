"""tf.keras in graph mode: TF 1.15, and TF 2 with eager execution off."""

import collections
import contextlib
import re
from dataclasses import replace

import tensorflow as tf

from keras_gensynth_callback.compat import broadcasts_unasserted, initialisers_left_out, patched

from .base import relaxed, reset
from .session_graph import LiveGraph
from .tf_keras import TfKeras, _base_name
from .v1_engine import inner_optimizer, live_graph, metrics_of, slots_of
from .v1_steps import V1Steps
from .v1_variables import OwnVariables
from .variable import LastValue, Variable


class TfKerasV1(TfKeras):
    """Models of Keras's graph-mode engine, which live in the graph of a session."""

    live: LiveGraph

    def __init__(self, model):
        super().__init__(model)
        backend = self._backend()
        self.steps = V1Steps(model, backend, self._calling)
        self.live = LiveGraph(live_graph(model), backend.get_session)
        self._own_variables = None

    def metrics(self):
        return metrics_of(self.model)

    def read(self, values):
        there = [value for value in values if not isinstance(value, LastValue)]
        read = iter(self.live.read([getattr(value, "_tensor", value) for value in there]))
        return [value.read_value() if isinstance(value, LastValue) else next(read) for value in values]

    def write(self, values):
        self.live.write(values)

    @property
    def is_compiled(self):
        # A model whose inputs are not known yet has no endpoints: what `compile` was given waits for `fit`.
        return self.optimizer is not None and hasattr(self.model, "_training_endpoints")

    def is_built(self):
        return bool(self.model.built and self.model.inputs) and all(layer.built for layer in self.layers())

    def input_spec(self):
        inputs = [relaxed(tensor.shape, tensor.dtype) for tensor in self.model.inputs or []]
        return inputs[0] if len(inputs) == 1 else inputs or None

    def is_subclassed(self):
        return not getattr(self.model, "_is_graph_network", False)  # TF 1.15 has no class of its own for the others

    def input_names(self):
        return list(self.model.input_names)

    def output_names(self):
        return list(self.model.output_names)

    def build_for_training(self):
        """Nothing: the optimizer makes its slots in the session's graph when its updates are first built."""

    def _all_variables(self):
        """Under names that do not depend on what else is in the session's graph, where each has another."""
        variables, roots = list(super()._all_variables()), self._roots()
        plain = collections.Counter(_without_number(variable.name) for variable in variables)

        def name_of(variable):
            if variable.kind == "weight":
                return _without_number_of_graph(variable.name, roots)
            is_alone = variable.kind == "metric" and plain[_without_number(variable.name)] == 1
            return _without_number(variable.name) if is_alone else variable.name

        own = self._own()
        listed = [(variable, "metric") for variable in own.of_metrics] + [(v, "other") for v in own.others]
        named = [replace(variable, name=name_of(variable)) for variable in variables]
        return named + [Variable(_base_name(variable), variable, kind) for variable, kind in listed]

    def _own(self):
        """The OwnVariables, of what the session's graph holds: not those of a trace."""
        if self._own_variables is None:
            self._own_variables = OwnVariables(self.model)
        return self._own_variables

    @contextlib.contextmanager
    def _calling(self):
        """Around the user's Python in a trace: it finds its variables again, and the session of Keras."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._own().found_again())
            stack.enter_context(patched(self._backend(), "_get_session", self._outside))
            stack.enter_context(initialisers_left_out())
            yield

    def _outside(self, wrapped, instance, args, kwargs):
        with self.live.graph.as_default():
            return wrapped(*args, **kwargs)

    def _roots(self):
        return {layer.name for layer in self.layers()}

    def optimizers(self):
        return [] if self.optimizer is None else [self.optimizer]

    def _optimizer_variables(self, optimizer):
        name, roots = type(optimizer).__name__, self._roots()
        is_of_tf_train = inner_optimizer(optimizer) is not None
        scope = rf"^(training[^/]*/)?({re.escape(getattr(optimizer, '_name', name))}(_\d+)?/)?"
        # The property makes the counter.
        counter = None if vars(optimizer).get("_iterations", True) is None else optimizer.iterations
        slots = [(None, slot) for slot in slots_of(optimizer) if slot is not counter]
        held = [(None if is_of_tf_train else "iter", counter), *slots]
        for own_name, variable in [*held, *getattr(optimizer, "_hyper", {}).items()]:
            if isinstance(variable, tf.Variable):
                rest = own_name or _without_number_of_graph(re.sub(scope, "", _base_name(variable)), roots)
                yield Variable(f"training/{name}/{rest}", variable, "optimizer")

    @contextlib.contextmanager
    def tracing(self, scopes):
        self._own()
        metrics = metrics_of(self.model)
        owners = [*self.layers(), *metrics]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.live.graph.as_default())
            stack.enter_context(super().tracing(scopes))
            stack.enter_context(broadcasts_unasserted())
            stack.enter_context(_exchanged_lists(owners))
            stack.enter_context(_restored_results(metrics))
            stack.enter_context(_exchanged_tensors(self.layers()))
            yield

    def loss_scope(self):
        return contextlib.nullcontext()  # the engine's own is of this name

    def forward_in_training(self, inputs):
        with self._calling():
            return self.steps.forward(inputs, training=True)

    def loss_of(self, x, y, y_pred, sample_weight):
        with self._calling():
            return self.steps.loss_of(y, y_pred, sample_weight)

    def forget_losses(self):
        """Nothing: while a trace is made, layers hold no losses but its own."""

    def initial_values(self):
        own = self._own().of_metrics
        return {id(v): a for v, a in zip(own, self.live.read([v.initializer.inputs[1] for v in own]))}

    def reset_metrics(self):
        """Sets the metrics back, by ops in the graph that is being built."""
        with patched(self._backend(), "batch_set_value", _assign_all):
            for metric in metrics_of(self.model):
                reset(metric)


def _without_number_of_graph(name, roots):
    """`hidden/kernel` of `hidden_1/kernel` where the layer is `hidden`: another one of this name is in the graph."""
    root, _, rest = name.partition("/")
    plain = _without_number(root)
    return f"{plain}/{rest}" if rest and root not in roots and plain in roots else name


def _without_number(name):
    return re.sub(r"_\d+$", "", name)


def _assign_all(wrapped, instance, args, kwargs):
    for variable, value in args[0]:
        variable.assign(tf.cast(value, variable.dtype))


@contextlib.contextmanager
def _exchanged_lists(owners):
    """Inside of the block, layers and metrics hold no losses and updates but those of their calls there."""
    kept = []
    for owner in owners:
        for name in ("_losses", "_updates", "_metrics"):
            if isinstance(vars(owner).get(name), list):
                kept.append((owner, name, vars(owner)[name]))
                object.__setattr__(owner, name, list(vars(owner)[name]) if name == "_metrics" else [])
    try:
        yield
    finally:
        for owner, name, before in kept:
            # Keras puts a list that it keeps checkpoints of into a wrapper; that is to be tracked again.
            put = object.__setattr__ if type(before) is list else setattr
            put(owner, name, before)


@contextlib.contextmanager
def _exchanged_tensors(layers):
    """Inside of the block, models and layers of TF 1.14 keep no results of metrics but those of a trace."""
    names = ("_compile_metrics_tensors", "_metrics_tensors")
    kept = [(layer, name, vars(layer)[name]) for layer in layers for name in names if name in vars(layer)]
    for layer, name, _ in kept:
        object.__setattr__(layer, name, {})
    try:
        yield
    finally:
        for layer, name, before in kept:
            object.__setattr__(layer, name, before)


@contextlib.contextmanager
def _restored_results(metrics):
    """The engine fetches what each metric's last call returned."""
    kept = [(metric, metric._call_result) for metric in metrics if hasattr(metric, "_call_result")]
    for metric, _ in kept:
        object.__delattr__(metric, "_call_result")
    try:
        yield
    finally:
        for metric in metrics:
            vars(metric).pop("_call_result", None)
        for metric, result in kept:
            object.__setattr__(metric, "_call_result", result)
