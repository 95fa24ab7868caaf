"""The state file `checkpoint` of a folder: which exports there are, the newest last.

`tf.train.latest_checkpoint` reads it, in every TensorFlow. Names in it are relative to the folder, so the folder can be
moved. It is always replaced in one step by a rename, and names no export of the folder whose files are gone. What it
names outside of its folder is somebody else's: it is kept as it is written, and nobody looks there.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from typing import Callable, Container, List, Optional, Tuple

import tensorflow as tf

from . import scratch, storage
from .local import OddFileError
from .lock import locked

logger = logging.getLogger("keras_gensynth_callback")

STATE_FILE = "checkpoint"
_LARGEST = 1 << 24  # bytes
_MOST_OF_OTHERS = 1000
_INDEX = ".index"

_FIELD = re.compile(
    rb"""\s*(?:(?P<field>model_checkpoint_path|all_model_checkpoint_paths)\s*:\s*
         (?P<quote>["'])(?P<text>(?:[^\\\n]|\\.)*?)(?P=quote)
         |(?:last_preserved_timestamp|all_model_checkpoint_timestamps)\s*:\s*[-+.\w]+|\#[^\n]*|[,;])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"""\\(?:(?P<octal>[0-7]{1,3})|[xX](?P<hex>[0-9a-fA-F]{1,2})|(?P<one>.))""")
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def listed(folder: str) -> List[str]:
    """The exports that the state file names, the newest last: relative to the folder, or, outside of it, as written."""
    path = os.path.join(folder, STATE_FILE)
    try:
        content = storage.read_small_file(path, _LARGEST)
        newest, paths = _parsed(content or b"")
    except (OddFileError, ValueError) as error:
        logger.warning("%r is no state file, and is taken for none: %s", path, error)
        return []
    if newest is None:
        return []
    relative = _relative_to(folder)
    # Ordered, and each once, where it stands last.
    reverse = dict.fromkeys(relative(path) for path in [newest, *reversed(paths)])
    return list(reverse)[::-1]


def names(folder: str, base: str) -> bool:
    """Whether the state file names this export."""
    return base in listed(folder)


def append(folder: str, base: str, instead_of: Optional[str] = None) -> None:
    """Makes `base` the newest export; `instead_of` is no longer listed."""
    _update(folder, lambda listing: [name for name in listing if name not in (base, instead_of)] + [base])


def rename(folder: str, old: str, new: str) -> None:
    """Lists the export `old` as `new`, at the same place."""
    _update(folder, lambda listing: [new if name == old else name for name in listing])


def forget(folder: str, bases: Container[str]) -> None:
    """Lists these exports no more. The state file goes with the last of them."""
    _update(folder, lambda listing: [name for name in listing if name not in bases])


def check_place(folder: str) -> None:
    """Refuses a folder in which no state file can be written."""
    path = os.path.join(folder, STATE_FILE)
    if storage.is_local(path) and storage.kind(path) == "folder":
        raise OddFileError(errno.EISDIR, f"a folder stands in the place of the state file {STATE_FILE!r}", path)


def _update(folder: str, change: Callable[[List[str]], List[str]]) -> None:
    with locked(folder):
        before = listed(folder)
        after = _that_are_there(folder, change(before))
        if after == before:
            return
        if after:
            _write(folder, after)
        else:
            storage.remove(os.path.join(folder, STATE_FILE))


def _that_are_there(folder: str, listing: List[str]) -> List[str]:
    """Without those of this folder whose files are gone, and of others' the newest alone."""
    there = set(storage.list_folder(folder))
    others = [name for name in listing if not is_plain(name)]
    dropped = set(others[:-_MOST_OF_OTHERS])
    dropped.update(name for name in others if _is_inside(name) and not _is_there(os.path.join(folder, name)))
    return [
        name for name in listing if (name + _INDEX in there or name in there if is_plain(name) else name not in dropped)
    ]


def _write(folder: str, listing: List[str]) -> None:
    check_place(folder)
    # An absolute folder keeps TensorFlow from making the names relative a second time.
    absolute = os.path.abspath(folder)
    proto = tf.compat.v1.train.generate_checkpoint_state_proto(
        absolute, listing[-1], all_model_checkpoint_paths=listing
    )
    scratch.replace_file(os.path.join(folder, STATE_FILE), str(proto).encode("utf-8"))
    storage.sync_folder(folder)


def is_plain(name: str) -> bool:
    """Whether this is the name of something in the folder itself, and leads nowhere else."""
    return bool(name) and name not in (".", "..") and not set(name) & {"/", "\\", "\0"}


def _is_inside(name: str) -> bool:
    return "://" not in name and not os.path.isabs(name) and os.pardir not in name.split("/")


def _is_there(prefix: str) -> bool:
    return storage.exists(prefix + _INDEX) or storage.exists(prefix)


def _parsed(content: bytes) -> Tuple[Optional[str], List[str]]:
    """What `model_checkpoint_path` says, or None, and the list of `all_model_checkpoint_paths`."""
    newest: Optional[str] = None
    paths: List[str] = []
    position = 0
    content = content.rstrip()
    while position < len(content):
        match = _FIELD.match(content, position)
        if match is None:
            raise ValueError(f"what it says at byte {position} names no checkpoint")
        position = match.end()
        if match["field"] is not None:
            path = _unescaped(match["text"]).decode("utf-8")
            if match["field"] == b"model_checkpoint_path":
                newest = path
            else:
                paths.append(path)
    return newest or None, paths


def _unescaped(text: bytes) -> bytes:
    return _ESCAPE.sub(_character, text) if b"\\" in text else text


def _character(match: re.Match[bytes]) -> bytes:
    if match["one"] is not None:
        return _ESCAPES.get(match["one"], match["one"])
    number = int(match["octal"], 8) if match["octal"] else int(match["hex"], 16)
    return bytes([number & 0xFF])


def _relative_to(folder: str) -> Callable[[str], str]:
    """A function that says of a path in the state file where it is, from the folder."""
    if not storage.is_local(folder):
        start = folder.rstrip("/") + "/"
        return lambda path: path[len(start) :] if path.startswith(start) else path
    starts = [os.path.join(start, "") for start in dict.fromkeys((os.path.abspath(folder), os.path.realpath(folder)))]

    def relative(path: str) -> str:
        if is_plain(path) or "://" in path:
            return path
        normal = os.path.normpath(path)
        if not os.path.isabs(path):
            return path if normal.split(os.sep)[0] == os.pardir else normal
        return next((normal[len(start) :] for start in starts if normal.startswith(start)), path)

    return relative
