"""`tf.distribute`, and the specs of its datasets."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def outside_of_strategies():
    """Inside of the block there is no `tf.distribute` strategy, and a variable with a copy on each device is the first.

    A scope cannot be left by a public name before it ends. What a variable stands for is what it stands for while a
    SavedModel is written without devices (`values_util.is_saving_non_distributed`). TF 2.4 to 2.21.
    """
    from tensorflow.python.distribute import distribute_lib
    from tensorflow.python.saved_model import save_context, save_options

    distribute_lib._push_per_thread_mode(distribute_lib._get_default_replica_mode())
    try:
        with save_context.save_context(save_options.SaveOptions()):
            yield
    finally:
        distribute_lib._pop_per_thread_mode()


def spec_of_one_replica(spec):
    """The spec of what one replica gets of the batches of a distributed dataset.

    `PerReplicaSpec` keeps one for each replica in `_value_specs`. TF 2.4 to 2.21.
    """
    return spec._value_specs[0] if type(spec).__name__ == "PerReplicaSpec" else spec


def specs_of_calls(function):
    """The first argument of each call that a tf.function was traced for, as a spec: a list.

    A tf.function has no public list of its traces. TF 2.4 to 2.21.
    """
    traces = getattr(function, "_list_all_concrete_functions", None)
    signatures = [trace.structured_input_signature[0] for trace in traces()] if traces is not None else []
    return [arguments[0] for arguments in signatures if arguments]


def element_spec_of(spec):
    """The spec of an iterator's elements, of that of the iterator; any other spec as it is.

    `tf.data.IteratorSpec`, and that of `tf.distribute`, do not tell it. TF 2.4 to 2.21.
    """
    return getattr(spec, "_element_spec", spec) if not isinstance(spec, tf.TensorSpec) else spec
