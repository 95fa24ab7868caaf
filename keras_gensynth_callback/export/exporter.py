"""The thread through the rooms: lift a model and fit it to the target once, then read its values and write them each
time.
"""

import functools
import sys
import threading
import time
from dataclasses import replace

import tensorflow as tf

from keras_gensynth_callback._util import installed_version
from keras_gensynth_callback.checkpoint import reported, storage, write_checkpoint
from keras_gensynth_callback.compat import Workers
from keras_gensynth_callback.errors import UnsupportedModelError, UnsupportedOpError, named_as_defects
from keras_gensynth_callback.graph import node_of, shorten_identities
from keras_gensynth_callback.lift import adapter_of, lift
from keras_gensynth_callback.record import ExportRecord
from keras_gensynth_callback.target import OpTable, compute_in_float32, fit_to_target, told
from keras_gensynth_callback.verification import reload, verify_numbers

from . import metagraph
from .logs import numbers_alone, plain_logs

MANIFEST_FORMAT = 1


class Exporter:
    """Exports one model, as often as asked.

    Args:
        model: a Keras model on TensorFlow.
        target: str, the oldest TensorFlow that must read the exports.
        graph: "trainable" or "inference".
        include_optimizer: bool, whether train step and optimizer come along.
        input_signature: nest of tf.TensorSpec for the model's inputs, or None.
        compute_dtype: "float32", or None: as the model computes.
        data_format: "channels_last", or "keep": images are computed in the format that Keras builds.
        verify: bool, whether a clean process compares the numbers of the graph with those of Keras, when it is made,
            and reloads each export before it is committed.
    """

    def __init__(
        self,
        model,
        *,
        target="1.15",
        graph="trainable",
        include_optimizer=True,
        input_signature=None,
        compute_dtype=None,
        data_format="channels_last",
        verify=False,
    ):
        self.model, self.target, self.graph = model, target, graph
        self.include_optimizer, self.input_signature = include_optimizer, input_signature
        self.compute_dtype, self.data_format, self.verify = compute_dtype, data_format, verify
        self._adapter = adapter_of(model)
        self._lifted = self._meta_graph = None

    @property
    def prepared(self):
        """Whether the graph is made; from then on an export writes values alone."""
        return self._meta_graph is not None

    @property
    def can_prepare(self):
        """Whether all weights of the model exist. One that Keras builds in its first step is prepared after that."""
        return self._adapter.is_built()

    def prepare(self, data_spec=None):
        """Makes the graph, once.

        Args:
            data_spec: nest of tf.TensorSpec as the iterator of `fit` gives it, `(x, y, sample_weight)`, or None.

        Raises:
            NotBuiltError: the shapes of the inputs are not known.
            UnsupportedModelError: the model holds what the target cannot.
            DefectError: something went wrong in this package.
            VerificationError: with `verify`, the graph does not give the numbers of Keras.
        """
        if self.prepared:
            return
        with named_as_defects(f"The export of the model `{self.model.name}` failed"):
            self._prepare(data_spec)

    def _prepare(self, data_spec):
        lifted = lift(self.model, data_spec, self.graph, self.include_optimizer, self.input_signature)
        if not lifted.variables:
            raise UnsupportedModelError(
                f"A checkpoint must hold at least one variable. Received: the model `{self.model.name}`, whose "
                f"{self.graph} graph has none. Give it a layer with weights, or compile it and export with "
                'graph="trainable".'
            )
        if self.compute_dtype == "float32":
            notes = [f"{dtype}: computed in float32" for dtype in compute_in_float32(lifted.graph)]
            lifted = replace(lifted, notes=lifted.notes + notes)
        metagraph.add_variables_and_saver(lifted)
        infos = self._inferred(lifted)
        self.changes = fit_to_target(lifted.graph, self.target, self.data_format, _named(lifted))
        if self.graph == "inference":
            shorten_identities(lifted.graph, pinned=map(node_of, lifted.outputs.values()))
        for node in lifted.graph.nodes.values():
            node.attr.pop("_output_shapes", None)
        table = OpTable.load(self.target)
        op_list = table.op_list({node.op for node in lifted.graph.nodes.values()})
        meta_graph = metagraph.make_meta_graph(
            lifted, infos, op_list, table.graph_def_version, table.collections_of_names
        )
        meta_graph.meta_info_def.tensorflow_version = self.target if self.target != "current" else tf.__version__
        serialized = meta_graph.SerializeToString(deterministic=True)
        self._lifted = lifted
        if self.verify:
            verify_numbers(self.model, self._adapter, lifted, serialized, self.values())
        self._meta_graph = serialized

    def _inferred(self, lifted):
        try:
            return metagraph.inferred(lifted)
        except ValueError as error:
            raise UnsupportedOpError(
                f"The graph of the model `{self.model.name}` does not load in the TensorFlow that made it "
                f"({error}). This is a defect of "
                "keras-gensynth-callback; please report it with the model."
            ) from error

    @property
    def lifted(self):
        """The Lifted model, once prepared."""
        return self._lifted

    @property
    def meta_graph(self):
        """The serialized MetaGraphDef, once prepared."""
        return self._meta_graph

    def values(self):
        """All values at this moment: dict, name in the graph -> tensor."""
        variables = self._lifted.variables
        values = self._adapter.read([variable.value for variable in variables])
        return {variable.name: variable.of_graph(value) for variable, value in zip(variables, values)}

    def export(self, prefix, *, epoch=None, batch=None, logs=None, manager=None, is_best=False):
        """Writes the values of this moment, and the graph, under a prefix.

        Args:
            prefix: str or PathLike.
            epoch, batch: int counted from 1, or None.
            logs: dict of floats and of lists of floats, or None.
            manager: CheckpointManager that decides which exports stay, or None.
            is_best: bool, whether this is the best export so far.

        Returns:
            An ExportRecord; None in a worker that is not the chief, which alone writes.
        """
        write = self.begin(prefix, epoch=epoch, batch=batch, logs=logs, manager=manager, is_best=is_best)
        return write() if Workers(self.model).writes else None

    def begin(self, prefix, *, epoch=None, batch=None, logs=None, manager=None, is_best=False, started=None):
        """Takes the values of this moment, and returns what writes them, in any thread: as `export`, without arguments.

        Values that change before it is called, or while it writes, are written as they were. `started` is the
        `time.perf_counter()` of when the export was due, if that was before this call.
        """
        started = time.perf_counter() if started is None else started
        self.prepare()
        values = self.values()
        waited = (time.perf_counter() - started, threading.get_ident())
        # No closure: a traceback would keep it, and with it the values.
        return functools.partial(self._write, prefix, values, (epoch, batch, logs), manager, is_best, started, waited)

    def _write(self, prefix, values, moment, manager, is_best, started, waited):
        epoch, batch, logs = moment
        manifest = self.manifest(epoch, batch, logs)
        if manager is not None:
            manifest["retention"] = manager.label(is_best)
        check = functools.partial(reload, values=values) if self.verify else None
        files = write_checkpoint(prefix, values, self._meta_graph, manifest, check)
        if manager is not None:
            manager.add(prefix, is_best=is_best)
        with reported(prefix, "measured, though it is complete"):
            size = sum(storage.size(file) for file in files)
        to_disk = time.perf_counter() - started
        seconds = to_disk if threading.get_ident() == waited[1] else waited[0]
        shown = str if manager is None else manager.shown
        paths, logs = list(map(shown, files)), dict(logs or {})
        return ExportRecord(shown(prefix), epoch, batch, logs, paths, size, seconds, to_disk, self.target)

    def manifest(self, epoch=None, batch=None, logs=None):
        """What the manifest says, but for the files."""
        lifted = self._lifted
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
            "target": self.target,
            "graph": self.graph,
            "model": {"name": self.model.name, "class": type(self.model).__name__},
            "epoch": epoch,
            "batch": batch,
            "logs": numbers_alone(plain_logs(logs)),
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
            "rewritten": told(self.changes),
            "not_carried_over": lifted.notes,
        }


def _named(lifted):
    """The names of the nodes whose results the export names."""
    tensors = [*lifted.outputs.values(), *lifted.losses, *lifted.regularization_losses, *filter(None, [lifted.loss])]
    return [node_of(tensor) for tensor in [*tensors, *(tensor for pair in lifted.metrics.values() for tensor in pair)]]
