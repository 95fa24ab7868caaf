"""The exports of a training: started, aside of it or not, and followed until they are committed or have failed."""

import contextlib
import traceback
import warnings

from keras_gensynth_callback import arguments

from .one_core import OneCore
from .writer_thread import Writer


class Export:
    """One export, from the moment it is due until it is committed or has failed.

    Args:
        write: writes a snapshot and returns an `ExportRecord`.
        prefix, epoch: str and int, for messages.
        hope: the value of the monitored quantity, if it is the best so far, else None.
        committed: called with this export once it is there; what it raises is no failure of the export.

    Attributes:
        record: what `write` returned, or None.
        error: what went wrong, or None.
        what: what is to be said of the error.
    """

    def __init__(self, write, prefix, epoch, hope, committed):
        self._write, self._committed = write, committed
        self.prefix, self.epoch, self.hope = prefix, epoch, hope
        self.record = self.error = None
        self.what = f"The export at epoch {epoch} failed"

    def __call__(self):
        """Writes; raises nothing."""
        try:
            self.record = self._write()
            self._write = None  # and with it the snapshot
            self.what = f"The export {self.prefix!r} is complete, but on_export failed"
            self._committed(self)
        except BaseException as error:
            self.error = error
            # The frames hold the snapshot, too.
            traceback.clear_frames(error.__traceback__)
            self._write = None


class Exports:
    """Starts exports and says how they ended.

    Args:
        aside: bool, whether files are written while training goes on.
        on_error: "raise", or "warn": errors are warnings.
    """

    def __init__(self, aside, on_error):
        self.aside = arguments.check_bool("save_on_background", aside)
        self.on_error = arguments.check_on_error(on_error)
        self._writer = Writer()
        self._one_core = OneCore()
        self._in_flight = []
        self._missing = {}
        self._written = []  # prefixes and sizes

    @property
    def hope(self):
        """The best value among those that are being written, or None."""
        hopes = [export.hope for export in self._in_flight if export.hope is not None]
        return hopes[-1] if hopes else None

    def wait_for_slot(self):
        """Returns when a snapshot may be taken: at most one waits behind the one that is being written."""
        self._writer.wait_for_slot()

    def start(self, export):
        """Writes an export: aside of training, or now."""
        self._in_flight.append(export)
        try:
            if self.aside and self._one_core.writes_aside:
                self._writer.start(export)
            else:
                self._one_core.measure(lambda: self._write_now(export))
        except BaseException:  # a Ctrl-C, before it was begun
            self._in_flight.remove(export)
            raise

    def _write_now(self, export):
        self._writer.run(export)
        return export.record.size if export.record is not None else 0

    def settle(self, wait=False):
        """Takes note of the exports that have ended; their errors are raised, or are warnings.

        Args:
            wait: whether to wait until all have ended.

        Returns:
            Whether the newest export failed and should be tried again.
        """
        if wait:
            self._writer.wait()
        ended = self._writer.take_finished()
        for export in ended:
            if export in self._in_flight:
                self._in_flight.remove(export)
            self._note(export)
        failed = [export for export in ended if export.error is not None]
        for export in failed[1:]:
            self._warn(export.what, export.error)
        for export in failed[:1]:
            with self.reported(export.what):
                raise export.error
        return bool(ended) and not self._in_flight and ended[-1].record is None

    def _note(self, export):
        if export.record is None:
            self._missing[export.prefix] = export.epoch
        else:
            self._missing.pop(export.prefix, None)
            self._written.append((export.record.prefix, export.record.size))

    def begin(self):
        """A new training begins."""
        self._missing, self._written = {}, []

    def summary(self):
        """What this training wrote, in one line."""
        if not self._written:
            return "Exported nothing"
        number, size = len(self._written), sum(size for _, size in self._written) / 1e6
        newest, times = self._written[-1][0], "once" if number == 1 else f"{number} times"
        return f"Exported {times}, {size:.2f} MB; the newest is {newest}"

    def say_what_is_missing(self, newest):
        """Warns of exports that were never written; `newest` is the prefix of the newest that was."""
        if self._missing and self.on_error == "warn":
            missing = ", ".join(f"{prefix!r} (epoch {epoch})" for prefix, epoch in self._missing.items())
            there = f"The newest that is there is {newest!r}." if newest else "None is there."
            warnings.warn(f"Of this training's exports these are missing: {missing}. {there}", stacklevel=4)

    @contextlib.contextmanager
    def reported(self, what):
        """What is raised inside goes through, or becomes a warning, as `on_error` asks."""
        try:
            yield
        except Exception as error:
            if self.on_error == "raise":
                raise
            self._warn(what, error)

    def _warn(self, what, error):
        asked = "; training goes on, as on_error='warn' asks" if self.on_error == "warn" else ""
        warnings.warn(f"{what}{asked}. {type(error).__name__}: {error}", stacklevel=5)
