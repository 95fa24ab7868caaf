"""The callback: turns the events of a `fit` into exports. What an export is, it leaves to the exporter."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from keras_gensynth_callback import arguments
from keras_gensynth_callback._util import described, five_digits, plain_logs, shown
from keras_gensynth_callback.options import ExportOptions, Moment

from .callback_base import KerasHooks, extends_callback_of_keras, nothing
from .export_queue import Export, Exports
from .monitor import Monitor
from .prefix_template import KeyCheck, PrefixTemplate
from .schedule import Schedule
from .ways import OneWorker, Plan, Ways

if TYPE_CHECKING:
    from keras_gensynth_callback._types import (
        ComputeDtype,
        DataFormat,
        Graph,
        Mode,
        Nest,
        OnError,
        OnExport,
        Path,
        SaveFreq,
        Target,
    )


@extends_callback_of_keras
class GenSynthExportCallback(KerasHooks):
    """Exports the model to TensorFlow 1.x checkpoints during and after `fit`, of Keras 3 and of tf_keras.

    Whether the model can be exported at all is found before the first step of training. When training ends, weights
    that changed since the last export are exported, unless `save_best_only`; put the callback behind others that
    change weights at that moment, such as `EarlyStopping(restore_best_weights=True)`.

    With `save_best_only`, an export that is due while the logs lack `monitor` (a `val_` key between two epochs' ends)
    is decided at the next moment when they have it.

    Args:
        filepath: checkpoint prefix, as str or path object. May hold `{epoch}`, `{batch}` (both from 1) and any key of
            the logs. `{batch}` is the last batch of the epoch in exports at an epoch's end. A relative one means the
            working directory in which `fit` begins.
        monitor: the key of the logs that says which export is the best.
        verbose: 0: silent. 1: a line at each export, one when training ends, and one that tells how long the first is
            being prepared, from two seconds on. 2: and one when an export is written, with its size and the time that
            it took.
        save_best_only: export only when `monitor` improved.
        mode: "min" or "max", or "auto": by the metric.
        save_freq: "epoch", "train_end", or an int: every so many batches, counted across epochs.
        initial_value_threshold: the value of `monitor` that the first best export must surpass.
        period: with `save_freq="epoch"`, every how many epochs.
        save_secs: as well, whenever so many seconds have passed at a batch end.
        max_to_keep: how many of the newest exports stay; the best one always does. None: all.
        keep_checkpoint_every_n_hours: exports so far apart stay as well.
        save_on_background: whether training goes on while the files are written. Each export holds the values of the
            moment at which it was due. At most one snapshot waits behind the one that is being written; an export that
            is due while one waits takes its snapshot when that one's turn has come, and training waits until then.
            On a machine with one core the first export is written while training waits, and decides by measurement
            which way the others go.
        target: the oldest TensorFlow that must read the exports.
        graph: "trainable", or "inference": no learning phase, no targets, no training ops.
        include_optimizer: whether the optimizer and its train op are exported.
        input_signature: nest of `tf.TensorSpec`, for models whose inputs nothing else tells.
        compute_dtype: "float32": a model of mixed precision computes in float32 in the export; None: as it does.
        data_format: "channels_last": images with channels in front are computed with channels last in the export, as a
            reader without a GPU needs it; "keep": in the format that Keras builds on a machine without a GPU.
        verify: whether a clean process, without Keras, compares the numbers of the graph with those of Keras before the
            first step (predictions in both phases, loss, metrics, a train step), and reloads each export and compares
            it before it is committed.
        on_error: "raise", or "warn": training goes on, the last good export stays, the next one is tried.
        on_export: called with the `ExportRecord` after an export is committed, in the thread that wrote it.

    An error in the background is raised, or warned of, at the next hook, and at the latest when `fit` returns, which it
    does when all is written. If `fit` ends with an exception or a KeyboardInterrupt, what is being written is finished
    all the same, at the latest before the interpreter ends.

    A program that is started again with the same `filepath` and `monitor` goes on with what it finds there:
    `max_to_keep` counts the exports of earlier runs, the best of them stays, and is to be surpassed. Two processes
    cannot train into one `filepath` at the same time.

    Under `MultiWorkerMirroredStrategy` each worker has its callback, with the same arguments; the chief decides, writes
    and knows `latest_checkpoint` and `checkpoints`, the others wait for the values alone.

    Attributes:
        best: the best value of `monitor` that was exported.
        latest_checkpoint: prefix of the newest export, or None.
        checkpoints: prefixes of the exports that are kept, oldest first.

    Raises:
        InvalidArgumentError: for an argument that no export could use.
        UnknownTemplateKeyError: for a template key that the logs can never have; while training, once it is certain.
    """

    def __init__(
        self,
        filepath: Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: Mode = "auto",
        save_freq: SaveFreq = "epoch",
        initial_value_threshold: Optional[float] = None,
        *,
        period: int = 1,
        save_secs: Optional[float] = None,
        max_to_keep: Optional[int] = 5,
        keep_checkpoint_every_n_hours: Optional[float] = None,
        save_on_background: bool = True,
        target: Target = "1.15",
        graph: Graph = "trainable",
        include_optimizer: bool = True,
        input_signature: Nest = None,
        compute_dtype: ComputeDtype = None,
        data_format: DataFormat = "channels_last",
        verify: bool = False,
        on_error: OnError = "raise",
        on_export: OnExport = None,
    ) -> None:
        self.filepath = arguments.check_filepath(filepath)
        self._template = PrefixTemplate(self.filepath)
        self._monitor = Monitor(monitor, mode, initial_value_threshold)
        self.verbose = arguments.check_verbose(verbose)
        self.save_best_only = arguments.check_bool("save_best_only", save_best_only)
        self._schedule = Schedule(save_freq, period, save_secs)
        self._exports = Exports(save_on_background, on_error)
        self.on_export = arguments.check_optional_callable("on_export", on_export)
        plan = Plan(
            self._template,
            self._monitor,
            ExportOptions(target, graph, include_optimizer, input_signature, compute_dtype, data_format, verify),
            arguments.check_optional_count("max_to_keep", max_to_keep),
            arguments.check_optional_duration("keep_checkpoint_every_n_hours", keep_checkpoint_every_n_hours),
            series={"filepath": self._template.series, "monitor": monitor},
        )
        self._ways = Ways(plan)
        self._way: Any = None  # of the model that is trained, or was last
        self._keys = KeyCheck(self._template)
        if self._schedule.exports_on_batches and not (self.save_best_only and self.monitor.startswith("val_")):
            self._keys.refuse_validation_keys()
        self._workers = OneWorker()
        self._epoch = None  # from 1
        self._batch = None  # from 1; None while batches are not counted
        self._epoch_logs: Dict[str, Any] = {}
        self._changed = False  # whether weights changed since the last export
        self._owed = False  # an export is due, and waits until the logs have the monitored key
        self._missing_monitor_said = False

    @property
    def save_on_background(self) -> bool:
        """Whether training goes on while the files are written."""
        return self._exports.aside

    @property
    def on_error(self) -> OnError:
        """What happens when an export fails: "raise" or "warn"."""
        return self._exports.on_error

    @property
    def monitor(self) -> str:
        """The key of the logs that says which export is the best."""
        return self._monitor.key

    @property
    def best(self) -> Optional[float]:
        """The best value of `monitor` that was exported."""
        return self._monitor.best

    @property
    def save_freq(self) -> SaveFreq:
        """When exports are due: "epoch", "train_end" or a number of batches."""
        return self._schedule.save_freq

    def __repr__(self) -> str:
        newest = f", newest {self.latest_checkpoint}" if self.latest_checkpoint else ""
        return f"<GenSynthExportCallback {self.filepath}: save_freq={self.save_freq!r}{newest}>"

    @property
    def has_template(self) -> bool:
        """Whether `filepath` has template fields."""
        return bool(self._template.keys)

    @property
    def latest_checkpoint(self) -> Optional[str]:
        """Prefix of the newest export, or None."""
        return None if self._way is None else self._way.manager.latest_checkpoint

    @property
    def checkpoints(self) -> List[str]:
        """Prefixes of the exports that are kept, oldest first."""
        return [] if self._way is None else self._way.manager.checkpoints

    def wait_until_finished(self) -> None:
        """Returns when all exports are written that were due so far.

        Raises:
            GenSynthExportError: one of its subclasses, if one of them failed; with on_error="warn" it is a warning.
        """
        self._changed |= self._exports.settle(wait=True)

    def set_model(self, model):
        """Takes the model that is about to be trained."""
        super().set_model(model)
        self._way = self._ways.of(model)
        self._way.first_batch.expect(model)

    def on_train_begin(self, logs=None):
        """Checks what can be checked now, and has the model prepared just before its first step."""
        self._way = way = self._ways.of(self.model)
        way.first_batch.withdraw()
        self._exports.settle()
        self._exports.begin()
        self._schedule.begin()
        self._epoch_logs = {}
        self._owed = self._changed = False
        with self._exports.reported(f"The model cannot be exported to {self.filepath!r}"):
            way.preparation.begin(self.model)
        self._workers = way.workers_of(self.model)
        if self._workers.writes:
            with self._exports.reported(f"{self.filepath!r} cannot be written now"):
                self._template.settle()
                way.check_writable(self._template.trial_prefix)
                way.series.take_up(self.model)
        in_graph_mode = way.fill_collections(self.model)
        if way.preparation.usable and in_graph_mode:
            self._prepare(None)  # `fit` has made all that it needs by now, and looked at the data
        elif way.preparation.usable:
            way.first_batch.watch(self.model, self._prepare)

    def on_epoch_begin(self, epoch, logs=None):
        """Counts the epoch."""
        self._settle()
        self._epoch = epoch + 1
        self._batch = None
        self._changed = True
        self._schedule.begin_epoch()

    @property
    def on_train_batch_end(self):
        """The hook that counts batches, or one that does nothing.

        Keras asks the hooks themselves whether they do anything, and trains faster if none does.
        """
        counts = self._schedule.exports_on_batches or "batch" in self._template.keys
        return self._after_batch if counts else nothing

    def on_epoch_end(self, epoch, logs=None):
        """Exports if an epoch end or an undecided batch asks for it."""
        self._settle()
        logs = self._epoch_logs = plain_logs(logs)
        self._check_keys(logs, validated=False)
        due = self._schedule.after_epoch()
        if due or self._owed:
            self._owed = False
            self._export_if_wanted(logs)

    def on_train_end(self, logs=None):
        """Exports what changed since the last export."""
        self._way.first_batch.withdraw()
        try:
            self.wait_until_finished()
            if self.save_freq == "train_end" or not self.save_best_only:
                if self._workers.agree(self._changed or self._way.preparation.moved()):
                    self._export_if_wanted(dict(self._epoch_logs, **plain_logs(logs)))
                    self.wait_until_finished()
            self._exports.say_what_is_missing(self.latest_checkpoint)
            if self.verbose and self._workers.writes:
                print(self._exports.summary())
        finally:
            self._way.series.let_go()

    def _settle(self):
        self._changed |= self._exports.settle()

    def _after_batch(self, batch, logs=None):
        self._settle()
        batch = self._clamp(batch)
        self._batch = batch + 1
        self._changed = True
        due = self._schedule.after_batch(batch)
        if self._schedule.save_secs is not None:
            due = self._workers.agree(due)
        if not (due or self._owed or self._schedule.exports_on_batches and not self._keys.done):
            return
        logs = plain_logs(logs)
        waits = self.save_best_only and self._monitor.value(logs) is None
        if self._schedule.exports_on_batches and not waits:
            self._check_keys(logs, validated=True)
        if due or self._owed:
            self._owed = waits
            if not waits:
                self._export_if_wanted(logs)

    def _clamp(self, batch):
        # Keras 3 counts whole executions, also where the last of an epoch is shorter than `steps_per_execution`.
        steps = (self.params or {}).get("steps")
        return min(batch, steps - 1) if steps else batch

    def _check_keys(self, logs, validated):
        if self._way.preparation.usable:
            with self._exports.reported("No export can be named"):
                self._keys.check(logs, validated)

    def _export_if_wanted(self, logs):
        value = self._monitor.value(logs)
        improved = self._improves(value)
        prefix, started = None, time.perf_counter()
        if self.save_best_only and not improved:
            self._say_why_not(value, logs)
        elif self._way.preparation.usable:
            prefix = self._ready(logs, value)
        if self._workers.agree(prefix is not None):
            self._export(prefix, started, logs, value, improved)

    def _improves(self, value):
        """Whether a value is the best of all that are there or will be."""
        improves, hope = self._monitor.improves(value, self.model), self._exports.hope
        if improves and hope is not None and not self._monitor.improves(value, self.model, than=hope):
            # It depends on whether a better one, which is being written, is going to be there.
            self.wait_until_finished()
            return self._monitor.improves(value, self.model)
        return improves

    def _say_why_not(self, value, logs):
        if value is not None:
            self._say(f"{self.monitor} did not improve from {five_digits(self._best_so_far)}")
        elif not self._missing_monitor_said:
            self._missing_monitor_said = True
            keys = ", ".join(map(repr, sorted(logs))) or "none"
            received = f" Received: {described(logs[self.monitor])}." if self.monitor in logs else ""
            warnings.warn(
                f"The export at epoch {self._epoch} is skipped, as others may be: with save_best_only=True the logs "
                f"must have monitor={self.monitor!r} as a number.{received} The keys there are: {keys}. Pass one of "
                "them as `monitor`, or validation data for a 'val_' key.",
                stacklevel=3,
            )

    def _ready(self, logs, value):
        """The prefix of an export that can be begun, or None."""
        with self._exports.reported(self._failure):
            prefix = self._template.format(self._epoch, self._batch, logs)
            if self._workers.writes:
                self._say(self._announcement(prefix, value))
                self._way.series.take_up(self.model, make_folder=True)
                self._exports.wait_for_slot()
            return prefix

    def _export(self, prefix, started, logs, value, improved):
        with self._exports.reported(self._failure):
            moment = Moment(self._epoch, self._batch, logs, improved)
            write = self._way.preparation.snapshot(self._template.settled(prefix), moment, self._way.manager, started)
            self._changed = False
            if self._workers.writes:
                hope = value if improved else None
                self._exports.start(Export(write, prefix, self._epoch, hope, self._committed))
            elif improved:
                self._monitor.best = value
        self._settle()

    @property
    def _failure(self):
        return f"The export at epoch {self._epoch} failed"

    def _committed(self, export):
        if export.hope is not None:
            self._monitor.best = export.hope
        if self.verbose == 2:
            print(export.record)
        if self.on_export is not None:
            self.on_export(export.record)

    def _announcement(self, prefix, value):
        if not self.save_best_only:
            return f"saving model to {prefix}"
        return (
            f"{self.monitor} improved from {five_digits(self._best_so_far)} to {five_digits(value)}, "
            f"saving model to {prefix}"
        )

    @property
    def _best_so_far(self):
        hope = self._exports.hope
        return self.best if hope is None else hope

    def _say(self, words):
        if self.verbose:
            print(f"\nEpoch {self._epoch}: {words}")

    def _prepare(self, data_spec):
        says = bool(self.verbose) and self._workers.writes
        with self._exports.reported("The model cannot be exported"):
            with shown(f"Preparing the export of {self.model.name!r}", says):
                return self._way.preparation.prepare(data_spec)
