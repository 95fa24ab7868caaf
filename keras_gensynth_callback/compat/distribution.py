"""Training on several devices or machines: which strategies are known, who writes, and how all stay in step.

Values are read by all workers, since those that each worker holds a part of (metrics, some statistics) are reduced
across them. That is a collective: each worker must take part, at the same moment. So whether an export is made is
decided by one of them, the chief, which alone writes.
"""

import tensorflow as tf

from keras_gensynth_callback.errors import UnsupportedStrategyError

_SUPPORTED = ("MirroredStrategy", "MultiWorkerMirroredStrategy", "OneDeviceStrategy")


def strategy_of(model):
    """The `tf.distribute.Strategy` that a model trains under, or None where there is none."""
    if isinstance(model, type):
        return None
    strategy = getattr(model, "distribute_strategy", None) or getattr(model, "_distribution_strategy", None)
    # The strategy that stands for none has no public name.
    return None if strategy is None or type(strategy).__name__.startswith("_Default") else strategy


def check_strategy(model, in_graph_mode=False):
    """Raises UnsupportedStrategyError where a model trains under a strategy whose values cannot be exported."""
    strategy = strategy_of(model)
    if strategy is None or not in_graph_mode and isinstance(strategy, _classes(*_SUPPORTED)):
        return
    where, expected = (" in graph mode", "none") if in_graph_mode else ("", ", ".join(_SUPPORTED) + " or none")
    raise UnsupportedStrategyError(
        f"The model `{model.name}` trains under {type(strategy).__name__}{where}, of which no exports can be made. "
        f"Expected as the strategy: {expected}. Train under one of these; or save the weights (`model.save_weights`), "
        "load them into the same model made outside of any strategy's scope, and export that with `export_checkpoint`."
    )


def _classes(*names):
    return tuple(getattr(tf.distribute, name) for name in names if hasattr(tf.distribute, name))


class Workers:
    """The processes that train a model together; without a strategy, or with one for a single machine, there is one.

    Args:
        model: the Keras model, or None before a training.

    Attributes:
        writes: whether this process writes the exports: the chief does.
    """

    def __init__(self, model=None):
        strategy = strategy_of(model)
        self.writes = strategy is None or strategy.extended.should_checkpoint
        self._strategy = strategy if isinstance(strategy, _classes("MultiWorkerMirroredStrategy")) else None

    def agree(self, decision):
        """What the chief decides. All workers must ask at the same moment; each waits for the chief."""
        if self._strategy is None:
            return decision
        vote = tf.constant(int(bool(decision) and self.writes))
        votes = self._strategy.experimental_distribute_values_from_function(lambda _: vote)
        return bool(self._strategy.reduce("SUM", votes, axis=None) > 0)
