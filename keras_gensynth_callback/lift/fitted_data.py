"""The specs of the batches that a model is, or was, trained on."""

import tensorflow as tf

from keras_gensynth_callback.compat import element_spec_of, spec_of_one_replica, specs_of_calls

_DEPTH = 4  # of closures: Keras 3 wraps the function of a step three times


def spec_of_batches(element_spec):
    """The spec of the batches of an iterator with the batch dimension left open.

    Returns:
        A nest of `tf.TensorSpec` (and sparse or ragged specs as they are; None where Keras passes None), or None
        where the iterator does not say.
    """
    if element_spec is None:
        return None
    spec = tf.nest.map_structure(spec_of_one_replica, element_spec)
    return tf.nest.map_structure(_relax, spec) if all(map(_is_known, tf.nest.flatten(spec))) else None


def spec_of_last_fit(model):
    """What `spec_of_batches` said of the batches of the last `fit` since `compile`, or None where that is not known.

    Keras keeps the function that it trains with, and a tf.function keeps what it was called with.
    """
    found = None
    for function in _functions(getattr(model, "train_function", None), _DEPTH):
        specs = [spec_of_batches(element_spec_of(spec)) for spec in specs_of_calls(function)]
        specs = [spec for spec in specs if spec is not None]
        if specs:
            found = specs[0]
            for spec in specs[1:]:
                found = _in_common(found, spec)
            break
    return found


def _functions(function, depth):
    """The tf.functions in a function, and in the closures of those that wrap them; outer ones first."""
    if hasattr(function, "get_concrete_function"):
        yield function
    if depth and function is not None:
        for cell in getattr(function, "__closure__", None) or ():
            try:
                inner = cell.cell_contents
            except ValueError:  # it was never filled
                continue
            if callable(inner) and not isinstance(inner, type):
                yield from _functions(inner, depth - 1)


def _in_common(first, second):
    """What is the same in two specs of one structure; else the second."""
    try:
        return tf.nest.map_structure(_widened, first, second)
    except (TypeError, ValueError):
        return second


def _widened(first, second):
    if first is None or not isinstance(first, tf.TensorSpec) or not first.shape.rank:
        return second
    if not isinstance(second, tf.TensorSpec) or second.dtype != first.dtype or second.shape.rank != first.shape.rank:
        raise ValueError("no common shape")
    sizes = zip(first.shape.as_list(), second.shape.as_list())
    return tf.TensorSpec([one if one == other else None for one, other in sizes], first.dtype)


def _is_none(leaf):
    # Keras 3 wraps None in an Optional, tf.data in a spec whose class is not public.
    return leaf is None or isinstance(leaf, tf.OptionalSpec) or type(leaf).__name__ == "NoneTensorSpec"


def _is_known(leaf):
    return isinstance(leaf, (tf.TensorSpec, tf.SparseTensorSpec, tf.RaggedTensorSpec)) or _is_none(leaf)


def _relax(leaf):
    if _is_none(leaf):
        return None
    if not isinstance(leaf, tf.TensorSpec) or not leaf.shape.rank:
        return leaf
    return tf.TensorSpec([None] + leaf.shape.as_list()[1:], leaf.dtype, leaf.name)
