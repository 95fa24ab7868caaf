"""What Keras's graph-mode engine keeps of a model in the session's graph: updates, metrics, losses.

It is `Model` of tf.keras in TF 1.15 (tensorflow/python/keras/engine/training.py) and `training_v1.Model` of TF 2's
(tf_keras/src/engine/training_v1.py), which takes over where eager execution is off. Nothing here adds an op.
"""

import warnings
from typing import Any, Dict

import tensorflow as tf

from keras_gensynth_callback.compat import eager_outside_of_functions
from keras_gensynth_callback.graph import is_write, split_losses

from ..tracing import editable

_WRITES_OF_REFERENCES = ("Assign", "Scatter")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "While")


def is_of_v1_engine(model):
    """Whether a model's class trains by feeding a session, whatever TensorFlow it comes with."""
    return hasattr(type(model), "_make_train_function")


def live_graph(model):
    """The graph of the session that the model lives in, or None where it runs eagerly."""
    for variable in model.weights if model.built else ():
        return getattr(variable.handle, "graph", None)
    return None if eager_outside_of_functions() else tf.compat.v1.get_default_graph()


def layer_updates(model):
    """The ops that update the states of layers and belong to the calls that make up the model, each once: those that
    depend on its inputs, and those that depend on none.
    """
    inputs = getattr(model, "inputs", None)
    found = [*model.get_updates_for(None), *(model.get_updates_for(inputs) if inputs else [])]
    return _once(getattr(update, "op", update) for update in found)


def layer_updates_of(model, only_stateful):
    """The ops that the model's layers list as updates now, or those alone that predictions run as well."""
    updates = model.updates
    if only_stateful:
        updates = [update for layer in layers_of(model) if layer.stateful for update in layer._updates]
    return _once(getattr(update, "op", update) for update in updates)


def layers_of(model):
    """The model and all layers in it, at any depth; outer ones first."""
    if hasattr(model, "_flatten_layers"):
        return list(model._flatten_layers())
    found: Dict[int, Any] = {}
    todo = [model]
    while todo:
        layer = todo.pop(0)
        if hasattr(layer, "add_loss"):
            found.setdefault(id(layer), layer)
        # What a layer holds lists of is no layer, but has `layers`.
        inner = getattr(layer, "_layers", ()) if hasattr(layer, "add_loss") else getattr(layer, "layers", ())
        todo += [layer for layer in inner if id(layer) not in found]
    return list(found.values())


def metrics_of(model):
    """The metrics of the model: those of `compile`, one a loss where there are several outputs, and those of layers."""
    metrics = [*(getattr(model, "_output_loss_metrics", None) or ()), *model.metrics]
    return list({id(metric): metric for metric in metrics}.values())


def metric_results(model):
    """The tensors that `fit` and `evaluate` fetch of the metrics: name -> tensor."""
    found = dict(getattr(model, "_all_metrics_tensors", None) or {})  # TF 1.14, whose metrics keep none
    for metric in metrics_of(model):
        result = getattr(metric, "_call_result", None)
        if result is not None:
            found[metric.name] = result
    return found


def metric_updates(model, others=()):
    """The ops that update the variables of metrics, each once: the writes that what `fit` fetches of a metric waits
    for, or, where it fetches nothing, those in its `updates`, which lists those of an earlier compile as well.

    Args:
        model: the model.
        others: variables of metrics that these do not list.
    """
    found = []
    for metric in metrics_of(model):
        handles = {id(variable.handle) for variable in metric.variables}
        handles |= {id(variable.op.outputs[0]) for variable in others}
        result = getattr(metric, "_call_result", None)
        # `updates` of newer Kerases is empty, and warns that it is.
        for root in getattr(metric, "_updates", ()) if result is None else tf.nest.flatten(result):
            root = getattr(root, "op", root)
            found += [root if _is_in_branch(op) else op for op in ancestors(root) if _changes(op, handles)]
    return _once(found)


def listed_updates(model):
    """The ops that `updates` of the model and of its `metrics` list."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `updates` of a metric is empty in newer Kerases, and warns that it is
        listed = [*model.updates, *(update for metric in model.metrics for update in metric.updates)]
    return [getattr(update, "op", update) for update in listed]


def loss_terms(model):
    """The terms of the loss as (losses, regularization losses), scalars of the session's graph."""
    total = getattr(model, "total_loss", None)
    if total is None or not tf.is_tensor(total):
        return [], []
    graph = editable(total.graph)
    losses, regularization_losses = split_losses(graph, total.name)
    tensors = total.graph.get_tensor_by_name
    return list(map(tensors, losses)), list(map(tensors, regularization_losses))


def _changes(op, handles):
    """Whether an op changes one of the variables with these handles, itself or in a function."""
    if op.type not in _CALLS and not is_write(op.node_def) and not op.type.startswith(_WRITES_OF_REFERENCES):
        return False
    return any(id(_origin(tensor)) in handles for tensor in op.inputs)


def _origin(tensor):
    """Where a handle comes from that was handed into a branch or loop."""
    while tensor.op.type in ("Switch", "Enter", "Identity"):
        tensor = tensor.op.inputs[0]
    return tensor


def _is_in_branch(op):
    # What runs in one branch alone is dead in the other, and kills what waits for it.
    return op._get_control_flow_context() is not None


def ancestors(op):
    """An op and all that it needs, in the order in which they were made."""
    seen, todo = {op}, [op]
    while todo:
        current = todo.pop()
        for before in [*(tensor.op for tensor in current.inputs), *current.control_inputs]:
            if before not in seen:
                seen.add(before)
                todo.append(before)
    return sorted(seen, key=lambda found: found._id)


def _once(ops):
    return list(dict.fromkeys(ops))


def inner_optimizer(optimizer):
    """The optimizer of tf.compat.v1.train that is in a TFOptimizer; None for Keras's own."""
    return getattr(optimizer, "optimizer", None)


def slots_of(optimizer):
    """The variables that an optimizer keeps beside what it is set to, its counter among them."""
    inner = inner_optimizer(optimizer)
    return inner.variables() if inner is not None else optimizer.weights
