"""Work aside of training: one thread, which lives while there is work, one job in hand and at most one waiting.

The thread is no daemon: the interpreter waits for it when it ends, also after an exception or a KeyboardInterrupt that
`fit` let pass. A job is any callable that raises nothing; it has an attribute `error`, an exception or None.

A process that is forked has its own writers, without thread and without jobs: those of its parent are its parent's.
"""

import collections
import logging
import threading
import weakref
from typing import Any, Deque, Optional

from keras_gensynth_callback._util import forks

logger = logging.getLogger("keras_gensynth_callback")
_writers: "weakref.WeakSet[Writer]" = weakref.WeakSet()


@forks.in_child
def _forget_the_parents():
    for writer in list(_writers):
        writer.begin_anew()


class Writer:
    """Runs jobs in their order, in a thread of its own.

    A failed job that nobody asks for any more is logged when the writer is thrown away, at the latest when the
    interpreter ends.
    """

    def __init__(self):
        self._finished: Deque[Any] = collections.deque()
        self.begin_anew()
        _writers.add(self)
        weakref.finalize(self, _log_failures, self._finished)

    def begin_anew(self):
        """Forgets all jobs, and the thread."""
        self._change = threading.Condition()
        self._waiting: Deque[Any] = collections.deque()
        self._finished.clear()
        self._thread: Optional[threading.Thread] = None

    def __reduce__(self):
        return Writer, ()  # a copy has neither jobs nor a thread

    def wait_for_slot(self):
        """Returns when no job waits behind the one in hand."""
        with self._change:
            self._change.wait_for(lambda: not self._waiting)

    def start(self, job):
        """Has a job run after those that were started before, and returns. Where no thread can be had, runs it now."""
        with self._change:
            self._waiting.append(job)
            if self._thread is not None:
                return
            try:
                self._start_thread()
                return
            except Exception as error:  # RuntimeError: can't start new thread
                logger.warning("No thread can be started (%s): training waits until the export is written.", error)
        self.run(job)

    def _start_thread(self):
        thread = threading.Thread(target=self._work, name="gensynth-export", daemon=False)
        self._thread = thread
        try:
            thread.start()
        except BaseException:
            # Should it have been started all the same, it finds that it is not the one, and ends.
            self._thread = None
            self._waiting.clear()
            raise

    def run(self, job):
        """Runs a job in the caller's thread, after those that were started before."""
        self.wait()
        job()
        self._finished.append(job)

    def wait(self):
        """Returns when all jobs have ended; at once if a job itself asks."""
        if threading.current_thread() is self._thread:
            return
        with self._change:
            self._change.wait_for(lambda: self._thread is None)

    def take_finished(self):
        """The jobs that have ended since this was asked last, in their order."""
        taken = []
        while self._finished:
            taken.append(self._finished.popleft())
        return taken

    def _work(self):
        while True:
            with self._change:
                if self._thread is not threading.current_thread():
                    return
                if not self._waiting:
                    self._thread = None
                    self._change.notify_all()
                    del self  # an error that is kept keeps its frames, of which this is one
                    return
                job = self._waiting.popleft()
                self._change.notify_all()
            job()
            self._finished.append(job)
            del job  # and what it holds, while the thread looks for the next one


def _log_failures(finished):
    for job in finished:
        if job.error is not None:
            logger.error("%s, after training had ended. %s: %s", job.what, type(job.error).__name__, job.error)
