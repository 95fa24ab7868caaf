"""When an export is due: the one place that counts batches, epochs and seconds."""

import time

from keras_gensynth_callback import arguments
from keras_gensynth_callback.errors import InvalidArgumentError


class Schedule:
    """Says at each batch end and each epoch end whether an export is due.

    Counting goes on from one `fit` to the next, as with Keras's own callbacks.

    Args:
        save_freq: "epoch", "train_end" or an int: every so many batches.
        period: with "epoch", every how many epochs, counted from the first that this schedule saw.
        save_secs: as well, whenever so many seconds have passed at a batch end.
        clock: the time in seconds; for tests.

    Raises:
        InvalidArgumentError: for values that no export could use.
    """

    def __init__(self, save_freq="epoch", period=1, save_secs=None, clock=time.monotonic):
        self.save_freq = arguments.check_save_freq(save_freq)
        self.period = arguments.check_count("period", period)
        self.save_secs = arguments.check_optional_duration("save_secs", save_secs)
        if self.period != 1 and self.save_freq != "epoch":
            raise InvalidArgumentError(
                f"`period` counts epochs and must be 1 unless save_freq='epoch'. Received: period={period!r} with "
                f"save_freq={save_freq!r}. Leave `period` away, or pass save_freq='epoch'."
            )
        self._clock = clock
        self._last_time = clock()
        self._last_batch = None
        self._batches = 0
        self._epochs = 0

    @property
    def exports_on_batches(self):
        """Whether an export can be due between two epochs' ends."""
        return isinstance(self.save_freq, int) or self.save_secs is not None

    def begin(self):
        """Training begins: seconds count from here, and the next batch is the first of an epoch."""
        self._last_time = self._clock()
        self._last_batch = None

    def begin_epoch(self):
        """The next batch is the first of an epoch."""
        self._last_batch = None

    def after_batch(self, batch):
        """Whether an export is due now.

        Args:
            batch: index of the batch within its epoch, from 0. Under `steps_per_execution` indices are left out;
                what counts is the distance from the last one.
        """
        self._batches += batch + 1 if self._last_batch is None else batch - self._last_batch
        self._last_batch = batch
        due = isinstance(self.save_freq, int) and self._batches >= self.save_freq
        if due:
            self._batches = 0
        return self._time_is_up(due) or due

    def after_epoch(self):
        """Whether an export is due now."""
        if self.save_freq != "epoch":
            return False
        self._epochs += 1
        if self._epochs < self.period:
            return False
        self._epochs = 0
        self._last_time = self._clock()
        return True

    def _time_is_up(self, exported_anyway):
        if self.save_secs is None:
            return False
        now = self._clock()
        up = now - self._last_time >= self.save_secs
        if up or exported_anyway:
            self._last_time = now
        return up
