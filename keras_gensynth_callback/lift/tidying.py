"""What an export refers to in the merged graph: results, updates and the train step; the graph made smaller, and named
as TensorFlow 1.15 would name it.
"""

from dataclasses import dataclass, replace
from typing import Dict, FrozenSet, Optional, Tuple

from keras_gensynth_callback.errors import UnsupportedModelError
from keras_gensynth_callback.graph import (
    LEARNING_PHASE,
    EditableGraph,
    add_outlets,
    is_write,
    moved,
    node_of,
    outlet,
    split_losses,
    stands_in_loop,
    tensor_name,
    written_variable,
)

from .inference import Named
from .last_values import keep_last_value
from .metrics import value_without_update
from .naming import rename_contexts, tf1_names, tf1_scopes
from .passes import PASSES_OVER_THE_GRAPH, Needed, run_passes
from .training import optimizer_name


@dataclass(frozen=True, eq=False)
class Results:
    """What an export refers to, by name.

    Attributes:
        outputs: tensors, in the order of the outputs.
        loss: tensor, or None.
        losses, regularization_losses: tensors that add up to `loss`.
        metrics: dict, name -> (tensor of the value, tensor of the value after an update).
        updates: ops that update the state of layers and metrics.
        train_op: op, or None.
    """

    outputs: Tuple[str, ...]
    loss: Optional[str]
    losses: Tuple[str, ...]
    regularization_losses: Tuple[str, ...]
    metrics: Dict[str, Tuple[str, str]]
    updates: Tuple[str, ...]
    train_op: Optional[str]

    def nodes(self):
        """The names of the nodes."""
        tensors = [*self.outputs, *self.losses, *self.regularization_losses, *filter(None, [self.loss, self.train_op])]
        tensors += [tensor for pair in self.metrics.values() for tensor in pair]
        return [node_of(tensor) for tensor in tensors] + list(self.updates)

    def forward(self):
        """The names of the nodes that are predictions and the loss."""
        return [node_of(tensor) for tensor in [*self.outputs, *filter(None, [self.loss])]]

    def renamed(self, names):
        """The same in a graph whose nodes were renamed: dict, old name -> new name."""
        move = lambda tensor: moved(tensor, names)  # noqa: E731
        return Results(
            outputs=tuple(map(move, self.outputs)),
            loss=move(self.loss) if self.loss else None,
            losses=tuple(map(move, self.losses)),
            regularization_losses=tuple(map(move, self.regularization_losses)),
            metrics={name: (move(value), move(update)) for name, (value, update) in self.metrics.items()},
            updates=tuple(map(move, self.updates)),
            train_op=self.train_op,
        )


@dataclass(frozen=True, eq=False)
class Tidied:
    """A graph with nothing in it but what an export refers to.

    Attributes:
        named: Named.
        graph: EditableGraph.
        results: Results.
        written: the names of the variables that the train step changes.
    """

    named: Named
    graph: EditableGraph
    results: Results
    written: FrozenSet[str] = frozenset()


def refer_to_results(merged, overlaid=None):
    """The Tidied of a Merged, and of what makes it a graph of both phases, if it is: with all nodes still."""
    named, graph, metrics = merged.named, merged.graph, {}
    for name, tensor in merged.metrics.items():
        metrics[name], variables = _value_and_update(merged, name, tensor)
        named = replace(named, variables=named.variables + variables)
    updates = _update_ops(overlaid) if overlaid else ()
    train_op, written = _add_train_op(overlaid) if overlaid and overlaid.has_step else (None, frozenset())
    losses, regularization_losses = split_losses(graph, merged.loss) if merged.loss is not None else ([], [])
    results = Results(
        merged.outputs, merged.loss, tuple(losses), tuple(regularization_losses), metrics, updates, train_op
    )
    return Tidied(named, graph, results, written)


def simplify(tidied):
    """Runs the last passes over the graph of a Tidied, in place."""
    both_phases = tidied.named.traces.request.trainable
    needed = Needed(_pinned(tidied), tidied.results.forward())
    run_passes(PASSES_OVER_THE_GRAPH, tidied.graph, needed, both_phases)


def rename(tidied):
    """The Tidied with the names of TensorFlow 1.15."""
    graph, named, results = tidied.graph, tidied.named, tidied.results
    adapter = named.traces.request.adapter
    held = [*named.variables, *named.tables]
    fixed = {*(one.name for one in held), *named.fed, LEARNING_PHASE, "train_op"}
    layers = named.traces.scopes or adapter.scopes_of_layers(graph, {layer.name for layer in adapter.layers()})
    forward = graph.ancestors([name for name in _pinned(tidied) if name != results.train_op])
    scopes = tf1_scopes(graph, layers, adapter.layer_scope)
    step_only = set(graph.nodes) - forward
    names = tf1_names(graph, scopes, optimizer_name(adapter), step_only, fixed & set(graph.nodes))
    rename_contexts(graph, scopes)
    graph.rename(names)
    return replace(tidied, results=results.renamed(names))


def _pinned(tidied):
    """The names of all nodes that the export refers to."""
    fed = [*tidied.named.fed, LEARNING_PHASE]
    return list(dict.fromkeys([*tidied.results.nodes(), *(name for name in fed if name in tidied.graph.nodes)]))


def _value_and_update(merged, metric, tensor):
    """The two tensors of a metric, and a tuple of the variables that are added for it."""
    values, graph, traces = merged.metric_values, merged.graph, merged.named.traces
    value = values[metric] if metric in values else value_without_update(graph, tensor)
    if value is not None:
        return (value, tensor_name(tensor)), ()
    spec = (traces.test or traces.train).log_specs[metric]
    variable, value, update = keep_last_value(graph, metric, tensor, spec)
    return (value, update), (variable,)


def _add_train_op(overlaid):
    """The op that runs the train step, and the names of the variables that it changes."""
    graph, outlets = overlaid.merged.graph, _outlets(overlaid, overlaid.step_writes)
    # An optimizer that accumulates gradients moves weights in a branch that may return nothing.
    loose = [write for write, found in outlets.items() if found is None and not stands_in_loop(graph, write)]
    outlets.update(add_outlets(graph, loose))
    waits = dict.fromkeys(f"^{name}" for name in _all_found(overlaid, outlets))
    train_op = graph.add("NoOp", "train_op", waits).name
    return train_op, frozenset(written_variable(graph, graph.nodes[name]) for name in overlaid.step_writes)


def _update_ops(overlaid):
    """The writes that belong to layers and metrics, not to the train step."""
    nodes = overlaid.merged.graph.nodes
    writes = [name for name, node in nodes.items() if is_write(node) and name not in overlaid.step_only]
    return tuple(dict.fromkeys(_all_found(overlaid, _outlets(overlaid, writes))))


def _outlets(overlaid, writes):
    """dict, write -> a node that runs after it in either phase, or None."""
    graph, alive = overlaid.merged.graph, overlaid.alive
    consumers = graph.consumers() if any(write in graph.context_of for write in writes) else {}
    return {
        write: None if stands_in_loop(graph, write) else alive.get(write) or outlet(graph, write, consumers)
        for write in writes
    }


def _all_found(overlaid, outlets):
    """The nodes that run after writes; each write must have one."""
    write = next((write for write, found in outlets.items() if found is None), None)
    if write is not None:
        graph, adapter = overlaid.merged.graph, overlaid.merged.named.traces.request.adapter
        raise UnsupportedModelError(
            f"The layer `{adapter.layer_of(write)}` changes the variable "
            f"`{written_variable(graph, graph.nodes[write])}` inside of a tf.cond or tf.while_loop that returns "
            "nothing of it; in a TensorFlow 1.x graph the change would never run. Return the new value from the "
            "branch, and assign it outside."
        )
    return outlets.values()
