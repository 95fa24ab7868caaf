"""The graph that one replica of a `tf.distribute` strategy would compute were it alone: that of an export.

Without a strategy, Keras takes the mean of a loss over the whole batch, sums no gradients, and updates each variable
once. Variables, slots and metrics must be there before: what is made inside would be on one device for ever.
"""

import contextlib

import tensorflow as tf

from keras_gensynth_callback.compat import outside_of_strategies, patched, strategy_of


@contextlib.contextmanager
def as_one_replica(model):
    """Around a trace of a model's Python; does nothing where there is no strategy."""
    strategy = strategy_of(model)
    if strategy is None:
        yield
        return

    def update(wrapped, instance, args, kwargs):
        # Optimizers remember the strategy that they were made under.
        return tf.distribute.get_strategy().extended.update(*args, **kwargs)

    with outside_of_strategies(), patched(strategy.extended, "update", update):
        yield


def scope_of(model):
    """The scope in which a model's variables are made."""
    strategy = strategy_of(model)
    return contextlib.ExitStack() if strategy is None else strategy.scope()
