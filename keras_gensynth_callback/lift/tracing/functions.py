"""A `tf.function` that is called while a trace is made: its ops stand where it is called, since an export has no
function library.

Its Python runs as the function would trace it: arguments and results are tensors where the function makes them
tensors, Keras finds no mask and no logits of them, and AutoGraph converts where the function converts.
"""

import contextlib
import inspect

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.compat import arguments_of_restored, function_calls, functions_run_eagerly, python_of

from .outputs import result_tensor

# What Keras hangs on tensors, and the ops whose outputs it takes the logits of: neither is seen through a function.
_MARKS, _ORIGINS = ("_keras_mask", "_keras_logits"), ("Sigmoid", "Softmax")


@contextlib.contextmanager
def functions_inlined():
    """Inside of the block, calls of a `tf.function` in a graph add its ops to that graph."""
    with functions_run_eagerly(), function_calls(_inlined):
        yield


def _inlined(wrapped, function, args, kwargs):
    if tf.executing_eagerly():
        return wrapped(*args, **kwargs)
    with python_of(function) as python:
        args, kwargs = tf.nest.map_structure(_unmarked, _as_declared(function, python, args, kwargs))
        return tf.nest.map_structure(lambda value: _unmarked(result_tensor(value)), python(*args, **kwargs))


def _unmarked(value):
    is_tensor = isinstance(value, tf.Tensor) and hasattr(value, "op")
    if is_tensor and (value.op.type in _ORIGINS or any(getattr(value, mark, None) is not None for mark in _MARKS)):
        return tf.identity(value)
    return value


def _as_declared(function, python, args, kwargs):
    """The arguments as a trace of the function gets them: NumPy's arrays as tensors, and all that `input_signature`
    lists as it says.
    """
    args, kwargs = (
        tf.nest.map_structure(_array_as_tensor, (args, kwargs)) if _hold_arrays(args, kwargs) else (args, kwargs)
    )
    args, kwargs = arguments_of_restored(function, args, kwargs)
    signature = getattr(function, "input_signature", None)
    if not signature:
        return args, kwargs
    bound = inspect.signature(python).bind(*args, **kwargs)
    bound.apply_defaults()
    for name, spec in zip(bound.arguments, signature):
        bound.arguments[name] = tf.nest.map_structure(_as_specified, spec, bound.arguments[name])
    return bound.args, bound.kwargs


def _hold_arrays(args, kwargs):
    return any(_is_array(leaf) for leaf in tf.nest.flatten((args, kwargs)))


def _is_array(value):
    return isinstance(value, (np.ndarray, np.generic))


def _array_as_tensor(value):
    return tf.convert_to_tensor(value) if _is_array(value) else value


def _as_specified(spec, value):
    if not isinstance(spec, tf.TensorSpec) or isinstance(value, tf.Variable):
        return value
    return tf.convert_to_tensor(value, spec.dtype)
