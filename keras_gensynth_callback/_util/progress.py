"""A line that says what takes so long, from two seconds on."""

import contextlib
import sys
import threading
import time

AFTER_SECONDS = 2.0
EVERY_SECONDS = 1.0


@contextlib.contextmanager
def shown(what, verbose):
    """While the block runs longer than `AFTER_SECONDS`, prints `<what> (12 s) ...`.

    On a terminal the line is renewed each second; elsewhere it stands once, and once more when the block has ended.

    Args:
        what: str, for example "Preparing the export of 'net'".
        verbose: bool, whether anything is printed at all.
    """
    if not verbose:
        yield
        return
    line = _Line(what)
    thread = threading.Thread(target=line.renew_until_ended, name="gensynth-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        line.ended.set()
        thread.join()


class _Line:
    def __init__(self, what):
        self._what, self._started = what, time.perf_counter()
        self.ended = threading.Event()

    def renew_until_ended(self):
        if self.ended.wait(AFTER_SECONDS):
            return
        renewed = sys.stdout.isatty()
        self._print("..." if renewed else "...\n")
        while not self.ended.wait(EVERY_SECONDS):
            if renewed:
                self._print("...")
        self._print("done\n")

    def _print(self, end):
        start = "\r" if sys.stdout.isatty() else ""
        seconds = time.perf_counter() - self._started
        sys.stdout.write(f"{start}{self._what} ({seconds:.0f} s) {end}")
        sys.stdout.flush()
