"""Runs rows of one Keras: exports here, replays in one process of TensorFlow 1.15 meanwhile, and keeps the results."""

import contextlib
import importlib
import json
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import tensorflow as tf

from . import checks, recipes
from .keras_side import StageError, export_and_record
from .reasons import OTHER_BACKENDS
from .results import NOT_REACHED

_REPLAY = Path(__file__).with_name("replay.py")


# Seconds for the export of a row, by its kind.
_LIMIT, _LIMITS = 300, {"applications": 3600}


@contextlib.contextmanager
def at_most(seconds):
    """Raises TimeoutError in what runs inside once it has taken too long: an endless loop must not stop the suite. What
    counts is the time of the processor, so that nothing is lost on a busy machine.
    """

    def stop(number, frame):
        raise TimeoutError(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Reader:
    """TensorFlow 1.15 in a process of its own, which replays the folders that it is given one after the other."""

    def __init__(self, python, environ):
        self._command, self._environ = [python, "-I", "-W", "ignore", str(_REPLAY)], environ
        self._folders, self._done = queue.Queue(), queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def ask(self, folder):
        self._folders.put(folder)

    def answers(self, wait):
        """The folders that are done by now; with `wait`, at least one."""
        found = [self._done.get()] if wait else []
        while not self._done.empty():
            found.append(self._done.get())
        return found

    def close(self):
        self._folders.put(None)
        self._thread.join()

    def _work(self):
        process = None
        for folder in iter(self._folders.get, None):
            process = process or subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environ,
                universal_newlines=True,
            )
            stop = threading.Timer(_LIMITS["applications"], process.kill)
            stop.start()
            try:
                process.stdin.write(f"{folder}\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = ""
            stop.cancel()
            if not answer:
                error = f"TensorFlow 1.15 ended with exit status {process.wait()}"
                (folder / "replay.json").write_text(json.dumps({"errors": {"load": error}}))
                process = None
            self._done.put(folder)
        if process is not None:
            process.stdin.close()
            process.stdout.close()
            process.wait()


def _compared(wanted, facts, got, replayed, sensitivity):
    found = checks.verdicts(wanted, facts, got, replayed)
    if all(verdict in (None, "–") for verdict in found.values()):
        return found
    return checks.verdicts({**wanted, **sensitivity()}, facts, got, replayed)


class Suite:
    """Runs rows of one Keras.

    Args:
        keras_name: "keras" or "tf_keras".
        python: str, a Python that has TensorFlow 1.15.
        environ: dict, its environment.
        recipe_of: takes a row, and returns its recipe or None.
    """

    def __init__(self, keras_name, python, environ, recipe_of=recipes.recipe):
        self.keras_name, self.keras = keras_name, importlib.import_module(keras_name)
        self._reader = Reader(python, environ)
        self._root = Path(tempfile.mkdtemp(prefix="coverage-"))
        self._waiting, self._recipe_of = {}, recipe_of

    def run(self, rows):
        """Yields a result for each row, as soon as it is there; the order may differ."""
        try:
            for number, row in enumerate(rows):
                result = self._exported(row, self._root / str(number))
                if result is not None:
                    yield result
                # A row ahead is enough to keep both busy; more would keep many exports.
                yield from self._finished(wait=len(self._waiting) > 2)
            while self._waiting:
                yield from self._finished(wait=True)
        finally:
            self._reader.close()
            shutil.rmtree(self._root, ignore_errors=True)

    def _exported(self, row, folder):
        """Exports one row and asks the reader; returns its result only if it ends here."""
        started = time.perf_counter()
        if row.name in OTHER_BACKENDS:
            return self._result(row, dict.fromkeys(checks.COLUMNS, "–"))
        make = self._recipe_of(row)
        if make is None:
            return self._result(row, {"export": "no recipe: tests/breadth does not know how to put it into a model"})
        folder.mkdir()
        draws = 6 if recipes.must_be_random(row) else 2
        try:
            with at_most(_LIMITS.get(row.kind, _LIMIT)):
                wanted, facts, sensitivity = export_and_record(
                    self.keras, lambda keras: make(keras, row.object), folder, draws
                )
        except StageError as error:
            cause = error.__cause__
            prefix = "" if error.stage == "export" else "Keras itself fails: "
            text = f"{prefix}{type(cause).__name__}: {cause}"
            trace = "".join(traceback.format_exception(type(cause), cause, cause.__traceback__))
            classes = [cls.__name__ for cls in type(cause).__mro__]
            return self._result(row, {"export": text}, stage=error.stage, trace=trace, error=classes)
        facts["must be random"] = recipes.must_be_random(row)
        facts["seconds"]["here"] = time.perf_counter() - started
        self._waiting[folder] = row, wanted, facts, sensitivity
        self._reader.ask(folder)
        return None

    def _finished(self, wait):
        for folder in self._reader.answers(wait):
            row, wanted, facts, sensitivity = self._waiting.pop(folder)
            replayed = json.loads((folder / "replay.json").read_text())
            try:
                got = dict(np.load(folder / "replay.npz")) if (folder / "replay.npz").exists() else {}
                found = _compared(wanted, facts, got, replayed, sensitivity)
            except Exception as error:
                # The other rows must not be lost.
                found = {"export": f"the comparison fails: {type(error).__name__}: {error}"}
            if facts["must be random"] and not facts["random"]:
                found["random"] = "Keras draws no random numbers here: the recipe does not show what it should"
            traces = "\n".join(replayed.get("tracebacks", {}).values())
            yield self._result(
                row, found, seconds=facts["seconds"], finite=facts["finite"], nodes=replayed.get("nodes"), trace=traces
            )
            shutil.rmtree(folder, ignore_errors=True)

    def _result(self, row, found, **more):
        complete = all(column in found for column in checks.COLUMNS)
        found = found if complete else {column: found.get(column, NOT_REACHED) for column in checks.COLUMNS}
        return {
            "keras": self.keras_name,
            "version": self.keras.__version__,
            "tensorflow": tf.__version__,
            "kind": row.kind,
            "name": row.name,
            "aliases": row.aliases,
            "checks": found,
            **more,
        }
