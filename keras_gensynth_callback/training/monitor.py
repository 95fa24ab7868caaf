"""The monitored quantity, and the best value of it so far."""

import math

from keras_gensynth_callback import arguments
from keras_gensynth_callback._util import one_number

MODES = ("auto", "min", "max")


class Monitor:
    """Compares a quantity of the logs with the best value of it so far.

    Args:
        key: the key of the logs, for example "val_loss".
        mode: "min", "max", or "auto": by what the metric itself says (Keras 3), else by its name, as Keras does.
        best: the value that the first one must surpass; None: the first value is the best.

    Raises:
        InvalidArgumentError: for values of another kind.
    """

    def __init__(self, key, mode="auto", best=None):
        self.key = arguments.check_name("monitor", key)
        self.mode = arguments.check_choice("mode", mode, MODES)
        self.best = arguments.check_optional_number("initial_value_threshold", best)

    def value(self, logs):
        """The quantity as a float, or None where the logs do not have it or it is not one number.

        An array with one element is its number.
        """
        return one_number(logs.get(self.key))

    def improves(self, value, model, than=None):
        """Whether a value surpasses the best one, or the one given; None and NaN never do."""
        than = self.best if than is None else than
        if value is None or math.isnan(value):
            return False
        if than is None:
            return True
        return value > than if self._direction(model) == "max" else value < than

    def _direction(self, model):
        if self.mode != "auto":
            return self.mode
        name = self.key[len("val_") :] if self.key.startswith("val_") else self.key
        if name == "loss":
            return "min"
        for metric in _flat_metrics(getattr(model, "metrics", ())):
            declared = getattr(metric, "_direction", None)
            if getattr(metric, "name", None) == name and declared in ("up", "down"):
                return "max" if declared == "up" else "min"
        higher_is_better = "acc" in name or "auc" in name or name.startswith("fmeasure")
        return "max" if higher_is_better else "min"


def _flat_metrics(metrics):
    """The metrics themselves, out of the containers that Keras 3 keeps them in."""
    for metric in metrics:
        yield metric
        yield from _flat_metrics(getattr(metric, "metrics", None) or ())
