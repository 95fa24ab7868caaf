"""The `.meta` file of a checkpoint, whoever wrote it: read, and judged, without running anything of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import tensorflow as tf
from google.protobuf.message import DecodeError

from keras_gensynth_callback.checkpoint import META, check_plain_file, existing_prefix, list_tensors, storage
from keras_gensynth_callback.errors import CheckpointFormatError
from keras_gensynth_callback.graph import Fault, check_meta_graph

if TYPE_CHECKING:
    from keras_gensynth_callback._types import MetaGraphDef, Path

# Protobuf reads no message that is larger.
_LARGEST = 2**31 - 1
# What `tf.train.Checkpoint` saves beside the values (tensorflow/python/checkpoint/checkpoint.py).
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def read_meta_graph(filepath: Path, check: Callable[[MetaGraphDef], object] = check_meta_graph) -> MetaGraphDef:
    """The MetaGraphDef of a checkpoint.

    Args:
        filepath: str or PathLike, the checkpoint prefix.
        check: what is checked of it, one of `graph_checks`: as much as what is made of it relies on.

    Raises:
        CheckpointFormatError: there is no such checkpoint, it has no graph, or the file is truncated or of another
            kind.
    """
    prefix = existing_prefix(filepath)
    path = prefix + META
    if not storage.exists(path):
        raise CheckpointFormatError(_without_graph(prefix))
    meta_graph = parsed_meta_graph(path)
    length = storage.size(path)
    if not meta_graph.graph_def.node:
        raise CheckpointFormatError(
            f"{path!r} ({length} bytes) holds no graph: it is truncated, or of another kind. Take another copy of it, "
            "or export again."
        )
    try:
        check(meta_graph)
    except Fault as fault:
        raise CheckpointFormatError(
            f"{path!r} ({length} bytes) holds a graph that TensorFlow does not load: {fault}. Take another copy of it, "
            "or export again."
        ) from fault
    return meta_graph


def parsed_meta_graph(path: str, or_else: str = "export again") -> MetaGraphDef:
    """The MetaGraphDef in a file, of which nothing is checked but that it is one.

    Args:
        path: str.
        or_else: str, for messages: what may be done where there is no other copy of it.

    Raises:
        CheckpointFormatError: it is truncated, or of another kind.
    """
    check_plain_file(path)
    length = storage.size(path)
    if length > _LARGEST:
        raise CheckpointFormatError(
            f"{path!r} has {length / 1e9:.1f} GB, and a MetaGraphDef has at most 2.1 GB: it is of another kind. "
            f"Take another copy of it, or {or_else}."
        )
    try:
        return tf.compat.v1.MetaGraphDef.FromString(storage.read_file(path))
    except (DecodeError, RecursionError) as error:
        raise CheckpointFormatError(
            f"{path!r} ({length} bytes) is not a MetaGraphDef, or truncated: {str(error).rstrip('.')}. Take another "
            f"copy of it, or {or_else}."
        ) from error


def _without_graph(prefix: str) -> str:
    if _OBJECT_GRAPH in list_tensors(prefix):
        return (
            f"The checkpoint {prefix!r} was written by tf.train.Checkpoint (TensorFlow 2, `save_weights` of Keras): it "
            "holds values and the names of Python objects, and no graph. Expected: a checkpoint with a `.meta` file. "
            "Load it into its Keras model, with `model.load_weights`, and export that: "
            "`export_checkpoint(model, 'exports/net')`."
        )
    return (
        f"The checkpoint {prefix!r} has no graph: the file {prefix + META!r} is missing. Copy it from where the "
        "checkpoint was written; `tf.compat.v1.train.Saver.save` writes it unless write_meta_graph=False."
    )
