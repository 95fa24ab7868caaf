"""Every private name of TensorFlow that lifting needs, each with its reason and the versions it was seen in.

`tests/test_private_apis.py` touches each of them first, so that a release that moves one fails there and not in a
user's training.
"""

import contextlib

import tensorflow as tf
import wrapt
from tensorflow.python.framework import ops
from tensorflow.python.ops import control_flow_ops


def gradient_function(op):
    """The registered gradient of a tf.Operation, None where it has none by design; LookupError where it has none at
    all.

    Public TensorFlow registers gradients (`tf.RegisterGradient`) but does not look them up. TF 1.0 to 2.21.
    """
    return ops.get_gradient_function(op)


def ask_for_v1_control_flow(graph):
    """Lets `tf.cond` and `tf.while_loop` build v1 control flow in a FuncGraph, once `disable_control_flow_v2` was
    called.

    `control_flow_util.EnableControlFlowV2` answers by the presence of this attribute, which only the FuncGraphs of TF
    1.x had. TF 1.13 to 2.21.
    """
    graph._captured = ()


def by_identity(wrapped, instance, args, kwargs):
    """A wrapt wrapper: what it wraps compares tensors by identity, as all of TF 1.x does."""
    equality = tf.Tensor._USE_EQUALITY
    tf.Tensor._USE_EQUALITY = False
    try:
        return wrapped(*args, **kwargs)
    finally:
        tf.Tensor._USE_EQUALITY = equality


@contextlib.contextmanager
def identity_inside_contexts():
    """Lets v1 control flow contexts compare tensors by identity while they add an op.

    `CondContext._AddOpInternal` and `WhileContext._AddOpInternal` say `real_x != x`, which in a FuncGraph builds a
    NotEqual op, which is added to the context, and so on. TF 2.0 to 2.21; `Tensor._USE_EQUALITY` is what
    `tf.compat.v1.disable_tensor_equality` sets.
    """

    with contextlib.ExitStack() as stack:
        for context in (control_flow_ops.CondContext, control_flow_ops.WhileContext):
            stack.enter_context(patched(context, "_AddOpInternal", by_identity))
        yield


@contextlib.contextmanager
def patched(owner, name, wrapper):
    """Wraps the attribute `name` of `owner` with a wrapt wrapper function, for the time of the block."""
    own = name in vars(owner)
    original = getattr(owner, name)
    # object.__setattr__ keeps Keras models, which track what is set on them, out of it.
    put = type.__setattr__ if isinstance(owner, type) else object.__setattr__
    drop = type.__delattr__ if isinstance(owner, type) else object.__delattr__
    before = vars(owner).get(name)
    put(owner, name, wrapt.FunctionWrapper(original, wrapper))
    try:
        yield
    finally:
        if own:
            put(owner, name, before)
        else:
            drop(owner, name)
