"""Variables that Python makes each time it is called, as `tf.metrics` and `tf.get_variable` of TF 1.x do.

In the graph of a session the Python of a metric, loss or layer was called once, and what it made there holds the
values. A trace calls it again: each variable that it asks for then stands for the one that it made in its place.
"""

import contextlib
import re

import tensorflow as tf

from keras_gensynth_callback.errors import UnsupportedModelError

from .v1_engine import ancestors, metric_results, metrics_of, slots_of

_KEYS = tf.compat.v1.GraphKeys
_HOLDERS = ("VarHandleOp", "VariableV2", "Variable")


def own_variables(model):
    """The variables that the Python of a model's metrics, losses and layers made in the session's graph when it was
    called, and that no layer, metric or optimizer lists: (those of metrics, others), each in the order of their making.
    """
    outputs = list(getattr(model, "outputs", None) or ())
    losses = [loss for loss in [getattr(model, "total_loss", None)] if tf.is_tensor(loss)]
    results = tf.nest.flatten(list(metric_results(model).values()))
    held = _held_by_keras(model)
    before = [variable for variable in _variables_behind(outputs + losses) if id(variable) not in held]
    found = {id(variable) for variable in before}
    of_metrics = [v for v in _variables_behind(results) if id(v) not in held and id(v) not in found]
    return of_metrics, before


class OwnVariables:
    """The variables of `own_variables`, and what traces use in their place.

    Attributes:
        of_metrics, others: lists of what stands for them: a tf.Variable, or a StandIn.
    """

    def __init__(self, model):
        of_metrics, others = own_variables(model)
        self.of_metrics, self.others = [list(map(_stand_in, group)) for group in (of_metrics, others)]

    @contextlib.contextmanager
    def found_again(self):
        """Inside of the block, in a trace, a variable that is asked for is the one that was made in its place."""
        left = [*self.of_metrics, *self.others]

        def create(next_creator, **kwargs):
            graph = tf.compat.v1.get_default_graph()
            name = "/".join(filter(None, [graph.get_name_scope(), kwargs.get("name") or "Variable"]))
            there = _closest(name, _initial(kwargs), left)
            left.remove(there)
            variable = getattr(there, "variable", there)
            graph.add_to_collections(kwargs.get("collections") or [_KEYS.GLOBAL_VARIABLES], variable)
            return variable

        with tf.compat.v1.variable_creator_scope(create):
            yield


class StandIn:
    """A resource variable in the place of a reference variable, whose handle a trace can take.

    Attributes:
        variable: the tf.Variable that a trace uses; it has no value.
        handle, name, dtype, shape, initializer: as those of a tf.Variable; the initializer is that of the variable that
            it stands for.
    """

    def __init__(self, live):
        self._tensor = live  # what the session reads
        self.name, self.dtype, self.shape = live.name, live.dtype.base_dtype, live.shape
        self.initializer = live.initializer
        with tf.Graph().as_default():
            zeros = tf.zeros(self.shape, self.dtype)
            name = self.name.split(":")[0]
            self.variable = tf.compat.v1.Variable(zeros, trainable=False, name=name, use_resource=True)
        self.handle = self.variable.handle


def _stand_in(live):
    if hasattr(live, "handle"):
        return live
    if not live.shape.is_fully_defined():
        raise UnsupportedModelError(
            f"The variable {live.name!r} has the shape {live.shape}; in an export it has one that is known. Give "
            "it a shape, or leave the metric that makes it out of `compile` while you export."
        )
    return StandIn(live)


def _held_by_keras(model):
    of_metrics = [variable for metric in metrics_of(model) for variable in metric.variables]
    return {id(held) for held in [*model.weights, *of_metrics, *_held_by_optimizer(getattr(model, "optimizer", None))]}


def _held_by_optimizer(optimizer):
    return [] if optimizer is None else [*slots_of(optimizer), *getattr(optimizer, "_hyper", {}).values()]


def _variables_behind(tensors):
    """The variables that tensors of a session's graph are computed from or wait for, in the order of their making."""
    ops = dict.fromkeys(op for tensor in tensors for op in ancestors(tensor.op) if op.type in _HOLDERS)
    if not ops:
        return []
    graph = next(iter(ops)).graph
    listed = [item for key in graph.get_all_collection_keys() for item in graph.get_collection(key)]
    of_ops = {item.op: item for item in listed if isinstance(item, tf.Variable)}
    return [of_ops[op] for op in sorted(ops, key=lambda op: op._id) if op in of_ops]


def _initial(kwargs):
    value = kwargs.get("initial_value")
    return tf.convert_to_tensor(value() if callable(value) else value, kwargs.get("dtype"))


def _closest(name, initial, variables):
    """The variable of this type and shape whose name ends as `name` does, as far as possible; the first of several."""
    fitting = [
        v for v in variables if v.dtype.base_dtype == initial.dtype and initial.shape.is_compatible_with(v.shape)
    ]
    if not fitting:
        raise UnsupportedModelError(
            f"The Python of the model makes a variable {name!r} of shape {initial.shape} each time it is called, and "
            "nothing that Keras trains or evaluates used one like it when it was called first. Make the variable once, "
            "in `__init__` or `build`."
        )
    return max(fitting, key=lambda variable: _common_end(name, variable.name.split(":")[0]))


def _common_end(one, other):
    """How many parts of two names are the same from the end: with numbers such as that of `auc_1` left out, and not."""
    pairs = list(zip(reversed(one.split("/")), reversed(other.split("/"))))
    plain = [(re.sub(r"_\d+$", "", first), re.sub(r"_\d+$", "", second)) for first, second in pairs]
    return _equal_at_first(plain), _equal_at_first(pairs), sum(first == second for first, second in pairs)


def _equal_at_first(pairs):
    return next((count for count, (one, other) in enumerate(pairs) if one != other), len(pairs))
