"""What holds of every lifted graph, whatever the model. Where it does not, something went wrong in this package."""

import tensorflow as tf

from keras_gensynth_callback.errors import DefectError
from keras_gensynth_callback.graph import disagreements, is_write, node_of, written_variable


def check_structure(lifted, changed=(), differentiated=()):
    """Raises a DefectError where a lifted graph cannot be used, or would train something else than Keras does.

    Args:
        lifted: Lifted, without what makes it a checkpoint: initialisers and saver.
        changed: names of the variables that the traced train step changes.
        differentiated: names of the variables that the loss has a gradient for in Keras.
    """
    _check_types(lifted.graph)
    _check_placeholders(lifted)
    _check_results(lifted)
    check_metric_values(lifted)
    if lifted.train_op:
        _check_writes(lifted, changed)
    if lifted.loss:
        _check_loss(lifted, differentiated)


def check_metric_values(lifted):
    """Raises a DefectError where the value of a metric depends on what is fed."""
    for name, (value, _) in lifted.metrics.items():
        fed = _placeholders(lifted, [value])
        if fed:
            raise DefectError(f"The value of the metric `{name}` depends on {_listed(fed)}; it should on nothing.")


def _check_types(graph):
    for node, index, taken, given in disagreements(graph):
        taken, given = tf.as_dtype(taken).name, tf.as_dtype(given).name
        raise DefectError(f"`{node.name}` ({node.op}) takes {taken} as its input {index}, and is given {given}.")


def _check_placeholders(lifted):
    fed = {node_of(tensor) for tensor in _fed_to_steps(lifted) + list(lifted.inputs.values())}
    alone = [name for name, node in lifted.graph.nodes.items() if node.op == "Placeholder" and name not in fed]
    if alone:
        raise DefectError(f"The graph holds {_listed(alone)}, which nobody can feed: no signature names it.")


def _check_results(lifted):
    for name, tensor in lifted.outputs.items():
        _check_fed(lifted, f"The output `{name}`", tensor, lifted.inputs.values())
    steps = _fed_to_steps(lifted)
    if lifted.loss:
        _check_fed(lifted, "The loss", lifted.loss, steps)
    for name, pair in lifted.metrics.items():
        for tensor in pair:
            _check_fed(lifted, f"The metric `{name}`", tensor, steps)


def _fed_to_steps(lifted):
    return [*lifted.step_inputs.values(), *lifted.targets.values(), *lifted.sample_weights.values()]


def _check_fed(lifted, what, tensor, fed):
    more = [name for name in _placeholders(lifted, [tensor]) if name not in set(map(node_of, fed))]
    if more:
        raise DefectError(f"{what} depends on {_listed(more)}, which is none of the inputs of its signature.")


def _check_writes(lifted, changed):
    graph = lifted.graph
    nodes = [graph.nodes[name] for name in graph.ancestors([lifted.train_op])]
    written = {written_variable(graph, node) for node in nodes if is_write(node)}
    lost = [name for name in changed if name not in written]
    if lost:
        raise DefectError(f"The train step of Keras changes {_listed(lost)}, and that of the graph does not.")


def _check_loss(lifted, differentiated):
    reached = lifted.graph.ancestors([node_of(lifted.loss)])
    lost = [name for name in differentiated if name not in reached]
    if lost:
        raise DefectError(f"The loss of Keras depends on {_listed(lost)}, and that of the graph does not.")


def _placeholders(lifted, tensors):
    """The names of the placeholders without a default that tensors depend on."""
    graph = lifted.graph
    needed = graph.ancestors(map(node_of, tensors))
    return [name for name in graph.nodes if name in needed and graph.nodes[name].op == "Placeholder"]


def _listed(names):
    return ", ".join(f"`{name}`" for name in sorted(names))
