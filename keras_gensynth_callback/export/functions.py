"""The functions for one export, outside of `fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_gensynth_callback.arguments import check_filepath
from keras_gensynth_callback.options import ExportOptions

from .exporter import Exporter

if TYPE_CHECKING:
    from keras_gensynth_callback._types import ComputeDtype, DataFormat, Graph, Model, Nest, Path, Target
    from keras_gensynth_callback.record import ExportRecord


def export_checkpoint(
    model: Model,
    filepath: Path,
    *,
    target: Target = "1.15",
    graph: Graph = "trainable",
    include_optimizer: bool = True,
    input_signature: Nest = None,
    compute_dtype: ComputeDtype = None,
    data_format: DataFormat = "channels_last",
    verify: bool = False,
) -> ExportRecord:
    """Writes one export of a Keras model, now.

    Args:
        model: a Keras model on TensorFlow, built or called once, or with `input_signature`.
        filepath: str or PathLike, the checkpoint prefix: `exports/net` gives `exports/net.meta` and so on.
        target: str, the oldest TensorFlow that must read it: "1.15", or "current".
        graph: "trainable", or "inference": no learning phase, no targets, no training ops.
        include_optimizer: bool, whether the train step and the optimizer's variables come along.
        input_signature: nest of tf.TensorSpec for the model's inputs, where the model cannot tell them.
        compute_dtype: "float32": a model of `mixed_float16` or `mixed_bfloat16` computes in float32 in the export, for
            targets that cannot compute in the shorter type (TensorFlow 1.15 has no CPU kernels for bfloat16). None: as
            the model computes.
        data_format: "channels_last": images with channels in front (`data_format="channels_first"`) are computed with
            channels last in the export, because TensorFlow 1.x has kernels for the other format on GPUs only. "keep":
            in the format that Keras builds on a machine without a GPU, for readers that have one. Inputs and outputs
            of the model keep their format either way.

        verify: bool, whether a clean process, without Keras, compares the numbers of the graph with those of Keras, and
            reloads the export before it is committed.

    Returns:
        An ExportRecord. (Under `MultiWorkerMirroredStrategy` all workers must call it; the chief writes, and the others
        get None.)

    Raises:
        GenSynthExportError: one of its subclasses; nothing is left behind then.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> gensynth.export_checkpoint(model, tmp_path / "net").prefix.endswith("net")
        True
    """
    prefix = check_filepath(filepath)
    options = ExportOptions(target, graph, include_optimizer, input_signature, compute_dtype, data_format, verify)
    return write_export(model, prefix, options)


def write_export(model: Model, prefix: str, options: ExportOptions) -> Any:
    """Writes one export of a model. Returns its ExportRecord; None in a worker that is not the chief."""
    return _prepared(model, options).export(prefix)


def build_graph(
    model: Model,
    *,
    target: Target = "1.15",
    graph: Graph = "trainable",
    include_optimizer: bool = True,
    input_signature: Nest = None,
    compute_dtype: ComputeDtype = None,
    data_format: DataFormat = "channels_last",
) -> tf.Graph:
    """The graph that an export of the model holds, with its collections filled, to look at or to run.

    Args:
        model, target, graph, include_optimizer, input_signature, compute_dtype, data_format: as for
            `export_checkpoint`.

    Returns:
        A new `tf.Graph`. The default graph is not touched.

    Raises:
        GenSynthExportError: one of its subclasses.

    Examples:
        >>> import keras, tensorflow as tf, keras_gensynth_callback as gensynth
        >>> layers = [keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
        >>> graph = gensynth.build_graph(keras.Sequential(layers))
        >>> len(graph.get_collection(tf.compat.v1.GraphKeys.UPDATE_OPS))
        2
    """
    options = ExportOptions(target, graph, include_optimizer, input_signature, compute_dtype, data_format)
    exporter = _prepared(model, options)
    built = tf.Graph()
    with built.as_default():
        tf.compat.v1.train.import_meta_graph(tf.compat.v1.MetaGraphDef.FromString(exporter.meta_graph))
    return built


def _prepared(model: Model, options: ExportOptions) -> Exporter:
    exporter = Exporter(model, options)
    exporter.prepare()
    return exporter
