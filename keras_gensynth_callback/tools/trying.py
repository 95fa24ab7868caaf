"""A checkpoint tried in a clean process, as a TensorFlow 1.x program would use it, with a verdict on each thing."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np

from keras_gensynth_callback.checkpoint import changed_files, existing_prefix, read_manifest, read_tensors, readable
from keras_gensynth_callback.errors import GenSynthExportError, InvalidArgumentError, VerificationError
from keras_gensynth_callback.inspection import read_meta_graph
from keras_gensynth_callback.lift import adapter_of
from keras_gensynth_callback.verification import difference, digest, run_in, storable

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Arrays, Model, Path, Tried, Verdict

_TARGET, _WEIGHTS = "_target", "_sample_weights"
_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "try_program.py")


def try_checkpoint(
    filepath: Path,
    *,
    data: Arrays = None,
    against: Optional[Path] = None,
    rtol: float = 1e-5,
    python: Optional[str] = None,
) -> Tried:
    """Loads a checkpoint in a clean process, without Keras, predicts, evaluates, runs its updates and trains a step.

    What `verify_checkpoint` checks it checks as well: the files, and each variable bit by bit.

    Args:
        filepath: str or PathLike, the checkpoint prefix.
        data: dict, name of an input, target or sample weight -> array, what signatures are fed with; what is not in it
            is made up, in batches of 8.
        against: str or PathLike, a model file: the same model in Keras, whose predictions, loss and metrics must be the
            same; or None.
        rtol: float, how far numbers may be off `against`, relative to the largest.
        python: str, the interpreter, for example that of an environment with TensorFlow 1.15; None: this one.

    Returns:
        dict: `prefix`; `tensorflow`, the version that tried it; `python`; `ok`, whether no verdict is against it;
        `verdicts`, a list of `name`, `ok` (True, False, or None where there was nothing to try) and `words`.

    Raises:
        CheckpointFormatError: there is no such checkpoint, or it has no graph.
        InvalidArgumentError: `python` cannot be run, or has no TensorFlow.
        ModelFileError: `against` is no model file.
    """
    prefix = existing_prefix(filepath)
    read_meta_graph(prefix)
    with tempfile.TemporaryDirectory() as folder, readable(prefix, local=True) as place:
        found, results = _tried(os.path.abspath(place), data or {}, python or sys.executable, folder)
    loads, *others = found["verdicts"]
    verdicts = [_files(prefix), loads, *([_values(prefix, found["digests"])] if loads["ok"] else []), *others]
    if against is not None and results:
        verdicts += _compared(against, results, rtol)
    return {
        "prefix": prefix,
        "tensorflow": found["tensorflow"],
        "python": python or sys.executable,
        "ok": not any(verdict["ok"] is False for verdict in verdicts),
        "verdicts": verdicts,
    }


def _verdict(name: str, ok: Optional[bool], words: str) -> Verdict:
    return {"name": name, "ok": ok, "words": words}


def _files(prefix: str) -> Verdict:
    try:
        manifest = read_manifest(prefix)
    except GenSynthExportError as error:
        return _verdict("files", False, str(error))
    if manifest is None:
        return _verdict("files", None, "there is no manifest to compare them with")
    changed = changed_files(prefix, manifest)
    if changed:
        return _verdict("files", False, f"{', '.join(changed)} differ from the manifest, or are missing")
    return _verdict("files", True, f"{len(manifest['files'])} as the manifest says")


def _values(prefix: str, digests: Dict[str, str]) -> Verdict:
    """Whether each variable has the bits that the checkpoint holds under its name, as `verify_checkpoint` asks, too."""
    try:
        values = read_tensors(prefix)
    except GenSynthExportError as error:
        return _verdict("values", False, str(error))
    wrong = sorted(name for name in values if digests.get(name) != digest(np, values[name]))
    if wrong:
        return _verdict("values", False, f"{len(wrong)} of {len(values)} are not what they were, {wrong[0]} among them")
    return _verdict("values", True, f"{len(values)} as the files have them")


def _tried(
    prefix: str, data: Mapping[str, Any], python: str, folder: str
) -> Tuple[Dict[str, Any], Dict[str, np.ndarray]]:
    """What the program found, and the arrays that it left."""
    arrays, out = os.path.join(folder, "data.npz"), os.path.join(folder, "out.npz")
    np.savez(arrays, **{name: storable(value) for name, value in data.items()})
    done = run_in(python, _PROGRAM, prefix, arrays, out)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode and any("No module named" in line for line in lines[-1:]):
        raise InvalidArgumentError(
            f"`python` must be an interpreter that has TensorFlow. Received: python={python!r}, which says: "
            f"{lines[-1]}. Pass the Python of an environment with TensorFlow 1.15, or None for this one."
        )
    if done.returncode:
        # The process itself died, as by a kernel that crashes.
        raise VerificationError(
            f"The checkpoint {prefix!r} ended the process that tried it ({python}, status {done.returncode}): "
            f"{(lines or ['nothing was said'])[-1]}. Export again; if that does not mend it, please report it."
        )
    with np.load(out) as results:
        return json.loads(done.stdout.decode("utf-8").splitlines()[-1]), dict(results)


def _compared(against: Path, results: Dict[str, np.ndarray], rtol: float) -> List[Verdict]:
    """The verdicts of Keras on what was predicted and evaluated."""
    from keras_gensynth_callback.model_files import load_model, read_model_file

    model = load_model(read_model_file(os.fspath(against)), {}, safe_mode=True, training=True)
    part = lambda start: {name[len(start) :]: value for name, value in results.items() if name.startswith(start)}  # noqa: E731
    fed = part("in/")
    verdicts = [_agreement("predicts as Keras does", part("out/"), lambda: _predictions(model, fed), rtol)]
    if part("eval/"):
        verdicts.append(_agreement("evaluates as Keras does", part("eval/"), lambda: _evaluation(model, fed), rtol))
    return verdicts


def _agreement(
    name: str, found: Dict[str, np.ndarray], ask_keras: Callable[[], Dict[str, Any]], rtol: float
) -> Verdict:
    try:
        expected = ask_keras()
    except Exception as error:  # what Keras says of data that were made up can be anything
        return _verdict(name, None, f"Keras did not take the same data ({type(error).__name__}: {error})")
    missing = sorted(set(expected) - set(found))
    if missing or not expected:
        return _verdict(name, False, f"the checkpoint does not give {', '.join(missing) or 'anything'}")
    off = {key: difference(found[key], np.asarray(value, "float64")) for key, value in expected.items()}
    worst = max(off.values())
    return _verdict(name, bool(worst <= rtol), ", ".join(f"{key} off by {off[key]:.1e}" for key in sorted(off)))


def _predictions(model: Model, fed: Dict[str, np.ndarray]) -> Dict[str, Any]:
    outputs = model.predict(_inputs_of(model, fed), verbose=0)
    if isinstance(outputs, dict):
        return outputs
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    return dict(zip(adapter_of(model).output_names() or [f"output_{n + 1}" for n in range(len(outputs))], outputs))


def _evaluation(model: Model, fed: Dict[str, np.ndarray]) -> Dict[str, Any]:
    targets, weights = ({name: fed[name] for name in fed if name.endswith(end)} for end in (_TARGET, _WEIGHTS))
    given = {"sample_weight": _one_or_all(weights, _WEIGHTS)} if weights else {}
    y, batch = _one_or_all(targets, _TARGET), len(next(iter(targets.values())))
    found = model.evaluate(_inputs_of(model, fed), y, batch_size=batch, return_dict=True, verbose=0, **given)
    return {name: value for name, value in found.items() if np.ndim(value) == 0}


def _inputs_of(model: Model, fed: Dict[str, np.ndarray]) -> Any:
    names = adapter_of(model).input_names() or [name for name in fed if not name.endswith((_TARGET, _WEIGHTS))]
    return _one_or_all({name: fed[name] for name in names}, "")


def _one_or_all(arrays: Dict[str, np.ndarray], suffix: str) -> Any:
    """What Keras takes: the array itself where there is one, else arrays by the names of inputs or outputs."""
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    return {name[: len(name) - len(suffix)]: array for name, array in arrays.items()}
