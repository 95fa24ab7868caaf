"""Whether a graph computes what Keras computes: both on one batch, in both phases, with the same values.

The batch is made up, of the shapes and types of the data: what both make of it can be compared all the same. The graph
runs in a clean process, before training has begun and before any export of it is committed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from typing import TYPE_CHECKING, Any, Dict, Mapping, Tuple

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.checkpoint import write_checkpoint
from keras_gensynth_callback.compat import strategy_of
from keras_gensynth_callback.errors import VerificationError
from keras_gensynth_callback.lift import KerasNumbers

from .verifying import run_in, storable

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Model, Tensor
    from keras_gensynth_callback.lift import Adapter, Lifted

_Arrays = Dict[str, np.ndarray]
# A number of Keras, and how far it moves with a rounding error of the weights.
_Expected = Tuple[np.ndarray, float]

BATCH, SIZES = 4, (8, 32, 128)
# How far numbers may be off, relative to the largest of an array.
_BOUNDS = {"predictions": 1e-5, "predictions in training": 1e-5, "metrics": 1e-5, "trained": 1e-3}
_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "numbers_program.py")
# What rounding the weights once more does to the numbers of Keras itself, they may be off tenfold.
_TIMES = 10


def verify_numbers(
    model: Model, adapter: Adapter, lifted: Lifted, meta_graph: bytes, values: Mapping[str, Tensor]
) -> Dict[str, float]:
    """Compares a graph with the model that it was made of.

    Args:
        model: the Keras model.
        adapter: its Adapter.
        lifted: its Lifted.
        meta_graph: bytes, the serialized MetaGraphDef.
        values: dict, name in the graph -> value, as the variables are now.

    Returns:
        dict, name of what was compared -> how far it is off, relative to the largest number; empty where the model runs
        in a session or under a strategy, or does not take made-up data, which a warning says.

    Raises:
        VerificationError: something is off by more than it may be.
    """
    if adapter.live is not None or strategy_of(model) is not None:
        return {}
    arrays, expected = _asked(model, adapter, lifted)
    if not expected:
        return {}
    found = _computed(model, arrays, meta_graph, values)
    return _compared(model, expected, found, {v.name: np.asarray(values[v.name]) for v in lifted.variables})


def _asked(model: Model, adapter: Adapter, lifted: Lifted) -> Tuple[_Arrays, Dict[str, _Expected]]:
    """Made-up data by the names of the signatures' inputs, and what Keras says of them."""
    serving, batch = lifted.data
    failure = None
    for size in SIZES:
        arrays = _made_up(lifted, size)
        pack = lambda spec: spec.pack([arrays[name] for name in spec.names()])  # noqa: B023, E731
        try:
            return arrays, KerasNumbers(adapter, lifted, pack(serving)[0], pack(batch)).found()
        except Exception as error:  # what Keras says of data that were made up can be anything
            failure = failure or error
    warnings.warn(
        f"The numbers of the model `{model.name}` are not verified: Keras does not take data that are made up "
        f"({type(failure).__name__}: {str(failure).splitlines()[0]}). Compare them with "
        "`verify_checkpoint(inputs=..., outputs=...)`.",
        stacklevel=2,
    )
    return {}, {}


def _made_up(lifted: Lifted, size: int) -> _Arrays:
    """An array for each tensor that a step is fed with: small numbers, zeros and ones, words of lookup tables."""
    draw, arrays = np.random.RandomState(0), {}
    words = [table.keys for table in lifted.tables if np.asarray(table.keys).dtype.kind in "OSU"]
    for spec in lifted.data:
        for name, tensor in zip(spec.names(), spec.specs()):
            shape = [BATCH if not at else size for at in range(tensor.shape.rank or 0)]
            shape = [known or made for known, made in zip(tensor.shape.as_list(), shape)]
            dtype = tensor.dtype.as_numpy_dtype
            if tensor.dtype == tf.string:
                arrays[name] = draw.choice(np.asarray(words[0]).astype("S"), shape) if words else np.full(shape, b"a")
            elif tensor.dtype.is_floating:
                arrays[name] = draw.uniform(size=shape).astype(dtype)
            else:
                arrays[name] = draw.randint(0, 2, shape).astype(dtype)
    return arrays


def _computed(model: Model, arrays: _Arrays, meta_graph: bytes, values: Mapping[str, Tensor]) -> _Arrays:
    """What a clean process makes of the graph with these values."""
    with tempfile.TemporaryDirectory() as folder:
        prefix, data, out = [os.path.join(folder, name) for name in ("net", "data.npz", "out.npz")]
        write_checkpoint(prefix, values, meta_graph, {})
        np.savez(data, **{name: storable(value) for name, value in arrays.items()})
        done = run_in(sys.executable, _PROGRAM, prefix, data, out)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["nothing was said"]
            raise VerificationError(
                f"The graph of the model `{model.name}` does not run in a clean process: {said[0].rstrip('.')}. "
                "Nothing is exported; please report it with the model."
            )
        with np.load(out) as found:
            return dict(found)


def _compared(model: Model, expected: Dict[str, _Expected], found: _Arrays, weights: _Arrays) -> Dict[str, float]:
    differences, wrong = {}, []
    for name, (value, movement) in expected.items():
        kind, _, of = name.partition("/")
        if name not in found:
            continue
        there, size = found[name], _largest(value)
        off = _largest(_plain(there) - _plain(value)) if there.shape == value.shape else np.inf
        bound = max(_BOUNDS[kind] * size, _TIMES * movement)
        if kind == "trained":
            bound += 2.0**-22 * _largest(weights[of])  # the step itself is rounded to the weight's precision
        differences[name] = off / (size or 1.0)
        if not off <= bound:
            wrong.append(f"{name} by {off:.1e} where {bound:.1e} is allowed")
    if wrong:
        raise VerificationError(
            f"The graph of the model `{model.name}` does not give the numbers of Keras. Off are: "
            f"{'; '.join(wrong[:5])}{' and more' if len(wrong) > 5 else ''}. Nothing is exported (an earlier export is "
            "intact); please report it with the model."
        )
    return differences


def _plain(values: Any) -> np.ndarray:
    """Numbers that can be subtracted; what is no number in both is equal."""
    return np.nan_to_num(np.asarray(values).astype("float64"))


def _largest(values: Any) -> float:
    values = _plain(values)
    return float(np.max(np.abs(values))) if values.size else 0.0
