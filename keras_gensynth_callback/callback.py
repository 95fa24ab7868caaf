"""The callback: turns the events of a `fit` into exports. What an export is, it leaves to the exporter."""

import contextlib
import warnings

import numpy as np

from keras_gensynth_callback import arguments
from keras_gensynth_callback.checkpoint import CheckpointManager, check_writable
from keras_gensynth_callback.exporter import Exporter
from keras_gensynth_callback.first_batch import FirstBatch
from keras_gensynth_callback.keras_hooks import KerasHooks, nothing
from keras_gensynth_callback.lift import check_backend
from keras_gensynth_callback.live_graph import fill_if_live
from keras_gensynth_callback.monitor import Monitor
from keras_gensynth_callback.readings import five_digits, plain_logs, sample_of_weights
from keras_gensynth_callback.schedule import Schedule
from keras_gensynth_callback.template import PrefixTemplate


class GenSynthExportCallback(KerasHooks):
    """Exports the model to TensorFlow 1.x checkpoints during and after `fit`, of Keras 3 and of tf_keras.

    Whether the model can be exported at all is found before the first step of training. When training ends, weights
    that changed since the last export are exported, unless `save_best_only`; put the callback behind others that
    change weights at that moment, such as `EarlyStopping(restore_best_weights=True)`.

    With `save_best_only`, an export that is due while the logs lack `monitor` (a `val_` key between two epochs' ends)
    is decided at the next moment when they have it.

    Args:
        filepath: checkpoint prefix, as str or path object. May hold `{epoch}`, `{batch}` (both from 1) and any key of
            the logs. `{batch}` is the last batch of the epoch in exports at an epoch's end.
        monitor: the key of the logs that says which export is the best.
        verbose: 0, or 1 or 2 for a line at each export.
        save_best_only: export only when `monitor` improved.
        mode: "min" or "max", or "auto": by the metric.
        save_freq: "epoch", "train_end", or an int: every so many batches, counted across epochs.
        initial_value_threshold: the value of `monitor` that the first best export must surpass.
        period: with `save_freq="epoch"`, every how many epochs.
        save_secs: as well, whenever so many seconds have passed at a batch end.
        max_to_keep: how many of the newest exports stay; the best one always does. None: all.
        keep_checkpoint_every_n_hours: exports so far apart stay as well.
        target: the oldest TensorFlow that must read the exports.
        graph: "trainable", or "inference": no learning phase, no targets, no training ops.
        include_optimizer: whether the optimizer and its train op are exported.
        input_signature: nest of `tf.TensorSpec`, for models whose inputs nothing else tells.
        compute_dtype: "float32": a model of mixed precision computes in float32 in the export; None: as it does.
        on_error: "raise", or "warn": training goes on, the last good export stays, the next one is tried.
        on_export: called with the `ExportRecord` after an export is committed.

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
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
        *,
        period=1,
        save_secs=None,
        max_to_keep=5,
        keep_checkpoint_every_n_hours=None,
        target="1.15",
        graph="trainable",
        include_optimizer=True,
        input_signature=None,
        compute_dtype=None,
        on_error="raise",
        on_export=None,
    ):
        self.filepath = arguments.check_filepath(filepath)
        self._template = PrefixTemplate(self.filepath)
        self._monitor = Monitor(monitor, mode, initial_value_threshold)
        self.verbose = arguments.check_verbose(verbose)
        self.save_best_only = arguments.check_bool("save_best_only", save_best_only)
        self._schedule = Schedule(save_freq, period, save_secs)
        self.on_error = arguments.check_on_error(on_error)
        self.on_export = arguments.check_optional_callable("on_export", on_export)
        self._manager = CheckpointManager(
            arguments.check_optional_count("max_to_keep", max_to_keep),
            arguments.check_optional_duration("keep_checkpoint_every_n_hours", keep_checkpoint_every_n_hours),
        )
        self._options = {
            "target": arguments.check_target(target),
            "graph": arguments.check_graph(graph),
            "include_optimizer": arguments.check_bool("include_optimizer", include_optimizer),
            "input_signature": arguments.check_input_signature(input_signature),
            "compute_dtype": arguments.check_compute_dtype(compute_dtype),
        }
        self._refuse_validation_keys_between_epochs()
        self._first_batch = FirstBatch()
        self._exporter = None
        self._exporter_is_for = None
        self._train_function = None  # what Keras trains with: a new one after each `compile`
        self._usable = False  # whether this training's model can be exported, as far as is known
        self._epoch = None  # from 1
        self._batch = None  # from 1; None while batches are not counted
        self._epoch_logs = {}
        self._changed = False  # whether weights changed since the last export
        self._sample = None  # a few values at the last export
        self._owed = False  # an export is due, and waits until the logs have the monitored key
        self._keys_checked = False
        self._missing_monitor_said = False

    @property
    def monitor(self):
        """The key of the logs that says which export is the best."""
        return self._monitor.key

    @property
    def best(self):
        """The best value of `monitor` that was exported."""
        return self._monitor.best

    @property
    def save_freq(self):
        """When exports are due: "epoch", "train_end" or a number of batches."""
        return self._schedule.save_freq

    @property
    def has_template(self):
        """Whether `filepath` has template fields."""
        return bool(self._template.keys)

    @property
    def latest_checkpoint(self):
        """Prefix of the newest export, or None."""
        return self._manager.latest_checkpoint

    @property
    def checkpoints(self):
        """Prefixes of the exports that are kept, oldest first."""
        return self._manager.checkpoints

    def on_train_begin(self, logs=None):
        """Checks what can be checked now, and has the model prepared just before its first step."""
        self._first_batch.withdraw()
        self._schedule.begin()
        self._epoch_logs = {}
        self._sample = None
        self._owed = self._usable = self._changed = False
        with self._on_error(f"The model cannot be exported to {self.filepath!r}"):
            check_backend(self.model)
            self._usable = True
        with self._on_error(f"{self.filepath!r} cannot be written now"):
            check_writable(self._template.trial_prefix)
        self._train_function = getattr(self.model, "train_function", None)
        in_graph_mode = fill_if_live(self.model)
        if self._usable and in_graph_mode:
            self._prepare(None)  # `fit` has made all that it needs by now, and looked at the data
        elif self._usable:
            self._first_batch.watch(self.model, self._prepare)

    def on_epoch_begin(self, epoch, logs=None):
        """Counts the epoch."""
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
        logs = self._epoch_logs = plain_logs(logs)
        self._check_keys(logs, validated=False)
        due = self._schedule.after_epoch()
        if due or self._owed:
            self._owed = False
            self._export_if_wanted(logs)

    def on_train_end(self, logs=None):
        """Exports what changed since the last export."""
        self._first_batch.withdraw()
        logs = dict(self._epoch_logs, **plain_logs(logs))
        if not (self._changed or self._moved()):
            return
        if self.save_freq == "train_end" or not self.save_best_only:
            self._export_if_wanted(logs)

    def _after_batch(self, batch, logs=None):
        batch = self._clamp(batch)
        self._batch = batch + 1
        self._changed = True
        due = self._schedule.after_batch(batch)
        if not (due or self._owed or self._template_is_unchecked()):
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

    def _template_is_unchecked(self):
        return not self._keys_checked and self._schedule.exports_on_batches

    def _refuse_validation_keys_between_epochs(self):
        """Logs between two epochs' ends never have a `val_` key."""
        decided_at_epoch_ends = self.save_best_only and self.monitor.startswith("val_")
        unknown = [key for key in self._template.keys if key.startswith("val_")]
        if unknown and self._schedule.exports_on_batches and not decided_at_epoch_ends:
            reason = "Keys of the validation are known at epoch ends alone: pass save_freq='epoch' to use them. "
            raise self._template.error(unknown, ["loss"], reason)

    def _check_keys(self, logs, validated):
        """Finds unknown template keys at the first moment of the kind at which exports are made."""
        if self._keys_checked or not self._usable:
            return
        self._keys_checked = True
        # Without `val_` keys there may be validation in a later epoch (`validation_freq`).
        validated = validated or any(key.startswith("val_") for key in logs)
        unknown = [key for key in self._template.unknown_keys(logs) if validated or not key.startswith("val_")]
        if unknown:
            with self._on_error("No export can be named"):
                raise self._template.error(unknown, logs)

    def _export_if_wanted(self, logs):
        value = self._monitor.value(logs)
        improved = self._monitor.improves(value, self.model)
        if self.save_best_only and not improved:
            self._say_why_not(value, logs)
        elif self._usable:
            self._export(logs, value, improved)

    def _say_why_not(self, value, logs):
        if value is not None:
            self._say(f"{self.monitor} did not improve from {five_digits(self.best)}")
        elif not self._missing_monitor_said:
            self._missing_monitor_said = True
            keys = ", ".join(map(repr, sorted(logs))) or "none"
            warnings.warn(
                f"The export at epoch {self._epoch} is skipped, as others may be: with save_best_only=True the logs "
                f"must have monitor={self.monitor!r} as a number. The keys there are: {keys}. Pass one of them as "
                "`monitor`, or validation data for a 'val_' key.",
                stacklevel=3,
            )

    def _export(self, logs, value, improved):
        record = None
        with self._on_error(f"The export at epoch {self._epoch} failed"):
            prefix = self._template.format(self._epoch, self._batch, logs)
            exporter = self._prepared_exporter()
            self._say(self._announcement(prefix, value))
            record = exporter.export(
                prefix, epoch=self._epoch, batch=self._batch, logs=logs, manager=self._manager, is_best=improved
            )
            self._changed = False
            self._sample = sample_of_weights(self.model)
            if improved:
                self._monitor.best = value
        if record is not None and self.on_export is not None:
            with self._on_error(f"The export {prefix!r} is complete, but on_export failed"):
                self.on_export(record)

    def _announcement(self, prefix, value):
        if not self.save_best_only:
            return f"saving model to {prefix}"
        return (
            f"{self.monitor} improved from {five_digits(self.best)} to {five_digits(value)}, saving model to {prefix}"
        )

    def _say(self, words):
        if self.verbose:
            print(f"\nEpoch {self._epoch}: {words}")

    def _prepare(self, data_spec):
        """Has the graph built. Returns whether that must wait for the first step, which makes the model's weights."""
        must_wait = False
        with self._on_error("The model cannot be exported"):
            self._usable = False
            exporter = self._exporter_for(data_spec)
            must_wait = not exporter.can_prepare
            if not must_wait:
                exporter.prepare(data_spec)
            self._usable = True
        return must_wait

    def _prepared_exporter(self):
        """The exporter of this training; one without spec where nobody called `train_function`."""
        if self._exporter is None or not self._is_for_this_training(self._exporter_is_for):
            self._exporter_for(None).prepare(None)
        return self._exporter

    def _is_for_this_training(self, what):
        model, train_function, _ = what
        return model is self.model and train_function is self._train_function

    def _exporter_for(self, data_spec):
        """The exporter of the last training, if model, compilation and data are the same, else a new one."""
        known = self._exporter_is_for
        if known is None or not self._is_for_this_training(known) or known[2] != data_spec:
            self._exporter = Exporter(self.model, **self._options)
            self._exporter_is_for = (self.model, self._train_function, data_spec)
        return self._exporter

    def _moved(self):
        """Whether something other than a step changed weights since the last export: another callback, an average."""
        if self._sample is None or not self._usable:
            return False
        now = sample_of_weights(self.model)
        return len(now) != len(self._sample) or not all(map(np.array_equal, now, self._sample))

    @contextlib.contextmanager
    def _on_error(self, what):
        try:
            yield
        except Exception as error:
            if self.on_error == "raise":
                raise
            warnings.warn(
                f"{what}; training goes on, as on_error='warn' asks. {type(error).__name__}: {error}", stacklevel=3
            )
