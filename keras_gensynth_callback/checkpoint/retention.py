"""Which exports stay on the disk."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

import tensorflow as tf

from keras_gensynth_callback.errors import CheckpointFormatError, CheckpointWriteError, InvalidArgumentError

from . import names, state, storage
from .commit import recover, reported
from .manifest import is_of_these_files, read_manifest_file

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Path

logger = logging.getLogger("keras_gensynth_callback")


class CheckpointManager:
    """Keeps the newest exports, the best one, and one each N hours; removes the others.

    It removes only what was added to it, and of that only the files that the manifest of the export lists, as long as
    they are those of the manifest, the manifest itself, and `<prefix>.html` if that is a report of ours.

    Args:
        max_to_keep: int >= 1, how many of the newest exports stay, or None for all. The best one stays as well, however
            old it is.
        keep_checkpoint_every_n_hours: number > 0, or None. As in `tf.compat.v1.train.Saver`: an export that would be
            removed stays for good if it was written more than that many hours after the last one that stayed so (at
            first: after the manager was made).

        series: dict of texts that tells these exports from others in the same folder, for `restore`; None: nothing is
            restored.
        shown: callable, what a path is called outside; None: as it was given.

    Raises:
        InvalidArgumentError: an argument has another type or value.
    """

    def __init__(
        self,
        max_to_keep: Optional[int] = 5,
        keep_checkpoint_every_n_hours: Optional[float] = None,
        series: Optional[Mapping[str, str]] = None,
        shown: Optional[Callable[[str], str]] = None,
    ) -> None:
        _check_max_to_keep(max_to_keep)
        _check_hours(keep_checkpoint_every_n_hours)
        self.max_to_keep = max_to_keep
        self.keep_checkpoint_every_n_hours = keep_checkpoint_every_n_hours
        self.series = dict(series or {})
        self.shown = shown or str
        self._exports: List[_Export] = []
        self._half_removed: List[str] = []  # prefixes
        self._next_kept_time = time.time() + 3600 * (keep_checkpoint_every_n_hours or 0)

    @property
    def checkpoints(self) -> List[str]:
        """The prefixes that are on the disk, oldest first."""
        return [self.shown(export.prefix) for export in self._exports]

    @property
    def latest_checkpoint(self) -> Optional[str]:
        """The prefix that was added last, or None."""
        return self.shown(self._exports[-1].prefix) if self._exports else None

    def label(self, is_best: bool = False) -> Dict[str, Any]:
        """What the manifest of an export says under `retention`, so that `restore` knows it again."""
        return dict(self.series, is_best=is_best, time=time.time())

    def restore(self, folder: str) -> Optional[Dict[str, Any]]:
        """Takes up the exports of the same series that an earlier program left in a folder.

        The best one is the newest that was the best when it was written. Where `keep_checkpoint_every_n_hours` is
        given, those that are older than the newest and not the best are the ones that stayed for it.

        Args:
            folder: str.

        Returns:
            The manifest of the best one, or None.
        """
        known = {export.key for export in self._exports}
        with reported(folder, "put right after a program that was killed"):
            recover(folder)
            found = [(export, manifest) for export, manifest in self._left_in(folder) if export.key not in known]
            self._half_removed += self._half_removed_in(folder)
        best = next((pair for pair in reversed(found) if pair[0].is_best), None)
        for export, _ in found:
            export.is_best = best is not None and export is best[0]
        self._exports = [export for export, _ in found] + self._exports
        if self.keep_checkpoint_every_n_hours is not None and self.max_to_keep is not None:
            for export in self._exports[: -self.max_to_keep]:
                export.is_kept = not export.is_best
                self._next_kept_time = export.time + 3600 * self.keep_checkpoint_every_n_hours
        return best[1] if best is not None else None

    def _left_in(self, folder: str) -> Iterator[Tuple[_Export, Dict[str, Any]]]:
        there = set(storage.list_folder(folder))
        for base in state.listed(folder):
            # Others may have written the state file: what it names elsewhere is not ours.
            if not state.is_plain(base) or not {base + names.INDEX, base + names.MANIFEST} <= there:
                continue
            prefix = os.path.join(folder, base)
            manifest = _manifest_found(prefix)
            if manifest is not None and self._is_of_series(manifest) and is_of_these_files(prefix, manifest):
                label = manifest["retention"]
                export = _Export(prefix, label.get("is_best") is True)
                export.time = _time_in(label)
                yield export, manifest

    def _half_removed_in(self, folder: str) -> List[str]:
        """What a program that was killed did not remove to the end: the manifest goes last, the index first."""
        there = set(storage.list_folder(folder))
        bases = [name[: -len(names.MANIFEST)] for name in sorted(there) if name.endswith(names.MANIFEST)]
        prefixes = [os.path.join(folder, base) for base in bases if base and base + names.INDEX not in there]
        return [prefix for prefix in prefixes if self._is_of_series(_manifest_found(prefix))]

    def _is_of_series(self, manifest: Optional[Dict[str, Any]]) -> bool:
        label = (manifest or {}).get("retention") or {}
        return bool(self.series) and all(label.get(key) == value for key, value in self.series.items())

    def add(self, prefix: Path, is_best: bool = False) -> None:
        """Takes a committed export as the newest, and removes those that need not stay.

        Args:
            prefix: str or PathLike, as given to `write_checkpoint`.
            is_best: whether it is better than all before it, and takes their place as the best.

        Raises:
            CheckpointWriteError: the state file could not be changed, or a file not be removed.
        """
        export = _Export(names.as_text(prefix), is_best)
        self._exports = [other for other in self._exports if other.key != export.key] + [export]
        if is_best:
            for other in self._exports[:-1]:
                other.is_best = False
        _name_as_newest(export.prefix)
        left, dropped = list(self._half_removed), self._take_dropped()
        self._half_removed += dropped
        for prefix in dropped + left:
            try:
                _delete(prefix)
                self._half_removed.remove(prefix)
            except CheckpointWriteError as error:
                if prefix in dropped:
                    raise
                logger.warning("%s", error)  # it was said aloud when it was due

    def _take_dropped(self) -> List[str]:
        if self.max_to_keep is None:
            return []
        dropped = [export for export in self._exports[: -self.max_to_keep] if not self._stays(export)]
        self._exports = [export for export in self._exports if export not in dropped]
        return [export.prefix for export in dropped]

    def _stays(self, export: _Export) -> bool:
        if export.is_best or export.is_kept:
            return True
        if self.keep_checkpoint_every_n_hours is None or export.time <= self._next_kept_time:
            return False
        self._next_kept_time += 3600 * self.keep_checkpoint_every_n_hours
        export.is_kept = True
        return True


class _Export:
    """One export of the manager's list."""

    def __init__(self, prefix: str, is_best: bool) -> None:
        self.prefix = prefix
        self.key = os.path.abspath(prefix) if storage.is_local(prefix) else prefix
        self.time = time.time()
        self.is_best = is_best
        self.is_kept = False


def _name_as_newest(prefix: str) -> None:
    folder, base = os.path.split(prefix)
    with reported(prefix, "named by the state file"):
        state.append(folder or ".", base)


def _manifest_of(prefix: str) -> Optional[Dict[str, Any]]:
    """The manifest beside an export, or None where it was removed or spoilt by somebody: no longer ours to remove."""
    try:
        return read_manifest_file(prefix + names.MANIFEST, follow=False)
    except CheckpointFormatError:
        return None


def _manifest_found(prefix: str) -> Optional[Dict[str, Any]]:
    """The same for an export that this program did not write: one that cannot be read stops no training."""
    try:
        return _manifest_of(prefix)
    except (OSError, tf.errors.OpError) as error:
        logger.warning("%r is not taken up: %s", prefix, error)
        return None


def _time_in(label: Dict[str, Any]) -> float:
    """When an export was written, by its manifest; never later than now."""
    written: Any = label.get("time")
    if type(written) not in (int, float) or not written > 0:
        return 0.0
    return min(written, time.time())


def _delete(prefix: str) -> None:
    """Lists an export no more, then removes its files: no state file ever names what is gone."""
    folder, base = os.path.split(prefix)
    with reported(prefix, "removed by max_to_keep"):
        # Looked at first: what fails later leaves an export that is whole, and that no other program takes up.
        files, manifest = names.files_of(prefix), _manifest_of(prefix)
        is_ours = manifest is not None and is_of_these_files(prefix, manifest, partly=True)
        state.forget(folder or ".", [base])
        if not files:
            return  # somebody else did
        if manifest is None or not is_ours:
            logger.warning("%r is not removed: its files are no longer those that were exported.", prefix)
            return
        ours = [suffix for suffix in files if base + suffix in manifest["files"]]
        # Without its index, what is left is not taken for an export. The manifest tells until the end whose it is.
        for suffix in [*sorted(ours, key=lambda suffix: suffix != names.INDEX), names.MANIFEST]:
            storage.remove(prefix + suffix)
        if names.is_report(prefix + names.REPORT):
            storage.remove(prefix + names.REPORT)


def _check_max_to_keep(value: object) -> None:
    if value is None or isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return
    raise InvalidArgumentError(f"max_to_keep must be None (keep all) or an int of at least 1, but got {value!r}.")


def _check_hours(value: object) -> None:
    if value is None or isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return
    raise InvalidArgumentError(
        f"keep_checkpoint_every_n_hours must be None (keep none for good) or a number above 0, but got {value!r}."
    )
