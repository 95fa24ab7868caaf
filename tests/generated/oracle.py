"""Whether a recipe holds: it is exported, replayed and compared."""

import re
import shutil
import tempfile
from pathlib import Path

import numpy as np

from .comparison import complaints
from .workers import Died, keras_worker, replay_worker

OUTCOMES = ("ok", "FALLS SHORT", "crashed", "refused", "invalid")


class Result:
    """How a recipe ended.

    Attributes:
        outcome: one of OUTCOMES.
        lines: what falls short, or the error.
        trace: str, the traceback of an error.
        seconds: dict.
    """

    def __init__(self, outcome, lines=(), trace="", seconds=None, nodes=None):
        self.outcome, self.lines, self.trace = outcome, list(lines), trace
        self.seconds, self.nodes = seconds or {}, nodes

    @property
    def failed(self):
        return self.outcome not in ("ok", "invalid")

    def kind(self):
        """What stays the same while a failing recipe shrinks: the outcome and what its first line is about."""
        if not self.lines:
            return self.outcome, ""
        return self.outcome, _kind(self.lines[0], self.outcome)


def _kind(line, outcome):
    if outcome == "FALLS SHORT":
        what = line.split(":")[0].split("/")[0]
        if what in ("predict", "evaluate", "weighted", "gradient", "training", "after", "trained"):
            return what
    # Names and numbers may become others.
    return re.sub(r"[\w./:]*\d[\w./:]*|'[^']*'|\"[^\"]*\"", "#", line)[:60]


class Oracle:
    """Exports and replays recipes with one Keras on one backend, in two processes."""

    def __init__(self, keras_name, backend="tensorflow"):
        self._keras, self._replay = keras_worker(keras_name, backend), replay_worker()

    def close(self):
        self._keras.close()
        self._replay.close()

    def __call__(self, recipe, seed):
        folder = Path(tempfile.mkdtemp(prefix="generated-"))
        try:
            return self._examined(folder, recipe, seed)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _examined(self, folder, recipe, seed):
        try:
            answer = self._keras.ask(recipe=recipe, seed=seed, folder=str(folder))
        except Died as error:
            return Result("crashed", [f"the exporting process {error}"])
        if answer["outcome"] != "exported":
            return Result(answer["outcome"], [answer["error"]], answer.get("trace", ""))
        try:
            replayed = self._replay.ask(folder=str(folder))
        except Died as error:
            return Result("crashed", [f"the replaying process {error}"])
        wanted, got = (dict(np.load(folder / name)) for name in ("wanted.npz", "got.npz"))
        lines = complaints(wanted, answer["facts"], got, replayed)
        if any("differs by" in line for line in lines):
            # Costly, so only now: how far Keras's own numbers move.
            try:
                moved = self._keras.ask()
            except Died as error:
                return Result("crashed", [f"the process that measures movements {error}"])
            lines = complaints(wanted, answer["facts"], got, replayed, moved)
        seconds = {**answer["facts"]["seconds"], "replay": replayed["seconds"]}
        trace = "\n".join(replayed["tracebacks"].values())
        return Result("FALLS SHORT" if lines else "ok", lines, trace, seconds, replayed.get("nodes"))
