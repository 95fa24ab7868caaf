"""Functions in models that are exported, replayed and compared. Groups that fail are halved until one is left."""

import collections
import re
import tempfile
from pathlib import Path

import keras
import numpy as np
import replayed
import tensorflow as tf

from . import calls

GROUP = 12
BOUNDS = {"predict": 1e-5, "evaluate": 1e-4, "trained": 1e-4}
RIGHT, REFUSED, WRONG, CRASHED, NOT_A_MODEL, NOT_CALLED = OUTCOMES = (
    *("right", "refused", "wrong", "crashed", "not a model"),
    "not called",
)
FAULTS = (WRONG, CRASHED)
Found = collections.namedtuple("Found", ["name", "call", "outcome", "why"])
_X = np.random.RandomState(0).uniform(0.15, 0.85, (16, *calls.SHAPE)).astype("float32")


def tried(functions, reader):
    """Yields a Found for each function of a dict, name -> function."""
    ways = {name: calls.way_to_call(function) for name, function in functions.items()}
    yield from (Found(name, "", NOT_CALLED, "") for name, way in ways.items() if way is None)
    callable_ = [(name, functions[name], way) for name, way in ways.items() if way is not None]
    for begin in range(0, len(callable_), GROUP):
        yield from _of_group(callable_[begin : begin + GROUP], reader)


def _of_group(group, reader):
    try:
        found = _replayed(group, reader)
        wrong = _wrong(found, group)
    except BaseException as error:  # pytest.fail is one
        if isinstance(error, KeyboardInterrupt):
            raise
        if len(group) > 1:
            for part in _parts(group, str(error)):
                yield from _of_group(part, reader)
        else:
            yield _failed(group[0], str(error))
        return
    for name, _, way in group:
        yield Found(name, way, WRONG if name in wrong else RIGHT, wrong.get(name, ""))


def _parts(group, text):
    """Those that an error names apart from the others; else two halves."""
    named = [each for each in group if re.search(rf"\bf_{each[0]}\b", text)]
    if 0 < len(named) < len(group):
        return [*([each] for each in named), [each for each in group if each not in named]]
    return [group[: len(group) // 2], group[len(group) // 2 :]]


def _failed(each, text):
    name, function, way = each
    last = [line for line in text.splitlines() if re.match(r"[\w.]*(Error|Exception)\b", line)]
    why = last[-1] if last else text[-300:]
    refused = "keras_gensynth_callback.errors" in why and "DefectError" not in why
    outcome = NOT_A_MODEL if not _trains(function, way) else REFUSED if refused else CRASHED
    return Found(name, way, outcome, why.partition(": ")[2] if refused else why)


def _trains(function, way):
    case = _model([("it", function, way)])
    try:
        case["model"].fit(case["x"], case["y"], batch_size=16, verbose=0)
    except Exception:
        return False
    return True


def _replayed(group, reader):
    def model(_):
        return _model(group)

    with tempfile.TemporaryDirectory() as root:
        return replayed.replay([model], "keras", [reader], Path(root))["model"].checked(reader.version)


def _wrong(found, group):
    """dict, name -> what differs, of the functions with numbers that differ."""
    wrong = {}
    for kind, bound in BOUNDS.items():
        for key, error in found.worst(kind)[1].items():
            if not error <= bound:
                wrong[_name(key.split("/", 1)[1], group)] = f"{kind} differs by {error:.2g}"
    if len(group) == 1 and wrong:
        return {group[0][0]: next(iter(wrong.values()))}
    if any(name is None for name in wrong):
        raise ValueError("a number of the whole model differs")
    return wrong


def _name(key, group):
    """The function that a number belongs to: an output by its position, a weight or metric by its layer; or None."""
    if key.isdigit():
        return group[int(key)][0]
    return next((each[0] for each in group if re.search(rf"\bf_{each[0]}\b", key)), None)


def _model(group):
    inputs = keras.Input(calls.SHAPE, name="x")
    outputs = [_Function(function, way, name=f"f_{name}")(inputs) for name, function, way in group]
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.05), loss=["mse"] * len(outputs))
    return {"model": model, "x": _X, "y": [np.full((16, 1), 0.3, "float32") for _ in outputs], "batch": 16}


class _Function(keras.layers.Layer):
    """All numbers that a function gives, each with a weight of its own, in one; a weight of the layer is on its way."""

    def __init__(self, function, way, **kwargs):
        super().__init__(**kwargs)
        self._function, self._call = function, calls.CALLS[way]

    def build(self, shape):
        self.w = self.add_weight(name="w", shape=(4,), initializer=keras.initializers.Constant([0.9, 0.8, 1.0, 0.7]))

    def call(self, x):
        w = tf.convert_to_tensor(self.w)
        numbers = calls.numbers(self._call(self._function, x * w))
        places = tf.cast(tf.range(tf.size(numbers)), tf.float32)
        total = tf.reduce_mean(tf.tanh(numbers) * tf.cos(places))
        # With a path around it, since not each function has a gradient.
        return total + tf.reduce_mean(x[:, :1] * w, 2)

    def compute_output_shape(self, shape):
        return (shape[0], 1)
