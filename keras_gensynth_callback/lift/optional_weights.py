"""Sample weights that a reader may feed and need not: where ones give the loss that Keras computes without any.

They do for most losses, and not for all: a loss of the whole batch becomes a vector of as many losses as there are
samples; a custom loss may do with `sample_weight=None` what it does not do with ones. So the loss is computed in both
ways, of random predictions.
"""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.compat import VARIABLE_READS
from keras_gensynth_callback.graph import node_of, split_losses, tensor_name

from .spec import DataSpec, leaf_names
from .tracing import as_one_replica, trace

_BATCH = 3


def with_optional_weights(adapter, spec, outputs, output_names):
    """A DataSpec with sample weights for each output where ones change nothing, unless `fit` was given some.

    Args:
        adapter: Adapter.
        spec: DataSpec of a step.
        outputs: nest of tf.TensorSpec, what the model predicts.
        output_names: list of str.
    """
    if len(spec.parts) < 2 or adapter.overrides("train_step") or adapter.overrides("test_step"):
        return spec
    trial = _Trial(adapter, spec, outputs)
    if spec.weight_names:
        leaves = tf.nest.flatten(spec.parts[2])
        alone = [_only(spec.parts[2], leaves, index) for index, leaf in enumerate(leaves) if leaf is not None]
        if trial.ones_change_nothing(spec.parts[2]) is False:
            named = zip(spec.weight_names, alone)
            kept = [name for name, weights in named if trial.ones_change_nothing(weights) is not False]
            return replace(spec, optional=frozenset(kept))
        return spec
    weights = _chosen(trial, outputs, spec.parts[1])
    leaves = tf.nest.flatten(weights)
    names = [name for name, leaf in zip(leaf_names(weights, output_names, "output"), leaves) if leaf is not None]
    if not names:
        return spec
    names = [f"{name}_sample_weights" for name in names]
    return replace(spec, parts=(*spec.parts, weights), weight_names=names, optional=frozenset(names))


def _chosen(trial, outputs, y):
    """A nest like `y`: the tf.TensorSpec of sample weights, or None where there cannot be any."""
    places = _places(outputs, y)
    weights = tf.nest.pack_sequence_as(y, places)
    if trial.ones_change_nothing(weights):
        return weights
    chosen = []
    for index, place in enumerate(places):
        shapes = [place, tf.TensorSpec([None], tf.float32)]
        tried = ((spec, _only(y, [spec] * len(places), index)) for spec in shapes[: 1 + (place != shapes[1])])
        chosen.append(next((spec for spec, alone in tried if trial.ones_change_nothing(alone)), None))
    return tf.nest.pack_sequence_as(y, chosen)


def _only(structure, leaves, kept):
    return tf.nest.pack_sequence_as(structure, [leaf if index == kept else None for index, leaf in enumerate(leaves)])


def _places(outputs, y):
    """A weight for each value of a loss: for each sample, or, where outputs are sequences or maps, for each of their
    places.

    Losses of Keras reduce the last axis. Where targets do not go along with the outputs - alignments, say - there is
    a weight a sample.
    """
    leaves, targets = tf.nest.flatten(outputs), tf.nest.flatten(y)
    specs = []
    for index, target in enumerate(targets):
        places = leaves[index].shape[:-1] if len(leaves) == len(targets) and leaves[index].shape.rank else None
        goes_along = places is not None and places.rank >= 1 and target.shape[: places.rank].is_compatible_with(places)
        specs.append(tf.TensorSpec(places if goes_along else [None], tf.float32))
    return specs


class _Trial:
    """The loss of one random batch, with and without weights."""

    def __init__(self, adapter, spec, outputs):
        self._adapter, self._parts, self._outputs = adapter, spec.parts[:2], outputs
        self._unweighted = self._tried(None)

    def ones_change_nothing(self, weights):
        """Whether weights of ones give the same loss as none: bool, None where the loss of random data is no number.

        Args:
            weights: nest of tf.TensorSpec and None, like the targets.
        """
        if self._unweighted is None:
            return None
        weighted = self._tried(weights)
        if weighted is None or [a.shape for a in weighted] != [a.shape for a in self._unweighted]:
            return False
        return all(np.allclose(a, b, rtol=1e-5, atol=1e-8) for a, b in zip(weighted, self._unweighted))

    def _tried(self, weights):
        # A loss that cannot be computed of random data says nothing.
        try:
            values = self._losses(weights)
        except Exception:
            return None
        return values if values and all(np.isfinite(value).all() for value in values) else None

    def _losses(self, weights):
        adapter = self._adapter
        spec = DataSpec((*self._parts, self._outputs, weights), [])

        def function(*tensors):
            adapter.forget_losses()
            return adapter.loss_of(*spec.pack(tensors))

        with as_one_replica(adapter.model), adapter.tracing({}):
            variables = lambda: [variable.value for variable in adapter.variables()]  # noqa: E731
            traced = trace(function, spec.specs(), variables=variables, live=adapter.live)
        graph = traced.graph
        graph.keep([node_of(traced.result)])
        terms, _ = split_losses(graph, traced.result)
        graph.keep([node_of(term) for term in terms])
        fed = dict(zip(traced.inputs, self._batch(weights)))
        fed.update((name, value.numpy()) for name, value in traced.constants.items())
        fed.update(_reads(traced))
        return _run(graph, terms, {tensor_name(name): value for name, value in fed.items() if name in graph.nodes})

    def _batch(self, weights):
        """Arrays for inputs, targets, predictions and weights, in order; what is open has another size at each axis."""
        random = np.random.RandomState(0)
        x, y = map(tf.nest.flatten, self._parts)
        predictions = tf.nest.flatten(self._outputs)
        like = predictions if len(predictions) == len(y) else [None] * len(y)
        arrays = [_array(spec, None, random) for spec in x if spec is not None]
        arrays += [_array(spec, other, random) for spec, other in zip(y, like) if spec is not None]
        arrays += [_array(spec, None, random) for spec in predictions]
        arrays += [
            np.ones(_size(spec, other), spec.dtype.as_numpy_dtype)
            for spec, other in zip(tf.nest.flatten(weights), like + [None] * len(tf.nest.flatten(weights)))
            if spec is not None
        ]
        return arrays


def _size(spec, like):
    rank = spec.shape.rank if spec.shape.rank is not None else like.shape.rank
    known = spec.shape.as_list() if spec.shape.rank is not None else [None] * rank
    other = like.shape.as_list() if like is not None and like.shape.rank is not None else []
    other = other + [None] * (rank - len(other))
    return [mine or theirs or _BATCH + axis for axis, (mine, theirs) in enumerate(zip(known, other))]


def _array(spec, like, random):
    size = _size(spec, like)
    if spec.dtype == tf.string:
        return np.full(size, b"a", object)
    if spec.dtype.is_floating:
        return random.uniform(0.1, 0.9, size).astype(spec.dtype.as_numpy_dtype)
    classes = 2 if like is None or not like.shape.rank else min(like.shape[-1] or 2, 2)
    return random.randint(0, classes, size).astype(spec.dtype.as_numpy_dtype)


def _reads(traced):
    """dict, name of a node that reads a variable -> a value of that shape."""
    found = {}
    for name, node in traced.graph.nodes.items():
        variable = traced.variables.get(node_of(node.input[0])) if node.op in VARIABLE_READS else None
        if variable is not None and node.op == "ReadVariableOp":
            found[name] = np.full(variable.shape.as_list(), 0.5).astype(variable.dtype.as_numpy_dtype)
    return found


def _run(graph, tensors, fed):
    with tf.Graph().as_default() as private:
        tf.import_graph_def(graph.graph_def(), name="")
        config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
        with tf.compat.v1.Session(graph=private, config=config) as session:
            return session.run([tensor_name(tensor) for tensor in tensors], fed)
