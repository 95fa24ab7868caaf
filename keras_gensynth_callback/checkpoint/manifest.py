"""The manifest of an export, `<prefix>.json`: strict JSON, UTF-8, keys sorted.

A number that JSON does not have is written as one of the strings "NaN", "Infinity" and "-Infinity", which `float()`
reads again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.errors import CheckpointFormatError

from . import names, storage
from .local import OddFileError
from .manifest_checks import fault_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import FileRecord, Path

_BLOCK = 1 << 20
_LARGEST = 1 << 26  # bytes; a manifest has some thousand
_LONGEST_NUMBER = 100  # digits
_WAY_OUT = "Export again, or remove the file: a checkpoint without manifest is read as one that TensorFlow wrote."


def dump(manifest: Dict[str, Any]) -> bytes:
    """The bytes of a manifest file. Values that JSON does not know are written as JSON's nearest, or as their str."""
    text = json.dumps(_plain(manifest), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8")


def file_records(paths: Iterable[str]) -> Dict[str, FileRecord]:
    """Size and SHA-256 of files: {base name: {"size": ..., "sha256": ...}}."""
    return {os.path.basename(path): _record(path) for path in paths}


def read_manifest(prefix: Path) -> Optional[Dict[str, Any]]:
    """Reads the manifest of an export.

    Args:
        prefix: str or PathLike.

    Returns:
        The manifest as a dict, or None where the checkpoint has none, because plain TensorFlow wrote it. A program that
        overwrites our export without knowing of manifests leaves ours beside it: `changed_files` tells.

    Raises:
        CheckpointFormatError: there is no such checkpoint, or its `.json` is no manifest.
    """
    path = names.existing_prefix(prefix) + names.MANIFEST
    try:
        return read_manifest_file(path)
    except (OSError, tf.errors.OpError) as error:
        raise CheckpointFormatError(f"{path!r} cannot be read: {error}. Check the rights of this process.") from error


def read_manifest_file(path: str, follow: bool = True) -> Optional[Dict[str, Any]]:
    """The same by the path of the file, whether or not the checkpoint is there.

    Args:
        path: str.
        follow: whether the file may be a link.
    """
    try:
        content = storage.read_small_file(path, _LARGEST, follow)
        manifest = None if content is None else json.loads(content.decode("utf-8"), parse_int=_integer)
    # A RecursionError is what a thousand brackets end in.
    except (ValueError, RecursionError, OddFileError) as error:
        raise CheckpointFormatError(f"{path!r} is not a manifest, or truncated: {error}. {_WAY_OUT}") from error
    fault = fault_of(manifest) if content is not None else None
    if fault:
        raise CheckpointFormatError(f"{path!r} is not a manifest: {fault}. {_WAY_OUT}")
    return manifest


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def changed_files(prefix: Path, manifest: Dict[str, Any]) -> List[str]:
    """The base names of those files that are missing, or differ from the size or SHA-256 in the manifest."""
    folder = os.path.dirname(names.as_text(prefix))
    return sorted(name for name, record in manifest["files"].items() if not _fits(os.path.join(folder, name), record))


def _fits(path: str, record: FileRecord) -> bool:
    try:
        is_there = storage.exists(path) and storage.is_plain_file(path)
        return is_there and storage.size(path) == record["size"] and _record(path) == record
    except (OSError, tf.errors.OpError):
        return False  # it cannot be read


def is_of_these_files(prefix: Path, manifest: Dict[str, Any], partly: bool = False) -> bool:
    """Whether the manifest is of the export that is there, by the sizes of its files and the digest of its index.

    The index holds a checksum of each value. Links are not followed. `partly`: files may be missing.
    """
    folder, base = os.path.split(names.as_text(prefix))
    index = base + names.INDEX
    return index in manifest["files"] and all(
        _is_this_file(os.path.join(folder, name), record, name == index, partly)
        for name, record in manifest["files"].items()
    )


def _is_this_file(path: str, record: FileRecord, by_digest: bool, may_be_missing: bool) -> bool:
    found = storage.kind(path)
    if found != "file":
        return found is None and may_be_missing
    return storage.size(path) == record["size"] and (not by_digest or _record(path) == record)


def _record(path: str) -> FileRecord:
    digest, size = hashlib.sha256(), 0
    with storage.open_to_read(path) as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
            size += len(block)
    return {"size": size, "sha256": digest.hexdigest()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(item) for item in value)
    if isinstance(value, (np.ndarray, np.generic)):
        plain = value.tolist()
        if isinstance(plain, np.generic):  # a longdouble, or a bfloat16 of TF 2.4: Python has no such type
            plain = str(plain) if np.iscomplexobj(plain) else float(plain)
        return _plain(plain)
    if isinstance(value, float):
        return value if math.isfinite(value) else _name_of(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return _plain(value.numpy()) if hasattr(value, "numpy") else str(value)


def _name_of(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
