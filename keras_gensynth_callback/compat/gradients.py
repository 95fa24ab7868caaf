"""Gradients: `tf.gradients` and `tf.GradientTape`."""

import contextlib
from typing import Set

import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.ops import control_flow_ops, control_flow_util, gradients_util

from .patching import patched


def gradient_function(op):
    """The registered gradient of a tf.Operation, None where it has none by design; LookupError where it has none at
    all.

    Public TensorFlow registers gradients (`tf.RegisterGradient`) but does not look them up. TF 1.0 to 2.21.
    """
    return ops.get_gradient_function(op)


def can_be_differentiated(op_type):
    """Whether a gradient is registered for the ops of a type.

    Later releases have the registry without the underscore as well. TF 1.13 to 2.21.
    """
    registry = getattr(ops, "gradient_registry", None) or ops._gradient_registry
    try:
        return registry.lookup(op_type) is not None
    except LookupError:
        return False


def gradients_of_graphs(take):
    """A context in which `tf.gradients` calls `take(wrapped, ys, xs, grad_ys)` for its result; `wrapped()` is what it
    would give.

    Both `tf.gradients` and optimizers, under whichever alias, go through `_GradientsHelper`. TF 1.15 to 2.21.
    """

    def helper(wrapped, instance, args, kwargs):
        with loops_behind_sources_left_alone():
            return take(lambda: wrapped(*args, **kwargs), *_targets_and_sources(*args, **kwargs))

    return patched(gradients_util, "_GradientsHelper", helper)


@contextlib.contextmanager
def loops_behind_sources_left_alone():
    """Inside of the block `tf.gradients` changes no loop that a source is the result of.

    It would count the turns of such a loop for a gradient that never goes through it, and one phase would have a loop
    that the other has not. `MaybeCreateControlFlowState` is where it looks for loops, `IsLoopExit` how it knows them
    later. TF 1.15 to 2.21.
    """
    sources: Set[tf.Operation] = set()

    def create(wrapped, instance, args, kwargs):
        on_the_way, known = args[0], args[1]
        exits = filter(control_flow_util.IsLoopExit, on_the_way)
        sources.update(op for op in exits if not any(tensor.op in known for tensor in op.inputs))
        return wrapped(*args, **kwargs)

    def is_exit(wrapped, instance, args, kwargs):
        return args[0] not in sources and wrapped(*args, **kwargs)

    module = getattr(gradients_util, "control_flow_state", control_flow_ops)  # the latter before TF 1.15
    with patched(module, "MaybeCreateControlFlowState", create):
        with patched(control_flow_util, "IsLoopExit", is_exit):
            yield


def _targets_and_sources(ys, xs, grad_ys=None, *_, **__):
    return ys, xs, grad_ys


@contextlib.contextmanager
def observed_tapes(observer):
    """While the block runs, `observer` is told when a `tf.GradientTape` is opened (`pushed`), closed (`popped`), and
    what it is told to watch (`watched`).

    `_push_tape` and `_pop_tape` are where `with`, `stop_recording`, `reset` and `jacobian` come by; `_tape` is None
    where nothing is recorded yet. TF 2.0 to 2.21.
    """

    def push(wrapped, tape, args, kwargs):
        is_new = tape._tape is None
        wrapped(*args, **kwargs)
        observer.pushed(tape, is_new)

    def pop(wrapped, tape, args, kwargs):
        wrapped(*args, **kwargs)
        observer.popped(tape)

    def watch(wrapped, tape, args, kwargs):
        wrapped(*args, **kwargs)
        observer.watched(tape, *args, **kwargs)

    with contextlib.ExitStack() as stack:
        for name, wrapper in (("_push_tape", push), ("_pop_tape", pop), ("watch", watch)):
            stack.enter_context(patched(tf.GradientTape, name, wrapper))
        yield
