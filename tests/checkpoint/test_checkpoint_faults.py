"""Each call of the file layer fails once, and from then on, in each way: the export before it is never lost.

`pytest -s` prints how many calls there were, and, for each fault, how the training ended.
"""

import collections
import errno
import inspect
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_gensynth_callback.checkpoint import (
    CheckpointManager,
    changed_files,
    check_writable,
    claim,
    lock,
    read_manifest,
    state,
    storage,
    values,
    write_checkpoint,
)
from keras_gensynth_callback.errors import GenSynthExportError

# Python passes over a Ctrl-C in a finalizer, and says so.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FAULTS = {
    "ENOSPC": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "EACCES": lambda: tf.errors.PermissionDeniedError(None, None, "Permission denied"),
    "Ctrl-C": KeyboardInterrupt,
}
MODES = ["once", "lasting"]
SERIES = {"filepath": "net-{epoch}"}


def write(folder, base, number, manager=None):
    manifest = {"number": number, "retention": (manager or CheckpointManager(series=SERIES)).label()}
    write_checkpoint(f"{folder}/{base}", {"w": np.full([50], number, "float32")}, b"graph %d" % number, manifest)
    if manager is not None:
        manager.add(f"{folder}/{base}")


def train(folder, base, number, claims):
    """What a training does with files: a trial, the claim, the exports of earlier programs, an export, retention."""
    check_writable(f"{folder}/{base}")
    manager = CheckpointManager(max_to_keep=1, series=SERIES)
    claims.append(claim(folder, "net-{epoch}"))
    manager.restore(folder)
    write(folder, base, number, manager)


SCENARIOS = {
    "first export": ([], "net-2"),
    "beside another": (["other"], "net-2"),
    "overwrite": (["net-1"], "net-1"),
    "retention": (["net-1"], "net-2"),
}


def points_of_failure():
    functions = inspect.getmembers(storage, inspect.isfunction)
    points = [(storage, name) for name, function in functions if function.__module__ == storage.__name__]
    points = [point for point in points if point[1][0] != "_" and point[1] not in ("is_local", "readable")]
    return [*points, (values, "_save"), (lock.fcntl, "flock")]


class Failing:
    """Makes the n-th call of all functions that touch files fail, or that one and all after it."""

    def __init__(self, patch, at=None, fault=None, lasting=False):
        self.calls, self._at, self._fault, self._lasting = 0, at, fault, lasting
        self.at = None
        for owner, name in points_of_failure():
            patch.setattr(owner, name, self._wrapped(name, getattr(owner, name)))

    def _fault_of(self, name):
        fault = self._fault()
        return OSError(errno.EACCES, "Permission denied") if name == "flock" and is_of_tensorflow(fault) else fault

    def _wrapped(self, name, original):
        def call(*args, **kwargs):
            self.calls += 1
            if self._at is not None and (self.calls == self._at or self._lasting and self.calls > self._at):
                self.at = self.at or name
                # Held by no variable, which would keep this frame, and so the claim, until garbage is collected.
                raise self._fault_of(name)
            return original(*args, **kwargs)

        return call


def is_of_tensorflow(error):
    return isinstance(error, tf.errors.OpError)


@pytest.fixture(
    params=[name if name == "overwrite" else pytest.param(name, marks=pytest.mark.slow) for name in SCENARIOS]
)
def scenario(request, tmp_path):
    before, base = SCENARIOS[request.param]
    make_exports(f"{tmp_path}/before", before)
    return request.param, before, base


def make_exports(folder, bases):
    os.makedirs(folder)
    for number, base in enumerate(bases):
        write(folder, base, number, CheckpointManager() if base == "other" else None)


def test_whatever_call_fails_the_export_before_is_whole_and_the_next_is_written(tmp_path, monkeypatch, scenario):
    name, before, base = scenario
    start = f"{tmp_path}/before"
    with monkeypatch.context() as patch:
        shutil.copytree(start, f"{tmp_path}/count")
        counted = Failing(patch)
        train(f"{tmp_path}/count", base, 7, [])
    assert counted.calls > 50
    ends, failed = collections.Counter(), []
    for at in range(1, counted.calls + 1):
        for fault in FAULTS:
            for mode in MODES:
                folder = f"{tmp_path}/run"
                shutil.copytree(start, folder)
                failing, end = run_with_failure(monkeypatch, folder, base, (at, FAULTS[fault], mode == "lasting"))
                ends[fault, mode, end] += 1
                wrong = what_is_wrong(folder, before, base)
                if wrong:
                    failed.append((at, failing.at, fault, mode, end, wrong))
                shutil.rmtree(folder)
    print(f"\n{name}: {counted.calls} calls")
    for (fault, mode, end), count in sorted(ends.items()):
        print(f"    {fault:7} {mode:8} {end:18} {count:4}")
    assert not failed, "\n".join(map(str, failed))
    for fault in FAULTS:
        end = "KeyboardInterrupt" if fault == "Ctrl-C" else "error"
        assert ends[fault, "lasting", end] > counted.calls / 2


def run_with_failure(monkeypatch, folder, base, failure):
    """Trains once: (what failed, how it ended)."""
    claims, end = [], "no error"  # given up when the disk is as it should be
    with monkeypatch.context() as patch:
        failing = Failing(patch, *failure)
        try:
            train(folder, base, 7, claims)
        except GenSynthExportError:
            end = "error"
        except KeyboardInterrupt:
            end = "KeyboardInterrupt"
    claims.clear()
    return failing, end


def what_is_wrong(folder, before, base):
    """What a failure did to a folder, seen at once and after a further training; "" if nothing."""
    if before and not state.listed(folder):
        return "nothing is listed"
    damaged = what_is_damaged(folder)
    if damaged:
        return f"{damaged} is damaged"
    train(folder, "net-3", 8, [])
    kept = [base for base in before if base == "other"] + ["net-3"]
    suffixes = (".data-00000-of-00001", ".index", ".json", ".meta")
    expected = {"checkpoint", *(name + suffix for name in kept for suffix in suffixes)}
    if what_is_damaged(folder) or state.listed(folder) != kept:
        return f"after it {what_is_damaged(folder)} is damaged, and {state.listed(folder)} listed"
    found = set(os.listdir(folder))
    # What retention had begun to remove is taken off the list first: it may stay, but whole.
    for other in set(before) - {base, *kept}:
        files = {other + suffix for suffix in suffixes}
        if files <= found and not changed_files(f"{folder}/{other}", read_manifest(f"{folder}/{other}")):
            found -= files
    return f"files: {found ^ expected}" if found != expected else ""


def what_is_damaged(folder):
    prefixes = [os.path.join(folder, base) for base in state.listed(folder)]
    return [prefix for prefix in prefixes if changed_files(prefix, read_manifest(prefix))]
