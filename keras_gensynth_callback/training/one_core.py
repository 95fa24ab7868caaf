"""Whether writing aside of training pays on a machine with one core.

There the writing takes the processor from training either way, and a snapshot costs a copy of all values on top, made
by the next step. What is won is the time in which the writing waits for the disk. All of it is measured at the first
export, which is written while training waits.
"""

import os
import time


class OneCore:
    """Decides between the two ways to write; with more than one core, for the one aside of training."""

    def __init__(self):
        self.writes_aside = os.cpu_count() != 1
        self._measured = self.writes_aside

    def measure(self, write):
        """Calls `write`; at its first call, finds out whether the next ones should be made aside of training.

        Args:
            write: a callable that returns the bytes that it wrote.
        """
        if self._measured:
            write()
            return
        wall, processor = time.perf_counter(), time.process_time()
        size = write()
        waited = (time.perf_counter() - wall) - (time.process_time() - processor)
        if size:
            self._measured = True
            self.writes_aside = waited > seconds_to_copy(size)


def seconds_to_copy(size):
    """How long it takes to copy so many bytes in memory, by a trial with at most 16 MiB."""
    trial = bytearray(min(size, 1 << 24))
    started = time.perf_counter()
    bytes(trial)
    return (time.perf_counter() - started) * size / len(trial)
