"""What a reset gives the variables of metrics: the initial values of `tf.local_variables_initializer()`."""

import contextlib
from typing import Dict, Optional

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.compat import strategy_of
from keras_gensynth_callback.graph import fold_constants, node_of

from . import steps
from .adapters import snapshot
from .tracing import scope_of


def reset_values(adapter):
    """The values of metric variables after a reset: dict, id of the tf.Variable -> ndarray.

    The reset is traced, which changes nothing. Keras calls it eagerly, so it may do what no trace can, with NumPy for
    one, or write what depends on other variables: then it is run, and all is put back.
    """
    eager = adapter.live is None
    try:
        found = _constant_writes(steps.metric_reset(adapter))
    except Exception:
        if not eager:
            raise
        found = None
    if found is None or (eager and any(value is None for value in found.values())):
        return _values_after_reset(adapter)
    found = {**adapter.initial_values(), **{key: value for key, value in found.items() if value is not None}}
    if eager and strategy_of(adapter.model) is None:
        found = {**_values_now(_metric_variables(adapter)), **found}  # what a reset leaves alone keeps its value
    return found


def _constant_writes(reset):
    """dict, id of a variable -> the constant that it is given, None where that is no constant."""
    fold_constants(reset.graph)
    found: Dict[int, Optional[np.ndarray]] = {}
    for write in reset.stateful_writes():
        node = reset.graph.nodes[write]
        variable = reset.variables.get(node_of(node.input[0]))
        value = reset.graph.nodes[node_of(node.input[1])] if len(node.input) > 1 else None
        found[id(variable)] = None
        if node.op == "AssignVariableOp" and value is not None and value.op == "Const":
            found[id(variable)] = tf.make_ndarray(value.attr["value"].tensor)
    return found


def _metric_variables(adapter):
    return [variable.value for variable in adapter.variables() if variable.kind == "metric"]


def _values_now(variables):
    return {id(variable): np.array(value) for variable, value in zip(variables, snapshot(variables))}


def _values_after_reset(adapter):
    variables = _metric_variables(adapter)
    touched = [variable.value for variable in adapter.variables() if variable.kind in ("metric", "state")]
    with scope_of(adapter.model), _put_back(touched), _attributes_put_back(adapter.model.metrics):
        adapter.reset_metrics()
        return _values_now(variables)


@contextlib.contextmanager
def _put_back(variables):
    """Gives variables, bit for bit, the values that they had before the block."""
    parts = [part for variable in variables for part in _on_each_device(variable)]
    before = snapshot(parts)
    try:
        yield
    finally:
        for part, value in zip(parts, before):
            part.assign(value)


def _on_each_device(variable):
    if isinstance(variable, tf.distribute.DistributedValues):
        return variable.distribute_strategy.experimental_local_results(variable)
    return (variable,)


@contextlib.contextmanager
def _attributes_put_back(metrics):
    """Metrics may count in Python, too."""
    kept = [(metric, dict(vars(metric))) for metric in metrics]
    try:
        yield
    finally:
        for metric, before in kept:
            for name, value in before.items():
                if vars(metric).get(name) is not value:
                    object.__setattr__(metric, name, value)
