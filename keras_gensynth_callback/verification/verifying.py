"""Whether an export is what it should be: reloaded by a clean interpreter, which has neither Keras nor this package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

import numpy as np

from keras_gensynth_callback.checkpoint import changed_files, existing_prefix, read_manifest, read_tensors, readable
from keras_gensynth_callback.errors import InvalidArgumentError, VerificationError

from .reload_program import digest

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Arrays, Path, Verified

# TensorFlow 2 sets it when it is imported, and TensorFlow 1.15 would run eagerly by it.
_LEAKS = ("TF2_BEHAVIOR",)
_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reload_program.py")


def verify_checkpoint(
    filepath: Path,
    *,
    inputs: Arrays = None,
    outputs: Arrays = None,
    rtol: float = 1e-5,
    python: Optional[str] = None,
) -> Verified:
    """Reloads an export in a clean interpreter, without Keras, and compares.

    The files must be those of the manifest, the graph must load, and each variable must hold, bit for bit, what the
    checkpoint has under its name. With `inputs` the model predicts there, and with `outputs` that is compared.

    Args:
        filepath: str or PathLike, the checkpoint prefix.
        inputs: dict, input name -> array, what `serving_default` is fed with; or None.
        outputs: dict, output name -> array, what is expected of `inputs`; or None.
        rtol: float, how far outputs may be off, relative to the largest of the expected ones.
        python: str, the interpreter, for example that of an environment with TensorFlow 1.15; None: this one, whose
            TensorFlow then reads in its v1 mode.

    Returns:
        dict: `tensorflow`, the version that read it; `variables`, how many; `signatures`; `outputs`, name -> array;
        `differences`, name -> float, of those that were compared.

    Raises:
        CheckpointFormatError: there is no such checkpoint, or its files are damaged.
        VerificationError: it does not load, or is not what it should be.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> record = gensynth.export_checkpoint(model, tmp_path / "net")
        >>> gensynth.verify_checkpoint(record.prefix)["variables"]
        2
    """
    prefix = existing_prefix(filepath)
    manifest = read_manifest(prefix)
    changed = changed_files(prefix, manifest) if manifest is not None else []
    if changed:
        raise VerificationError(
            f"The checkpoint {prefix!r} is damaged: {', '.join(changed)} differ from the manifest, or are missing. "
            "Export again, or restore the files."
        )
    found = reload(prefix, read_tensors(prefix), inputs, python)
    differences = _compared(prefix, found["outputs"], outputs or {}, rtol)
    return {
        "tensorflow": found["tensorflow"],
        "variables": len(found["variables"]),
        "signatures": found["signatures"],
        "outputs": found["outputs"],
        "differences": differences,
    }


def reload(
    prefix: str, values: Mapping[str, Any], inputs: Arrays = None, python: Optional[str] = None
) -> Dict[str, Any]:
    """What a clean interpreter finds in a checkpoint; each variable must have the bits of `values`.

    Raises:
        VerificationError: it does not load, or a variable has another value.
    """
    with readable(prefix, local=True) as place:
        found = _run(place, inputs or {}, python or sys.executable)
    there = found["variables"]
    wrong = sorted(name for name in values if there.get(name) != digest(np, values[name]))
    if wrong or len(there) != len(values):
        names = ", ".join(wrong[:5] or sorted(set(there) - set(values))[:5])
        raise VerificationError(
            f"The checkpoint {prefix!r}, reloaded by TensorFlow {found['tensorflow']}, has {len(there)} variables, and "
            f"{len(values)} were expected; other than expected are: {names}. Export again; if that does not mend it, "
            "please report it with the model."
        )
    found["outputs"] = {name: np.asarray(value) for name, value in found["outputs"].items()}
    return found


def _run(prefix: str, inputs: Mapping[str, Any], python: str) -> Dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        arrays = os.path.join(folder, "arrays.npz")
        np.savez(arrays, **{name: storable(value) for name, value in inputs.items()})
        done = run_in(python, _PROGRAM, prefix, arrays)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["nothing was said"]
        raise VerificationError(
            f"The checkpoint {prefix!r} does not load in a clean interpreter ({python}): {said[0].rstrip('.')}. Export "
            "again; if that does not mend it, please report it with the model."
        )
    return json.loads(done.stdout.decode("utf-8").splitlines()[-1])


def run_in(python: str, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a program of this package by another interpreter, alone and without a GPU.

    Returns:
        subprocess.CompletedProcess, with what was printed as bytes.

    Raises:
        InvalidArgumentError: `python` cannot be run.
    """
    environ = {name: value for name, value in os.environ.items() if name not in _LEAKS}
    environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    command, pipe = [python, "-I", "-W", "ignore", program, *arguments], subprocess.PIPE
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environ)
    except OSError as error:
        raise InvalidArgumentError(
            f"`python` must be an interpreter that has TensorFlow. Received: python={python!r}, which cannot be run: "
            f"{error}. Pass its path, or None for this one."
        ) from error


def _compared(prefix: str, found: Dict[str, np.ndarray], expected: Mapping[str, Any], rtol: float) -> Dict[str, float]:
    unknown = sorted(set(expected) - set(found))
    if unknown:
        raise VerificationError(
            f"`outputs` names {', '.join(map(repr, unknown))}, which {prefix!r} does not give. It gives "
            f"{', '.join(map(repr, sorted(found))) or 'nothing without `inputs`'}."
        )
    differences = {name: difference(found[name], np.asarray(value, "float64")) for name, value in expected.items()}
    too_far = {name: difference for name, difference in differences.items() if not difference <= rtol}
    if too_far:
        raise VerificationError(
            f"The checkpoint {prefix!r} predicts otherwise than expected: {too_far} relative to the largest output, "
            f"where rtol={rtol} was asked for. Are the inputs those that the outputs were made from?"
        )
    return differences


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """How far an array is off, relative to the largest number expected; infinite where the shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    return float(np.max(np.abs(found - expected)) / (np.max(np.abs(expected)) or 1.0))


def storable(value: Any) -> Any:
    """`value` as an array that `numpy.savez` stores without pickles, which no program here loads: texts as bytes."""
    value = np.asarray(value)
    if value.dtype.kind != "O":
        return value
    texts = [text.encode("utf-8") if isinstance(text, str) else bytes(text) for text in value.ravel()]
    return np.array(texts, dtype="S").reshape(value.shape)
