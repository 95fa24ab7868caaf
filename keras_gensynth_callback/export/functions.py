"""One export, outside of `fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from .exporter import Exporter

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Model
    from keras_gensynth_callback.options import ExportOptions


def write_export(model: Model, prefix: str, options: ExportOptions) -> Any:
    """Writes one export of a model. Returns its ExportRecord; None in a worker that is not the chief."""
    return _prepared(model, options).export(prefix)


def made_meta_graph(model: Model, options: ExportOptions) -> bytes:
    """The serialized MetaGraphDef that an export of a model has."""
    return _prepared(model, options).meta_graph


def graph_of(meta_graph: bytes) -> tf.Graph:
    """A new graph with the contents and the collections of a serialized MetaGraphDef."""
    built = tf.Graph()
    with built.as_default():
        tf.compat.v1.train.import_meta_graph(tf.compat.v1.MetaGraphDef.FromString(meta_graph))
    return built


def _prepared(model: Model, options: ExportOptions) -> Exporter:
    exporter = Exporter(model, options)
    exporter.prepare()
    return exporter
