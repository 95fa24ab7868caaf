"""The thread through the rooms: lift a model and fit it to the target once, then read its values and write them each
time.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

import tensorflow as tf

from keras_gensynth_callback._util import installed_version, numbers_alone, plain_logs
from keras_gensynth_callback.checkpoint import CheckpointManager, reported, storage, write_checkpoint
from keras_gensynth_callback.compat import Workers
from keras_gensynth_callback.errors import UnsupportedModelError, UnsupportedOpError, named_as_defects
from keras_gensynth_callback.graph import colocate, node_of, shorten_identities
from keras_gensynth_callback.lift import Lifted, adapter_of, lift
from keras_gensynth_callback.options import ExportOptions, Moment
from keras_gensynth_callback.record import ExportRecord
from keras_gensynth_callback.static import fold_known_sizes
from keras_gensynth_callback.target import (
    Change,
    OpTable,
    compute_in_float32,
    fit_to_target,
    refuse_lost_gradients,
    told,
)
from keras_gensynth_callback.verification import reload, verify_numbers

from . import metagraph

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Model, Nest, Path, TensorInfo

MANIFEST_FORMAT = 1


@dataclass(frozen=True, eq=False)
class _Made:
    """What is made once a model.

    Attributes:
        lifted: Lifted.
        changes: list of Change, what made it fit the target.
        meta_graph: bytes, the serialized MetaGraphDef.
    """

    lifted: Lifted
    changes: List[Change]
    meta_graph: bytes


@dataclass(frozen=True, eq=False)
class _Snapshot:
    """The values of a moment.

    Attributes:
        moment: Moment.
        values: dict, name in the graph -> value.
        started: float, the `time.perf_counter()` of when they were due.
        waited: float, how long the thread of the number `thread` waited for them.
    """

    moment: Moment
    values: Dict[str, Any]
    started: float
    waited: float
    thread: int


class Exporter:
    """Exports one model, as often as asked.

    Args:
        model: a Keras model on TensorFlow.
        options: ExportOptions; None: the defaults.
    """

    def __init__(self, model: Model, options: Optional[ExportOptions] = None) -> None:
        self.model, self.options = model, options or ExportOptions()
        self._adapter = adapter_of(model)
        self._made: Optional[_Made] = None

    @property
    def prepared(self) -> bool:
        """Whether the graph is made; from then on an export writes values alone."""
        return self._made is not None

    @property
    def can_prepare(self) -> bool:
        """Whether all weights of the model exist. One that Keras builds in its first step is prepared after that."""
        return self._adapter.is_built()

    def prepare(self, data_spec: Nest = None) -> None:
        """Makes the graph, once.

        Args:
            data_spec: nest of tf.TensorSpec as the iterator of `fit` gives it, `(x, y, sample_weight)`, or None.

        Raises:
            NotBuiltError: the shapes of the inputs are not known.
            UnsupportedModelError: the model holds what the target cannot.
            DefectError: something went wrong in this package.
            VerificationError: with `verify`, the graph does not give the numbers of Keras.
        """
        self._ready(data_spec)

    def _ready(self, data_spec: Nest = None) -> _Made:
        if self._made is None:
            with named_as_defects(f"The export of the model `{self.model.name}` failed"):
                self._made = self._make(data_spec)
        return self._made

    def _make(self, data_spec: Nest) -> _Made:
        options = self.options
        lifted = self._lifted(data_spec)
        metagraph.add_variables_and_saver(lifted)
        infos = self._inferred(lifted)
        fold_known_sizes(lifted.graph)
        changes = fit_to_target(lifted.graph, options.target, options.data_format, _named(lifted))
        losses = map(node_of, (*lifted.losses, *lifted.regularization_losses))
        trainable = [variable.name for variable in lifted.variables if variable.trainable]
        refuse_lost_gradients(lifted.graph, losses, trainable, options.target)
        if not options.is_trainable:
            shorten_identities(lifted.graph, pinned=map(node_of, lifted.outputs.values()))
        for node in lifted.graph.nodes.values():
            node.attr.pop("_output_shapes", None)
        colocate(lifted.graph, [variable.name for variable in lifted.variables])
        table = OpTable.load(options.target)
        op_list = table.op_list({node.op for node in lifted.graph.nodes.values()})
        meta_graph = metagraph.make_meta_graph(
            lifted, infos, op_list, table.graph_def_version, table.collections_of_names
        )
        meta_graph.meta_info_def.tensorflow_version = tf.__version__ if table.is_current else options.target
        made = _Made(lifted, changes, meta_graph.SerializeToString(deterministic=True))
        if options.verify:
            verify_numbers(self.model, self._adapter, lifted, made.meta_graph, self._values(made))
        return made

    def _lifted(self, data_spec: Nest) -> Lifted:
        lifted = lift(self.model, self.options, data_spec)
        if not lifted.variables:
            raise UnsupportedModelError(
                f"A checkpoint must hold at least one variable. Received: the model `{self.model.name}`, whose "
                f"{self.options.graph} graph has none. Give it a layer with weights, or compile it and export with "
                'graph="trainable".'
            )
        if self.options.compute_dtype != "float32":
            return lifted
        notes = [f"{dtype}: computed in float32" for dtype in compute_in_float32(lifted.graph)]
        return replace(lifted, notes=lifted.notes + notes)

    def _inferred(self, lifted: Lifted) -> Dict[str, TensorInfo]:
        try:
            return metagraph.inferred(lifted)
        except ValueError as error:
            raise UnsupportedOpError(
                f"The graph of the model `{self.model.name}` does not load in the TensorFlow that made it "
                f"({error}). This is a defect of "
                "keras-gensynth-callback; please report it with the model."
            ) from error

    @property
    def lifted(self) -> Lifted:
        """The Lifted model."""
        return self._ready().lifted

    @property
    def meta_graph(self) -> bytes:
        """The serialized MetaGraphDef."""
        return self._ready().meta_graph

    def values(self) -> Dict[str, Any]:
        """All values at this moment: dict, name in the graph -> tensor."""
        return self._values(self._ready())

    def _values(self, made: _Made) -> Dict[str, Any]:
        variables = made.lifted.variables
        values = self._adapter.read([variable.value for variable in variables])
        return {variable.name: variable.of_graph(value) for variable, value in zip(variables, values)}

    def export(
        self, prefix: Path, moment: Optional[Moment] = None, manager: Optional[CheckpointManager] = None
    ) -> Optional[ExportRecord]:
        """Writes the values of this moment, and the graph, under a prefix.

        Args:
            prefix: str or PathLike.
            moment: Moment; None: outside of `fit`.
            manager: CheckpointManager that decides which exports stay, or None.

        Returns:
            An ExportRecord; None in a worker that is not the chief, which alone writes.
        """
        write = self.begin(prefix, moment, manager)
        return write() if Workers(self.model).writes else None

    def begin(
        self,
        prefix: Path,
        moment: Optional[Moment] = None,
        manager: Optional[CheckpointManager] = None,
        started: Optional[float] = None,
    ) -> Callable[[], ExportRecord]:
        """Takes the values of this moment, and returns what writes them, in any thread: as `export`, without arguments.

        Values that change before it is called, or while it writes, are written as they were. `started` is the
        `time.perf_counter()` of when the export was due, if that was before this call.
        """
        started = time.perf_counter() if started is None else started
        self.prepare()
        values = self.values()
        waited = time.perf_counter() - started
        snapshot = _Snapshot(moment or Moment(), values, started, waited, threading.get_ident())
        # No closure: a traceback would keep it, and with it the values.
        return functools.partial(self._write, prefix, snapshot, manager)

    def _write(self, prefix: Path, snapshot: _Snapshot, manager: Optional[CheckpointManager]) -> ExportRecord:
        moment, values = snapshot.moment, snapshot.values
        manifest = self.manifest(moment)
        if manager is not None:
            manifest["retention"] = manager.label(moment.is_best)
        check = functools.partial(reload, values=values) if self.options.verify else None
        files = write_checkpoint(prefix, values, self.meta_graph, manifest, check)
        if manager is not None:
            manager.add(prefix, is_best=moment.is_best)
        with reported(prefix, "measured, though it is complete"):
            size = sum(storage.size(file) for file in files)
        to_disk = time.perf_counter() - snapshot.started
        shown = str if manager is None else manager.shown
        return ExportRecord(
            prefix=shown(str(prefix)),
            epoch=moment.epoch,
            batch=moment.batch,
            logs=dict(moment.logs),
            files=list(map(shown, files)),
            size=size,
            seconds=to_disk if threading.get_ident() == snapshot.thread else snapshot.waited,
            seconds_to_disk=to_disk,
            target=self.options.target,
        )

    def manifest(self, moment: Moment) -> Dict[str, Any]:
        """What the manifest says, but for the files."""
        made = self._ready()
        lifted = made.lifted
        count = lambda variables: sum(v.shape.num_elements() for v in variables)  # noqa: E731
        weights = [variable for variable in lifted.variables if variable.kind == "weight"]
        return {
            "format_version": MANIFEST_FORMAT,
            "writer": {
                "package": installed_version("keras-gensynth-callback") or "unknown",  # on the path alone
                "tensorflow": tf.__version__,
                "keras": lifted.keras,
                "python": sys.version.split()[0],
            },
            "target": self.options.target,
            "graph": self.options.graph,
            "model": {"name": self.model.name, "class": type(self.model).__name__},
            "epoch": moment.epoch,
            "batch": moment.batch,
            "logs": numbers_alone(plain_logs(moment.logs)),
            "tensors": {
                "inputs": lifted.inputs,
                "targets": lifted.targets,
                "sample_weights": lifted.sample_weights,
                "outputs": lifted.outputs,
                "keras_learning_phase": lifted.learning_phase,
                "loss": lifted.loss,
                "metrics": {
                    name: {"value": value, "update_op": update} for name, (value, update) in lifted.metrics.items()
                },
                "train_op": lifted.train_op,
                "global_step": lifted.global_step,
            },
            "collections": metagraph.collection_sizes(lifted),
            "nodes": len(lifted.graph.nodes),
            "parameters": {
                "total": count(weights),
                "trainable": count([variable for variable in weights if variable.trainable]),
            },
            "rewritten": told(made.changes),
            "not_carried_over": lifted.notes,
        }


def _named(lifted: Lifted) -> List[str]:
    """The names of the nodes whose results the export names."""
    tensors = [*lifted.outputs.values(), *lifted.losses, *lifted.regularization_losses, *filter(None, [lifted.loss])]
    return [node_of(tensor) for tensor in [*tensors, *(tensor for pair in lifted.metrics.values() for tensor in pair)]]
