"""The graph of a checkpoint for TensorBoard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from keras_gensynth_callback.inspection import read_meta_graph

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Path


def write_event_file(filepath: Path, folder: Path) -> None:
    """Writes an event file with the graph of a checkpoint, which `tensorboard --logdir folder` shows.

    Args:
        filepath: str or PathLike, the checkpoint prefix.
        folder: str or PathLike; made where it is missing.

    Raises:
        CheckpointFormatError: the checkpoint has no graph, or its files are damaged.
    """
    meta_graph = read_meta_graph(filepath)
    event = tf.compat.v1.Event(graph_def=meta_graph.graph_def.SerializeToString())
    # A FileWriter wants to be made in graph mode.
    with tf.Graph().as_default(), tf.compat.v1.summary.FileWriter(str(folder)) as writer:
        writer.add_event(event)
