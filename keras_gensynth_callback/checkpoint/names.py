"""Which files belong to a checkpoint prefix."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Dict, Iterator, Optional, Tuple

import tensorflow as tf

from keras_gensynth_callback.errors import CheckpointFormatError, InvalidArgumentError

from . import state, storage

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Path

META = ".meta"
INDEX = ".index"
DATA = ".data-00000-of-00001"
MANIFEST = ".json"
REPORT = ".html"
# How our reports begin, by which they are told from other files of that name.
REPORT_MARK = b"<!doctype html>\n<!-- A report of keras-gensynth-callback"

_SUFFIX = re.compile(r"\.(?:meta|index|json|data-\d{5}-of-\d{5})")


def split_prefix(prefix: Path) -> Tuple[str, str]:
    """Checks a prefix that is to be written and splits it.

    Args:
        prefix: str or PathLike, for example `exports/net`.

    Returns:
        `(folder, base)`: `("exports", "net")`. A prefix without folder is in `"."`.

    Raises:
        InvalidArgumentError: no checkpoint could be written, or read again, under this prefix.
    """
    text = as_text(prefix)
    folder, base = os.path.split(text)
    if "\0" in text or not _is_encodable(text):
        raise InvalidArgumentError(
            f"The checkpoint prefix {text!r} cannot name a file: it holds a null character, or no valid text."
            " Choose another name."
        )
    if not text:
        raise InvalidArgumentError("The checkpoint prefix is empty. Pass a folder and a name, such as 'exports/net'.")
    # A store has no folders but beginnings of names, and a prefix is one.
    if not base or base in (".", "..") or storage.is_local(text) and storage.is_folder(text):
        raise InvalidArgumentError(
            f"The checkpoint prefix {text!r} is a directory. A prefix is the beginning of file names:"
            f" pass for example {os.path.join(text, 'net')!r}."
        )
    if "://" in text and "://" not in folder:
        raise InvalidArgumentError(f"The checkpoint prefix {text!r} needs a folder, as in 'ram://exports/net'.")
    if "[" in base or "\\" in base:
        raise InvalidArgumentError(
            f"The checkpoint prefix {text!r} holds '[' or a backslash in its last part. TensorFlow reads that part as"
            " a pattern and would not find the files again: choose a name without them."
        )
    return folder or ".", base


def _is_encodable(text: str) -> bool:
    try:
        return bool(text.encode("utf-8")) or not text
    except UnicodeEncodeError:
        return False


def as_text(prefix: Path) -> str:
    """The prefix as str, without `file://`. Anything but str and PathLike is refused."""
    try:
        text = os.fsdecode(os.fspath(prefix))
        return text[len("file://") :] if text.startswith("file:///") else text
    except TypeError:
        raise InvalidArgumentError(
            f"A checkpoint prefix must be a str or a PathLike, but got {prefix!r} of type {type(prefix).__name__}."
        ) from None


def files_of(prefix: Path) -> Dict[str, str]:
    """The files of exactly this prefix: {suffix: path}. `net` has no part in the files of `net-1`."""
    folder, base = os.path.split(as_text(prefix))
    suffixes = [name[len(base) :] for name in storage.list_folder(folder or ".") if name.startswith(base)]
    return {suffix: as_text(prefix) + suffix for suffix in sorted(suffixes) if _SUFFIX.fullmatch(suffix)}


def is_report(path: str) -> bool:
    """Whether a file is there and is one of our reports."""
    if storage.kind(path) != "file":
        return False
    with storage.open_to_read(path) as file:
        return file.read(len(REPORT_MARK)) == REPORT_MARK


@contextlib.contextmanager
def readable(prefix: str, local: bool = False) -> Iterator[str]:
    """A prefix under which TensorFlow can read the files of this one; see `storage.readable`."""
    folder, base = os.path.split(prefix)
    files = [os.path.basename(path) for path in files_of(prefix).values()] if folder else []
    with storage.readable(folder, files, local) as place:
        yield os.path.join(place, base)


def existing_prefix(prefix: Path) -> str:
    """The prefix of a checkpoint that is there to be read.

    Raises:
        CheckpointFormatError: nothing was written under this prefix; the message says what may have been meant.
    """
    text = as_text(prefix)
    try:
        there = bool(text) and storage.exists(text + INDEX)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise CheckpointFormatError(
            f"There is no checkpoint {text!r} that can be read: {error}. Check the name, and that this process may "
            "read the folder."
        ) from error
    if not there:
        raise CheckpointFormatError(f"There is no checkpoint {text!r}: {_what_is_there(text)}")
    check_plain_file(text + INDEX)
    for path in files_of(text).values():
        if storage.kind(path) == "link":
            _check_link(path)
    return text


def _check_link(path: str) -> None:
    """Refuses a link that leads out of its folder: who made the checkpoint does not choose which files are read."""
    if not storage.exists(path):
        raise CheckpointFormatError(f"{path!r} is a link to {os.readlink(path)!r}, and there is no such file.")
    folder, target = os.path.realpath(os.path.dirname(path) or "."), os.path.realpath(path)
    # What is no file is told by those that need it.
    if os.path.dirname(target) != folder and storage.is_plain_file(path):
        raise CheckpointFormatError(
            f"{path!r} is a link to {target!r}, which lies in another folder. Expected: the files themselves, or links "
            "within the folder. Copy the checkpoint with what its links lead to (`cp -L`), and read the copy."
        )


def check_plain_file(path: str) -> None:
    """Refuses what is read without an end, or not at all: a folder, a pipe, a device.

    Raises:
        CheckpointFormatError: there is something of this name, and it is no file.
    """
    if storage.exists(path) and not storage.is_plain_file(path):
        raise CheckpointFormatError(f"{path!r} is no file but a folder, a pipe or a device, which no checkpoint has.")


def _newest_in(folder: str) -> Optional[str]:
    listed = [name for name in state.listed(folder) if state.is_plain(name)]
    there = [name for name in listed if storage.exists(os.path.join(folder, name + INDEX))]
    return os.path.join(folder, there[-1]) if there else None


def _what_is_there(text: str) -> str:
    if text and storage.is_folder(text):
        newest = _newest_in(text)
        hint = f"The newest in it is {newest!r}." if newest else "It holds no finished checkpoint."
        return f"this is a folder, and a prefix was expected. {hint}"
    shorter = _SUFFIX.search(os.path.basename(text))
    if shorter and shorter.end() == len(os.path.basename(text)):
        return f"this names one of its files. Pass what they have in common, {text[: -len(shorter.group())]!r}."
    return f"the file {text + INDEX!r} is missing. Pass the prefix under which the checkpoint was written."
