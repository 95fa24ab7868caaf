"""The exporter of the training that is going on: made anew where model, compilation or data are others than before."""

import numpy as np


class Preparation:
    """Has the graph of a training built once, and kept for the next training that it serves as well.

    What is particular to the process that exports is in subclasses.

    Args:
        options: ExportOptions.

    Attributes:
        usable: whether this training's model can be exported, as far as is known.
    """

    def __init__(self, options):
        self.usable = False
        self.options = options
        self._exporter = None
        self._exporter_is_for = None
        self._waiting = None  # the exporter that waits for a first step
        self._model = None
        self._train_function = None  # what Keras trains with: a new one after each `compile`
        self._sample = None  # a few values at the last export

    def begin(self, model):
        """A training begins; a model on another backend, or under an unknown strategy, is an error."""
        self.usable, self._sample, self._model, self._waiting = False, None, model, None
        self._train_function = getattr(model, "train_function", None)
        self.check(model)
        self.usable = True

    def serves(self, model):
        """Whether the exporter of the last training may be that of this one."""
        return self._exporter is not None and self._is_for_this_training(self._exporter_is_for)

    def check(self, model):
        """Raises an error for a model that is exported nowhere."""
        raise NotImplementedError

    def new_exporter(self, model):
        """What exports a model; it has the methods of `export.Exporter` that are used here."""
        raise NotImplementedError

    def sample(self, model):
        """A few values of a model: list of arrays."""
        raise NotImplementedError

    def prepare(self, data_spec):
        """Has the graph built. Returns whether that must wait for the first step, which makes the model's weights.

        After that step, which may have left layers unbuilt that it does not use, it is built in any case.
        """
        self.usable = False
        exporter = self._exporter_for(data_spec)
        must_wait = not exporter.can_prepare and self._waiting is not exporter
        self._waiting = exporter if must_wait else None
        if not must_wait:
            exporter.prepare(data_spec)
        self.usable = True
        return must_wait

    def snapshot(self, prefix, moment, manager, started):
        """What writes the values of this moment (see `Exporter.begin`)."""
        write = self._prepared_exporter().begin(prefix, moment, manager, started)
        self._sample = self.sample(self._model)
        return write

    def moved(self):
        """Whether something other than a step changed weights since the last export: another callback, an average."""
        if self._sample is None or not self.usable:
            return False
        now = self.sample(self._model)
        return len(now) != len(self._sample) or not all(map(np.array_equal, now, self._sample))

    def _prepared_exporter(self):
        """The exporter of this training; one without spec where nobody called `train_function`."""
        if self._exporter is None or not self._is_for_this_training(self._exporter_is_for):
            self._exporter_for(None).prepare(None)
        return self._exporter

    def _is_for_this_training(self, what):
        model, train_function, _ = what
        return model is self._model and train_function is self._train_function

    def _exporter_for(self, data_spec):
        """The exporter of the last training, if model, compilation and data are the same, else a new one."""
        known = self._exporter_is_for
        if known is None or not self._is_for_this_training(known) or known[2] != data_spec:
            self._exporter = self.new_exporter(self._model)
            self._exporter_is_for = (self._model, self._train_function, data_spec)
        return self._exporter
