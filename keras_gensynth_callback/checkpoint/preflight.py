"""Whether a prefix can be written: asked before training begins, not when the first export is due."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, List

from . import names, scratch, state, storage
from .commit import reported

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Path


def check_writable(prefix: Path) -> None:
    """Tries the folder of a prefix by writing a file like those of the export. Nothing is left of the trial.

    Args:
        prefix: str or PathLike, for example `exports/net`.

    Raises:
        InvalidArgumentError: the prefix is empty, a directory or unreadable for TensorFlow.
        CheckpointWriteError: its folder cannot be made or written to.
    """
    with reported(names.as_text(prefix)):
        folder, base = names.split_prefix(prefix)
        missing = _missing_folders(folder)
        try:
            storage.make_folders(folder)
            state.check_place(folder)
            with scratch.scratch_folder(folder) as workplace:
                storage.write_file(os.path.join(workplace, base + names.DATA), b"trial")
        finally:
            _remove_folders(missing)


def _missing_folders(folder: str) -> List[str]:
    """Those that are to be removed again; in a store, an empty folder is none."""
    missing = []
    while folder and storage.is_local(folder) and not storage.exists(folder) and folder != os.path.dirname(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


def _remove_folders(folders: List[str]) -> None:
    for folder in folders:
        # A folder that was not made, or that somebody has begun to use, is left alone.
        with contextlib.suppress(OSError):
            os.rmdir(folder)
