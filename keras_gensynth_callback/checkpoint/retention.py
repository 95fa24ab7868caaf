"""Which exports stay on the disk."""

import os
import time

from keras_gensynth_callback.checkpoint import names, state, storage
from keras_gensynth_callback.checkpoint.commit import recover, reported
from keras_gensynth_callback.checkpoint.manifest import read_manifest
from keras_gensynth_callback.errors import CheckpointFormatError, InvalidArgumentError


class CheckpointManager:
    """Keeps the newest exports, the best one, and one each N hours; removes the others.

    It removes only what was added to it, and of that only the files that belong to the very prefix, and `<prefix>.html`
    if that is a report of ours.

    Args:
        max_to_keep: int >= 1, how many of the newest exports stay, or None for all. The best one stays as well, however
            old it is.
        keep_checkpoint_every_n_hours: number > 0, or None. As in `tf.compat.v1.train.Saver`: an export that would be
            removed stays for good if it was written more than that many hours after the last one that stayed so (at
            first: after the manager was made).

        series: dict of texts that tells these exports from others in the same folder, for `restore`; None: nothing is
            restored.

    Raises:
        InvalidArgumentError: an argument has another type or value.
    """

    def __init__(self, max_to_keep=5, keep_checkpoint_every_n_hours=None, series=None):
        _check_max_to_keep(max_to_keep)
        _check_hours(keep_checkpoint_every_n_hours)
        self.max_to_keep = max_to_keep
        self.keep_checkpoint_every_n_hours = keep_checkpoint_every_n_hours
        self.series = dict(series or {})
        self._exports = []
        self._next_kept_time = time.time() + 3600 * (keep_checkpoint_every_n_hours or 0)

    @property
    def checkpoints(self):
        """The prefixes that are on the disk, oldest first."""
        return [export.prefix for export in self._exports]

    @property
    def latest_checkpoint(self):
        """The prefix that was added last, or None."""
        return self._exports[-1].prefix if self._exports else None

    def label(self, is_best=False):
        """What the manifest of an export says under `retention`, so that `restore` knows it again."""
        return dict(self.series, is_best=is_best, time=time.time())

    def restore(self, folder):
        """Takes up the exports of the same series that an earlier program left in a folder.

        The best one is the newest that was the best when it was written. Where `keep_checkpoint_every_n_hours` is
        given, those that are older than the newest and not the best are the ones that stayed for it.

        Args:
            folder: str.

        Returns:
            The manifest of the best one, or None.
        """
        with reported(folder, "put right after a program that was killed"):
            recover(folder)
        known = {export.key for export in self._exports}
        found = [(export, manifest) for export, manifest in self._left_in(folder) if export.key not in known]
        best = next((pair for pair in reversed(found) if pair[0].is_best), None)
        for export, _ in found:
            export.is_best = best is not None and export is best[0]
        self._exports = [export for export, _ in found] + self._exports
        if self.keep_checkpoint_every_n_hours is not None and self.max_to_keep is not None:
            for export in self._exports[: -self.max_to_keep]:
                export.is_kept = not export.is_best
                self._next_kept_time = export.time + 3600 * self.keep_checkpoint_every_n_hours
        return best[1] if best is not None else None

    def _left_in(self, folder):
        for base in state.listed(folder):
            prefix = os.path.join(folder, base)
            try:
                manifest = read_manifest(prefix)
            except CheckpointFormatError:
                continue  # removed or spoilt by somebody: no longer ours to remove
            label = (manifest or {}).get("retention") or {}
            if self.series and all(label.get(key) == value for key, value in self.series.items()):
                export = _Export(prefix, bool(label.get("is_best")))
                export.time = label.get("time", 0.0)
                yield export, manifest

    def add(self, prefix, is_best=False):
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
        dropped = self._take_dropped()
        _delete(dropped)

    def _take_dropped(self):
        if self.max_to_keep is None:
            return []
        dropped = [export for export in self._exports[: -self.max_to_keep] if not self._stays(export)]
        self._exports = [export for export in self._exports if export not in dropped]
        return [export.prefix for export in dropped]

    def _stays(self, export):
        if export.is_best or export.is_kept:
            return True
        if self.keep_checkpoint_every_n_hours is None or export.time <= self._next_kept_time:
            return False
        self._next_kept_time += 3600 * self.keep_checkpoint_every_n_hours
        export.is_kept = True
        return True


class _Export:
    """One export of the manager's list."""

    def __init__(self, prefix, is_best):
        self.prefix = prefix
        self.key = os.path.abspath(prefix) if storage.is_local(prefix) else prefix
        self.time = time.time()
        self.is_best = is_best
        self.is_kept = False


def _name_as_newest(prefix):
    folder, base = os.path.split(prefix)
    with reported(prefix, "named by the state file"):
        state.append(folder or ".", base)


def _delete(prefixes):
    """Lists the exports no more, then removes their files: no state file ever names what is gone."""
    for prefix in prefixes:
        folder, base = os.path.split(prefix)
        with reported(prefix, "removed by max_to_keep"):
            state.forget(folder or ".", [base])
            files = names.files_of(prefix)
            # Without its index, what is left of an export is not taken for one.
            for suffix in sorted(files, key=lambda suffix: suffix != names.INDEX):
                storage.remove(files[suffix])
            if names.is_report(prefix + names.REPORT):
                storage.remove(prefix + names.REPORT)


def _check_max_to_keep(value):
    if value is None or isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return
    raise InvalidArgumentError(f"max_to_keep must be None (keep all) or an int of at least 1, but got {value!r}.")


def _check_hours(value):
    if value is None or isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return
    raise InvalidArgumentError(
        f"keep_checkpoint_every_n_hours must be None (keep none for good) or a number above 0, but got {value!r}."
    )
