"""Ops, variables and devices."""

import tensorflow as tf
from tensorflow.python.client import device_lib
from tensorflow.python.eager import context as eager_context
from tensorflow.python.framework import op_def_registry, ops
from tensorflow.python.ops import gen_math_ops, weights_broadcast_ops

from .patching import patched

# Ops that read variables, by their handles; the sparse ones a part of them.
SPARSE_READS = ("ResourceGather", "ResourceGatherNd")
VARIABLE_READS = ("ReadVariableOp", *SPARSE_READS)


def op_definition(name):
    """The OpDef of an op in the TensorFlow that is installed, or None.

    TensorFlow has no public way to ask for it by the op's name. TF 1.13 to 2.21; 1.15 has no `get`, but a dict of all.
    """
    get = getattr(op_def_registry, "get", None) or op_def_registry.get_registered_ops().get
    return get(name)


def eager_outside_of_functions():
    """Whether what is made outside of any function is made eagerly.

    `tf.compat.v1.executing_eagerly_outside_functions` is public from TF 2.0 on. TF 1.13 to 2.21.
    """
    return ops.executing_eagerly_outside_functions()


def watched_handle(variable):
    """The handle of a variable that an op takes without reading the variable; the graph that is traced notes it.

    What reads a variable says so by itself (`FuncGraph.watch_variable`); there is no public way. TF 2.0 to 2.21.
    """
    ops.get_default_graph().watch_variable(variable)
    return variable.handle


def broadcasts_unasserted():
    """A context in which sample weights are multiplied with losses without an assertion on their shapes.

    Where shapes are open `assert_broadcastable` builds conditionals, and a loss that depends on them waits for all that
    was written before, the statistics of batch normalisation too; `Mul` checks the shapes as well. TF 1.13 to 2.21.
    """
    return patched(weights_broadcast_ops, "assert_broadcastable", lambda *_: tf.no_op())


def selects_built_by(build):
    """A context in which `build(wrapped, instance, args, kwargs)` builds the op of `tf.where`.

    `select_v2` is the one place through which `tf.where` of TF 2, under whichever alias, builds it. TF 1.15 to 2.21.
    """
    return patched(gen_math_ops, "select_v2", build)


def device_lists():
    """What answers, behind all public names, which devices there are: (owner, name, whether it counts GPUs) each.

    `tf.config` asks the `Context`, and so do layers of TensorFlow's own Kerases; `tf.test.is_gpu_available` and
    `tf.test.gpu_device_name` ask `device_lib`. TF 1.15 to 2.21.
    """
    names = ("list_logical_devices", "list_physical_devices", "get_visible_devices")
    found = [(eager_context.Context, name, False) for name in names if hasattr(eager_context.Context, name)]
    return [*found, (eager_context.Context, "num_gpus", True), (device_lib, "list_local_devices", False)]
