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
from .gradients import fill_gradients
from .lifted import Lifted
from .losses import split_losses
from .metrics import initial_values, value_without_update
from .naming import LEARNING_PHASE, rename_contexts, tf1_names, tf1_scopes
from .normalize import normalize
from .one_replica import scope_of
from .phases import lay_over
from .rnn_loops import last_output_without_array, one_counter_a_loop
from .simplify import drop_unused_inputs, fold_constants, merge_equal_nodes
from .union import unite
from .weights import default_weights
from .wide_variables import keep_in_wider_types
from .writes import is_write, outlet, stands_in_loop, step_nodes, written_variable


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
    return _Lifting(adapter_of(model), data_spec, graph == "trainable", include_optimizer, input_signature).run()


class _Lifting:
    def __init__(self, adapter, data_spec, trainable, include_optimizer, input_signature):
        self.adapter, self.data_spec, self.trainable = adapter, data_spec, trainable
        self.include_optimizer, self.input_signature = include_optimizer, input_signature
        self.scopes, self.notes, self.alive, self.reset = {}, [], {}, None

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
        return self._lifted()

    # -- tracing

    def _trace(self):
        adapter = self.adapter
        inputs = specs.inputs_spec(adapter, self.data_spec, self.input_signature)
        self.serving, self.predict = self._trace_predict(inputs)
        self.output_names = specs.output_names(adapter, self.predict.output_specs)
        self.spec, self.test, self.train = inputs, None, None
        if not self.trainable:
            return
        if not adapter.is_compiled:
            self.train = steps.forward_in_training(adapter, inputs, self.scopes)
        else:
            self._trace_compiled(inputs)
        refuse_changed_gradients(self.train.trace.graph.graph_def(), self.train.custom_gradients, adapter.layer_of)

    def _trace_predict(self, inputs):
        """The inputs of `predict_step` and its trace. A model may be trained on something else than it is called on:
        a GAN.
        """
        adapter = self.adapter
        try:
            return inputs, steps.predict_step(adapter, inputs, self.scopes)
        except UnsupportedModelError:
            own = adapter.input_spec()
            if not adapter.overrides("train_step") or own is None or self.data_spec is None:
                raise
        serving = specs.inputs_spec(adapter)
        inputs.input_names = [f"{name}_train" for name in inputs.input_names]
        return serving, steps.predict_step(adapter, serving, self.scopes)

    def _trace_compiled(self, inputs):
        adapter = self.adapter
        with scope_of(adapter.model):
            adapter.build_for_training()
        self.spec = specs.step_spec(adapter, inputs, self.predict.output_specs, self.output_names, self.data_spec)
        if strategy_of(adapter.model) is not None:
            self._build_metrics()
        self.train = steps.train_step(adapter, self.spec, self.scopes)
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
        self.reset = steps.metric_reset(adapter)

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
        for step in (self.predict, self.test, self.train):
            if step is not None:
                fed = self.serving_placeholders if step is self.predict else self.placeholders
                normalize(step, fed[: len(step.trace.inputs)], names, self.others, self.tables, taken)
        self.variables += [Variable(name, value, "other") for name, value in self.others.items()]

    # -- one graph

    def _unite_inference(self):
        """`predict_step` and `test_step` in one graph: `self.graph`."""
        first = self.predict
        self._shrink(first, tf.nest.flatten(first.outputs), writes=False)
        if self.test is None:
            self.graph, self.dtypes = first.trace.graph, first.trace.dtypes
            self.outputs = tf.nest.flatten(first.outputs)
            self.loss, self.metrics = None, {}
            return
        second = self.test
        self._shrink(second, [*second.logs.values(), *filter(None, [second.loss])])
        names = unite(first.trace.graph, second.trace.graph, (first.trace.dtypes, second.trace.dtypes))
        self.graph, self.dtypes = second.trace.graph, second.trace.dtypes
        self.outputs = [moved(tensor, names) for tensor in tf.nest.flatten(first.outputs)]
        self.loss, self.metrics = second.loss, second.logs

    def _shrink(self, step, results, writes=True):
        """Drops from a trace what neither its results nor its writes need, and what it computes twice."""
        graph = step.trace.graph
        roots = [node_of(name) for name in results]
        if writes:
            roots += step.trace.stateful_writes()
        for call in step.trace.gradient_calls:
            roots += [
                node_of(name)
                for name in [*call.targets, *call.sources, *(call.output_gradients or []), *call.placeholders()]
            ]
        graph.keep(roots)
        step.trace.dtypes.update(fold_constants(graph, pinned=roots))
        one_counter_a_loop(graph)
        last_output_without_array(graph)
        graph.keep(roots)
        merge_equal_nodes(graph, pinned=roots)

    def _lay_over_training(self):
        train = self.train
        graph, calls = train.trace.graph, train.trace.gradient_calls
        self._shrink(train, tf.nest.flatten(train.outputs) if train.outputs is not None else [])
        weights = {variable.name for variable in self.variables if variable.trainable}
        slots = {variable.name for variable in self.variables if variable.kind == "optimizer"}
        own = step_nodes(graph, [name for call in calls for name in call.placeholders()], weights, slots)
        unconditional = {written_variable(graph, graph.nodes[name]) for name in own if is_write(graph.nodes[name])}
        all_writes = train.trace.stateful_writes()
        results = [*self.outputs, *self.metrics.values(), *filter(None, [self.loss])]
        targets = [name for call in calls for name in [*call.targets, *(call.output_gradients or [])]]
        phase = tensor_name(LEARNING_PHASE)
        self.dtypes[phase] = tf.bool.as_datatype_enum
        self.graph, renamed, self.alive = lay_over(
            self.graph,
            graph,
            phase,
            (self.dtypes, train.trace.dtypes),
            own,
            unconditional,
            ([node_of(name) for name in results], [node_of(name) for name in targets]),
        )
        self._add_learning_phase()
        self.step_only = {moved(name, renamed) for name in own}
        self.step_writes = [moved(name, renamed) for name in all_writes]
        for call in calls:
            call.rename(lambda tensor: moved(tensor, renamed))
        if self.loss is None and calls:
            self.loss = tensor_name(calls[0].targets[0]) if self.test is not None else None
        self.has_step = self.adapter.is_compiled and self.include_optimizer and bool(calls)
        if self.has_step:
            before = set(self.graph.nodes)
            self.graph = fill_gradients(self.graph, calls, f"training/{self._optimizer_name()}")
            self.step_only |= set(self.graph.nodes) - before

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
        self.metrics = {
            name: (value_without_update(self.graph, tensor), tensor_name(tensor))
            for name, tensor in self.metrics.items()
        }
        self.updates = self._update_ops() if self.trainable else []
        self.train_op = None
        if self.trainable and self.has_step:
            waits = dict.fromkeys("^" + self._outlet(name) for name in self.step_writes)
            self.train_op = graph.add("NoOp", "train_op", waits).name
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
        iterations = self.adapter.iterations() if self.train_op else None
        names = {id(variable.value): variable.name for variable in variables}
        return Lifted(
            graph=self.graph,
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
            global_step=names.get(id(iterations)),
            initial_values=initial_values(self.reset, names) if self.reset is not None else {},
            notes=self.notes,
            keras=self.adapter.version(),
        )

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
