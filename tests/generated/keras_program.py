"""Exports recipes of one Keras, many in one process: reads a JSON line each, and answers with one.

    python -m generated.keras_program keras

A line holds `recipe`, `seed` and `folder`. The folder gets the export `net`, `feeds.npz` and `options.json` for the
replay, and `wanted.npz`; the answer says how it ended. A line without anything asks how far the numbers of the last
recipe move.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

from keras_gensynth_callback import GenSynthExportCallback, GenSynthExportError

from .backends import backend_of
from .building import BATCH, build
from .witness import Witness, flat

# Seconds of CPU for a recipe; a usual one takes ten.
_LIMIT = 200
# The square of a larger number comes near to what float32 can hold, and the next step is noise.
_DIVERGED = 1e15


def export(keras, recipe, seed, folder):
    """Exports one recipe; returns dict: `outcome` and what belongs to it, and the movements of its numbers: a function,
    or None.
    """
    times = [time.perf_counter()]
    try:
        case = build(keras, recipe, seed)
    except Exception as error:
        return _ended("invalid", error), None
    times.append(time.perf_counter())
    try:
        _fit(keras, case, [GenSynthExportCallback(folder / "net", save_freq="train_end")])
    except Exception as error:
        return _why(keras, recipe, seed, error), None
    times.append(time.perf_counter())
    try:
        witness = Witness(keras, case)
        numbers, facts = witness.numbers()
    except Exception as error:
        return _ended("invalid", error), None
    times.append(time.perf_counter())
    largest = max(np.abs(value).max(initial=0) for value in numbers.values() if value.dtype.kind == "f")
    if not largest < _DIVERGED:
        error = f"Keras's own training diverges: its numbers grow up to {largest:.1g}"
        return {"outcome": "invalid", "error": error}, None
    np.savez(folder / "wanted.npz", **numbers)
    facts["may_repeat"] = ["shared", "spectral", *_unrolled(case.model)]
    if recipe.get("train_step") == "twice" and any(facts["random"]):
        facts["may_repeat"] = [""]  # two calls that draw two times are two
    facts["seconds"] = dict(zip(("keras", "export", "numbers"), np.diff(times).round(2).tolist()))
    _write_feeds(folder, case, facts)
    return {"outcome": "exported", "facts": facts}, functools.partial(witness.movements, numbers, facts)


def _unrolled(model):
    """The names of the layers that stand once a step."""
    return [layer.name for layer in model._flatten_layers() if getattr(layer, "unroll", False)]


def _fit(keras, case, callbacks):
    more = {"validation_split": 0.25} if case.recipe.get("validation") else {}
    if case.class_weight is not None:
        more["class_weight"] = case.class_weight
    if case.recipe.get("data") == "dataset":
        more.pop("validation_split", None)
        parts = (case.x, case.y) if case.sample_weight is None else (case.x, case.y, case.sample_weight)
        data = backend_of(keras).dataset(parts, BATCH, case.class_weight)
        case.model.fit(data, epochs=1, verbose=0, callbacks=callbacks, **more)
        return
    if not all(isinstance(a, np.ndarray) for a in flat(case.x)):
        more.pop("validation_split", None)
    case.model.fit(
        case.x,
        case.y,
        batch_size=BATCH,
        epochs=1,
        verbose=0,
        sample_weight=case.sample_weight,
        callbacks=callbacks,
        **more,
    )


def _why(keras, recipe, seed, error):
    """Whether it was the export that failed, or the training without it fails as well."""
    try:
        _fit(keras, build(keras, recipe, seed), [])
    except Exception as other:
        return _ended("invalid", other)
    return _ended("refused" if isinstance(error, GenSynthExportError) else "crashed", error)


def _ended(outcome, error):
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {"outcome": outcome, "error": f"{type(error).__name__}: {error}"[:2000], "trace": trace[-6000:]}


def _write_feeds(folder, case, facts):
    tensors = json.loads((folder / "net.json").read_text())["tensors"]
    feeds, kinds = {}, {}

    def add(kind, names, values, suffix=""):
        named = {name + suffix: value for name, value in values.items()} if isinstance(values, dict) else None
        for name, value in (named or dict(zip(names, flat(values)))).items():
            if name in names:
                feeds[names[name]], kinds[names[name]] = np.asarray(value), kind

    add("x", tensors["inputs"], case.x)
    add("y", tensors["targets"], case.y, "_target")
    weights, kind = case.sample_weight, "weight"
    if case.class_weight is not None:
        weights, kind = (
            np.array([case.class_weight[int(label)] for label in np.asarray(case.y).ravel()], "float32"),
            "train_weight",
        )
    if weights is not None:
        add(kind, tensors["sample_weights"], weights, "_sample_weights")
    # NumPy stores strings as bytes that TensorFlow 1.15 takes.
    feeds = {name: np.asarray(value, "S") if value.dtype.kind in "OU" else value for name, value in feeds.items()}
    np.savez(folder / "feeds.npz", **feeds)
    outputs = sorted(tensors["outputs"]) if case.recipe.get("structure") == "dict" else list(tensors["outputs"])
    options = {"kinds": kinds, "batch": BATCH, "outputs": outputs, "facts": facts}
    (folder / "options.json").write_text(json.dumps(options))


@contextlib.contextmanager
def _at_most(seconds):
    """Raises TimeoutError in what runs inside once it has used so much of a CPU."""

    def stop(number, frame):
        raise TimeoutError(f"not done after {seconds} seconds of CPU")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def main(keras_name):
    keras = importlib.import_module(keras_name)
    warnings.simplefilter("ignore")
    # What a library prints must not stand between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    backend_of(keras).begin()
    movements = None
    for line in sys.stdin:
        asked = json.loads(line)
        with _at_most(_LIMIT):
            if asked:
                movements = None  # the last case is needed no more
                answer, movements = export(keras, asked["recipe"], asked["seed"], Path(asked["folder"]))
            else:
                answer = movements()
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()
        gc.collect()


if __name__ == "__main__":
    main(sys.argv[1])
