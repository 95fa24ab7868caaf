"""The way from a Keras model to a `Lifted` graph: trace each step, lay the phases over each other, take gradients,
name things.
"""

import tensorflow as tf

from ..distribution import strategy_of
from ..errors import UnsupportedModelError
from ..graphdef import moved, node_of, tensor_name, unique
from . import spec as specs
from . import steps
from .adapter import Variable, adapter_of
from .converters import spell_out_erfc
from .custom_gradients import refuse_changed_gradients
from .fitted_data import spec_of_last_fit
from .gradients import fill_gradients
from .inner_gradients import transpose_kernels_of_gradients
from .last_values import keep_last_value
from .lifted import Lifted
from .losses import split_losses
from .metrics import value_without_update
from .naming import LEARNING_PHASE, rename_contexts, tf1_names, tf1_scopes
from .normalize import normalize
from .one_replica import scope_of
from .optional_weights import with_optional_weights
from .outer_model import predicts
from .phases import lay_over
from .random_draws import draw_anew
from .resets import reset_values
from .rnn_loops import last_output_without_array, one_counter_a_loop
from .simplify import drop_unused_inputs, fold_constants, merge_equal_nodes
from .structure import check_structure
from .union import unite
from .weights import default_weights
from .wide_variables import keep_in_wider_types
from .writes import is_write, outlet, stands_in_loop, step_nodes, writes_of, written_variable


def lift(model, data_spec=None, graph="trainable", include_optimizer=True, input_signature=None):
    """Lifts a Keras model into a v1 graph.

    Args:
        model: a Keras model on TensorFlow.
        data_spec: nest of tf.TensorSpec as the iterator of `fit` gives it, or None.
        graph: "trainable", or "inference": predictions alone.
        include_optimizer: bool, whether the train step and the optimizer's variables come along.
        input_signature: nest of tf.TensorSpec for the inputs, or None.

    Returns:
        A Lifted.

    Raises:
        NotBuiltError: the shapes of the inputs are not known.
        UnsupportedModelError: the model holds what no TensorFlow 1.x graph can hold.
    """
    adapter = adapter_of(model)
    if data_spec is None and input_signature is None and graph == "trainable" and adapter.is_compiled:
        data_spec = _of_last_fit(adapter)
    return _Lifting(adapter, data_spec, graph == "trainable", include_optimizer, input_signature).run()


def _of_last_fit(adapter):
    """The spec of what the model was trained on; of its inputs, what the model itself knows, which may be more."""
    spec, own = spec_of_last_fit(adapter.model), adapter.input_spec()
    if isinstance(spec, tuple) and own is not None and not adapter.overrides("train_step"):
        return (own, *spec[1:])
    return spec


class _Lifting:
    def __init__(self, adapter, data_spec, trainable, include_optimizer, input_signature):
        self.adapter, self.data_spec, self.trainable = adapter, data_spec, trainable
        self.include_optimizer, self.input_signature = include_optimizer, input_signature
        self.scopes, self.notes, self.alive, self.reset = {}, [], {}, {}
        self.forward, self.metric_values, self.alone = None, {}, []
        self.changed, self.differentiated = [], []  # names of variables
        adapter.both_phases = trainable

    def run(self):
        self._trace()
        self.variables = self.adapter.variables()
        self._normalize()
        self._unite_inference()
        if self.trainable:
            self._lay_over_training()
            default_weights(self.graph, self.spec, self.placeholders)
        self._simplify()
        self._rename()
        keep_in_wider_types(self.graph, self.variables)
        lifted = self._lifted()
        check_structure(lifted, self.changed, self.differentiated)
        return lifted

    # -- tracing

    def _trace(self):
        adapter = self.adapter
        inputs = specs.inputs_spec(adapter, self.data_spec, self.input_signature)
        self.serving, self.predict = self._trace_predict(inputs)
        self.output_names = specs.output_names(adapter, self.predict.output_specs) if self.predict else []
        self.spec, self.test, self.train, self.is_compiled = inputs, None, None, False
        if not self.trainable:
            return
        if not adapter.is_compiled or not adapter.has_own_loss():
            self.train = steps.forward_in_training(adapter, inputs, self.scopes)
        if adapter.is_compiled and (self.train is None or self.train.adds_losses):
            self.is_compiled = True
            self._trace_compiled(inputs)
        refuse_changed_gradients(self.train.trace.graph.graph_def(), self.train.custom_gradients, adapter.layer_of)

    def _trace_predict(self, inputs):
        """The inputs of `predict_step` and its trace. A model may be trained on something else than it is called on, or
        have nothing to call: a GAN. Then there is no trace.
        """
        adapter = self.adapter
        has_own_step = self.trainable and adapter.is_compiled and adapter.overrides("train_step")
        if has_own_step and not predicts(adapter):
            self.notes.append("no `serving_default` signature: the model has no `call`")
            return specs.DataSpec((), ()), None
        try:
            return inputs, steps.predict_step(adapter, inputs, self.scopes)
        except UnsupportedModelError as error:
            own = adapter.input_spec()
            if not has_own_step or self.data_spec is None:
                raise
            if own is None:  # it was never called, by nobody
                self.notes.append(f"no `serving_default` signature: {str(error).splitlines()[0]}")
                return specs.DataSpec((), ()), None
        serving = specs.inputs_spec(adapter)
        inputs.input_names = [f"{name}_train" for name in inputs.input_names]
        return serving, steps.predict_step(adapter, serving, self.scopes)

    def _trace_compiled(self, inputs):
        adapter = self.adapter
        with scope_of(adapter.model):
            adapter.build_for_training()
        output_specs = self.predict.output_specs if self.predict else ()
        self.spec = specs.step_spec(adapter, inputs, output_specs, self.output_names, self.data_spec)
        if strategy_of(adapter.model) is not None:
            self._build_metrics()
        self.spec = with_optional_weights(adapter, self.spec, output_specs, self.output_names)
        self.train = steps.train_step(adapter, self.spec, self.scopes)
        if self.train.outputs is None and self.predict is not None and self.serving is inputs:
            self.forward = self._trace_forward(inputs)
        try:
            self.test = steps.test_step(adapter, self.spec, self.scopes)
        except Exception as error:
            # A model that overrides train_step alone often has no test step that runs; Keras's own evaluate fails on
            # it, too.
            if not adapter.overrides("train_step"):
                raise
            self.notes.append(
                f"no `eval` signature: test_step fails with {type(error).__name__}: {str(error).splitlines()[0]}"
            )
        self.reset = reset_values(adapter)

    def _trace_forward(self, inputs):
        """A call of the model in training, where its train step has none."""
        try:
            return steps.forward_in_training(self.adapter, inputs, self.scopes)
        except UnsupportedModelError as error:
            self.notes.append(f"predictions are those of inference in both phases: {error}")
            return None

    def _build_metrics(self):
        """Traces make the variables of metrics where they are not there, but on one device alone."""
        adapter = self.adapter
        try:
            with scope_of(adapter.model):
                adapter.build_metrics(self.spec)
        except Exception:
            # Where there is no test step that runs, its trace says why.
            if not adapter.overrides("train_step"):
                raise

    # -- one naming for placeholders and variables in all traces

    def _normalize(self):
        names = {id(variable.value): variable.name for variable in self.variables}
        taken = {name.lower() for name in names.values()}
        graph_names = {}
        for name in self.serving.names() + self.spec.names():
            if name not in graph_names:
                graph_names[name] = unique(name, taken)
        self.placeholders = [graph_names[name] for name in self.spec.names()]
        self.serving_placeholders = [graph_names[name] for name in self.serving.names()]
        self.others, self.tables = {}, {}
        for step in (self.predict, self.test, self.train, self.forward):
            if step is not None:
                fed = self.serving_placeholders if step is self.predict else self.placeholders
                normalize(step, fed[: len(step.trace.inputs)], names, self.others, self.tables, taken)
                draw_anew(step.trace.graph, _roots(step))
        self.variables += [Variable(name, value, "other") for name, value in self.others.items()]

    # -- one graph

    def _unite_inference(self):
        """`predict_step` and `test_step` in one graph: `self.graph`."""
        first = self.predict
        if first is None:
            first = steps.nothing()
        self._shrink(first, tf.nest.flatten(first.outputs), writes=False)
        if self.test is None:
            self.graph, self.outputs = first.trace.graph, tf.nest.flatten(first.outputs)
            self.loss, self.metrics = None, {}
            return
        second = self.test
        self._shrink(second, [*second.logs.values(), *filter(None, [second.loss])])
        names = unite(first.trace.graph, second.trace.graph)
        self.graph = second.trace.graph
        self.outputs = [moved(tensor, names) for tensor in tf.nest.flatten(first.outputs)]
        self.loss, self.metrics = second.loss, second.logs
        before = set(self.graph.nodes)
        self.metric_values = {name: value_without_update(self.graph, tensor) for name, tensor in self.metrics.items()}
        self.alone = [name for name in self.graph.nodes if name not in before]

    def _shrink(self, step, results, writes=True):
        """Drops from a trace what neither these results nor its writes need, and what it computes twice."""
        graph, roots = step.trace.graph, _roots(step, results)
        if writes:
            roots += step.trace.stateful_writes()
        graph.keep(roots)
        fold_constants(graph, pinned=roots)
        one_counter_a_loop(graph)
        last_output_without_array(graph)
        graph.keep(roots)
        merge_equal_nodes(graph, pinned=roots)

    def _lay_over_training(self):
        train = self.train
        self._fill_forward_gradients()
        graph, calls = train.trace.graph, train.trace.gradient_calls
        self._shrink(train, train.results())
        self._unite_predictions()
        weights = {variable.name for variable in self.variables if variable.trainable}
        slots = {variable.name for variable in self.variables if variable.kind == "optimizer"}
        own = step_nodes(
            graph,
            [name for call in calls for name in call.placeholders()],
            weights,
            slots,
            writes_of(graph, train.trace.built_gradients, self._metric_variables()),
        )
        all_writes = train.trace.stateful_writes()
        # A metric that the train step has nothing to do with, or only after its gradients, counts what it sees in both
        # phases. A weight does not: the layer that changes it does so in training alone, whatever the optimizer does.
        forward = {written_variable(graph, graph.nodes[name]) for name in all_writes if name not in own}
        own_writes = {written_variable(graph, graph.nodes[name]) for name in own if is_write(graph.nodes[name])}
        unconditional = {name for name in self._metric_variables() if name in own_writes or name not in forward}
        logs = train.logs if self.test is None else {}
        targets = [name for call in calls for name in [*call.targets, *filter(None, call.output_gradients or [])]]
        self._note_variables(graph, calls, all_writes)
        laid = lay_over(
            self.graph,
            graph,
            tensor_name(LEARNING_PHASE),
            self._results_in_both_phases(),
            step_only=own,
            unconditional=unconditional,
            alone=self.alone,
            targets=[node_of(name) for name in [*targets, *logs.values()]],
        )
        self.graph, renamed, self.alive = laid.graph, laid.renamed, laid.alive
        self._take_results(laid.results)
        self._add_learning_phase()
        self.step_only = {moved(name, renamed) for name in own}
        self.step_writes = [moved(name, renamed) for name in all_writes]
        for call in calls:
            call.rename(lambda tensor: moved(tensor, renamed))
        if self.loss is None and calls and calls[0].is_of_a_scalar:
            self.loss = tensor_name(calls[0].targets[0])
        for name, tensor in logs.items():
            tensor = moved(tensor, renamed)
            if not self.step_only & self.graph.ancestors([node_of(tensor)]):
                self.metrics[name] = tensor
        self.has_step = self.is_compiled and self.include_optimizer and bool(own)
        if self.has_step:
            before = set(self.graph.nodes)
            self.graph = fill_gradients(self.graph, calls, f"training/{self._optimizer_name()}")
            self.step_only |= set(self.graph.nodes) - before

    def _unite_predictions(self):
        """Adds to the train step what the model predicts in training, where the step itself never calls it."""
        forward = self.forward
        if forward is None:
            return
        graph = forward.trace.graph
        graph.drop(forward.trace.stateful_writes())
        self._shrink(forward, forward.results(), writes=False)
        names = unite(graph, self.train.trace.graph)
        self.train.outputs = tf.nest.map_structure(lambda tensor: moved(tensor, names), forward.outputs)

    def _results_in_both_phases(self):
        """Pairs of tensors: outputs, metrics and loss in inference, and each in training or None."""
        train, outputs = self.train, [None] * len(self.outputs)
        if train.outputs is not None and self.predict is not None and self.predict.returns_outputs:
            found = tf.nest.flatten(train.outputs)
            outputs = found if len(found) == len(outputs) else outputs
        pairs = list(zip(self.outputs, outputs))
        pairs += [(tensor, self._log_in_training(name)) for name, tensor in self.metrics.items()]
        return pairs + ([(self.loss, train.loss if train.losses == 1 else None)] if self.loss else [])

    def _log_in_training(self, metric):
        """What the train step gives under the name of a metric, where it is the value of that metric."""
        value, log = self.metric_values[metric], self.train.logs.get(metric)
        if value is None or log is None:
            return None
        graph, variables = self.train.trace.graph, _variables_behind(self.graph, value)
        written = {written_variable(graph, graph.nodes[name]) for name in self.train.trace.stateful_writes()}
        return log if variables == _variables_behind(graph, log) and variables <= written else None

    def _take_results(self, results):
        count = len(self.outputs)
        self.outputs, results = results[:count], results[count:]
        self.metrics = dict(zip(self.metrics, results))
        self.loss = results[-1] if self.loss else None

    def _note_variables(self, graph, calls, writes):
        """Notes what the trace of the train step changes, and what it finds a gradient of the loss for."""
        self.changed = list(dict.fromkeys(written_variable(graph, graph.nodes[name]) for name in writes))
        if calls and not self.adapter.overrides("train_step"):
            found = zip(calls[0].sources, calls[0].results)
            self.differentiated = [node_of(source) for source, result in found if result is not None]

    def _fill_forward_gradients(self):
        """The gradients outside of layers' calls that change no variable but metrics are no part of the train step."""
        trace, metrics = self.train.trace, self._metric_variables()
        forward = [call for call in trace.gradient_calls if not writes_of(trace.graph, call.placeholders(), metrics)]
        if forward:
            trace.gradient_calls = [call for call in trace.gradient_calls if call not in forward]
            before = {name: dict(node.attr) for name, node in trace.graph.nodes.items()}
            trace.graph = fill_gradients(trace.graph, forward, "gradients", trace.gradient_calls)
            # An import spells defaults out, and nodes that differ in them are no pair.
            for name in before.keys() & trace.graph.nodes.keys():
                for key in [key for key in trace.graph.nodes[name].attr if key not in before[name]]:
                    del trace.graph.nodes[name].attr[key]

    def _metric_variables(self):
        return {variable.name for variable in self.variables if variable.kind == "metric"}

    def _add_learning_phase(self):
        self.graph.add("Const", f"{LEARNING_PHASE}/input", dtype=tf.bool, value=tf.make_tensor_proto(False))
        self.graph.add(
            "PlaceholderWithDefault",
            LEARNING_PHASE,
            [f"{LEARNING_PHASE}/input"],
            dtype=tf.bool,
            shape=tf.TensorShape([]),
        )

    def _optimizer_name(self):
        optimizer = getattr(self.adapter.model, "optimizer", None)
        return type(optimizer).__name__ if optimizer is not None else ""

    # -- tidying up

    def _simplify(self):
        graph = self.graph
        self.metrics = {name: self._value_and_update(name, tensor) for name, tensor in self.metrics.items()}
        self.updates = self._update_ops() if self.trainable else []
        self.train_op = None
        if self.trainable and self.has_step:
            waits = dict.fromkeys("^" + self._outlet(name) for name in self.step_writes)
            self.train_op = graph.add("NoOp", "train_op", waits).name
            self.written = {written_variable(graph, graph.nodes[name]) for name in self.step_writes}
        terms = split_losses(graph, self.loss) if self.loss is not None else ([], [])
        self.losses, self.regularization_losses = terms
        pinned = self._results()
        if not self.trainable:
            spell_out_erfc(graph)
        graph.keep(pinned)
        fold_constants(graph, pinned)
        graph.keep(pinned)
        merge_equal_nodes(graph, pinned)
        drop_unused_inputs(graph)
        forward = [node_of(tensor) for tensor in [*self.outputs, *filter(None, [self.loss])]]
        transpose_kernels_of_gradients(graph, graph.ancestors(forward))

    def _value_and_update(self, metric, tensor):
        if metric not in self.metric_values:
            self.metric_values[metric] = value_without_update(self.graph, tensor)
        if self.metric_values[metric] is not None:
            return self.metric_values[metric], tensor_name(tensor)
        spec = (self.test or self.train).log_specs[metric]
        variable, value, update = keep_last_value(self.graph, metric, tensor, spec)
        self.variables.append(variable)
        return value, update

    def _results(self):
        """The names of all nodes that the export refers to."""
        tensors = [*self.outputs, *self.losses, *self.regularization_losses, *filter(None, [self.loss, self.train_op])]
        tensors += [tensor for pair in self.metrics.values() for tensor in pair]
        names = [node_of(tensor) for tensor in tensors] + list(self.updates)
        fed = [name for name in self._fed() if name in self.graph.nodes] + ([LEARNING_PHASE] if self.trainable else [])
        return list(dict.fromkeys([*names, *fed]))

    def _fed(self):
        return list(dict.fromkeys(self.serving_placeholders + self.placeholders))

    def _update_ops(self):
        """The writes that belong to layers and metrics, not to the train step."""
        writes = [name for name, node in self.graph.nodes.items() if is_write(node) and name not in self.step_only]
        return list(dict.fromkeys(self._outlet(name) for name in writes))

    def _outlet(self, write):
        """A node that runs after a write in either phase."""
        found = None if stands_in_loop(self.graph, write) else self.alive.get(write) or outlet(self.graph, write)
        if found is None:
            raise UnsupportedModelError(
                f"The layer `{self.adapter.layer_of(write)}` changes the variable "
                f"`{written_variable(self.graph, self.graph.nodes[write])}` inside of a tf.cond or "
                "tf.while_loop that returns nothing of it; in a TensorFlow 1.x graph the change would never "
                "run. Return the new value "
                "from the branch, and assign it outside."
            )
        return found

    def _rename(self):
        graph = self.graph
        fixed = {
            *(held.name for held in [*self.variables, *self.tables.values()]),
            *self._fed(),
            LEARNING_PHASE,
            "train_op",
        }
        roots = {layer.name for layer in self.adapter.layers()}
        layers = self.scopes or self.adapter.scopes_of_layers(graph, roots)
        step_only = set(graph.nodes) - graph.ancestors([name for name in self._results() if name != self.train_op])
        scopes = tf1_scopes(graph, layers, self.adapter.layer_scope)
        renamed = tf1_names(graph, scopes, self._optimizer_name(), step_only, fixed & set(graph.nodes))
        rename_contexts(graph, scopes)
        graph.rename(renamed)
        move = lambda tensor: moved(tensor, renamed)  # noqa: E731
        self.outputs = [move(tensor) for tensor in self.outputs]
        self.losses, self.regularization_losses = [
            [move(t) for t in terms] for terms in (self.losses, self.regularization_losses)
        ]
        self.metrics = {name: (move(value), move(update)) for name, (value, update) in self.metrics.items()}
        self.updates = [move(name) for name in self.updates]
        self.loss = move(self.loss) if self.loss else None

    def _lifted(self):
        spec = self.spec
        self._add_unused_placeholders()
        tensors = [tensor_name(name) for name in self.placeholders]
        count, targets = len(spec.input_names), len(spec.target_names)
        variables = self._kept_variables()
        names = {id(variable.value): variable.name for variable in variables}
        return Lifted(
            graph=self.graph,
            data=(self.serving, spec),
            variables=variables,
            tables=[table for table in self.tables.values() if table.name in self.graph.nodes],
            inputs=dict(zip(self.serving.input_names, map(tensor_name, self.serving_placeholders))),
            step_inputs=dict(zip(spec.input_names, tensors[:count])),
            targets=dict(zip(spec.target_names, tensors[count : count + targets])),
            sample_weights=dict(zip(spec.weight_names, tensors[count + targets :])),
            outputs={name: tensor_name(tensor) for name, tensor in zip(self.output_names, self.outputs)},
            learning_phase=tensor_name(LEARNING_PHASE) if self.trainable else None,
            loss=self.loss,
            losses=self.losses,
            regularization_losses=self.regularization_losses,
            metrics=self.metrics,
            updates=self.updates,
            train_op=self.train_op,
            global_step=self._global_step(names) if self.train_op else None,
            evaluates=self.test is not None,
            initial_values={names[key]: value for key, value in self.reset.items() if key in names},
            notes=self.notes,
            keras=self.adapter.version(),
        )

    def _global_step(self, names):
        """The counter of the optimizer that the train step applies, the model's own if it does."""
        counters = [names[id(counter)] for counter in self.adapter.iterations() if id(counter) in names]
        counted = [name for name in counters if name in self.written]
        return next(iter([*counted, *counters]), None)

    def _add_unused_placeholders(self):
        """A model need not look at all that it is fed with; the reader may feed it all the same."""
        for name, spec in zip(self.serving_placeholders + self.placeholders, self.serving.specs() + self.spec.specs()):
            if name not in self.graph.nodes:
                self.graph.add("Placeholder", name, dtype=spec.dtype, shape=spec.shape)

    def _kept_variables(self):
        """The variables that the graph has, trainable ones first, in the order of `model.trainable_variables`. A
        graph that can be trained has those that no step needs as well.
        """
        always = {"weight", "state", "metric"} if self.trainable else set()
        always |= {"optimizer"} if self.train_op else set()
        kept = [variable for variable in self.variables if variable.kind in always or variable.name in self.graph.nodes]
        order = {id(value): index for index, value in enumerate(self.adapter.trainable_values())}
        return sorted(kept, key=lambda variable: order.get(id(variable.value), len(order)))


def _roots(step, results=None):
    """The nodes that a step's trace is run for, besides its writes: `results`, or all that it has, and gradients."""
    tensors = list(step.results() if results is None else results)
    for call in step.trace.gradient_calls:
        tensors += call.tensors()
    tensors += [name for name in step.trace.built_gradients if node_of(name) in step.trace.graph.nodes]
    return [node_of(name) for name in tensors]


def _variables_behind(graph, tensor):
    """The names of the variables that a tensor is computed from."""
    names = graph.ancestors([node_of(tensor)], controls=False)
    return {name for name in names if graph.nodes[name].op == "VarHandleOp"}
