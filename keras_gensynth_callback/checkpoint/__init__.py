"""Names and values in, checkpoint files out. This room knows neither Keras nor graphs, and can be used alone.

names      which files belong to a prefix
storage    one file or folder: write, flush, move, link, wherever it is
fsspec_store    the same, where TensorFlow cannot
scratch    the hidden folder that a write in progress works in, and how an abandoned one is known
lock       who may write to a folder
state      the `checkpoint` state file
index_file, snappy    what `.index` says, checked before TensorFlow reads it
values     tensors to and from `.index` and `.data-?????-of-?????`
listing    what a checkpoint holds, by its index
manifest, manifest_checks   `.json`
commit     all of it together, so that no reader ever sees half an export
retention  which exports stay
preflight  whether a prefix can be written, asked before training begins
"""

from keras_gensynth_callback.checkpoint.commit import reported, write_checkpoint
from keras_gensynth_callback.checkpoint.listing import Tensor, list_tensors
from keras_gensynth_callback.checkpoint.lock import claim
from keras_gensynth_callback.checkpoint.manifest import changed_files, read_manifest
from keras_gensynth_callback.checkpoint.names import (
    INDEX,
    META,
    REPORT,
    as_text,
    check_plain_file,
    existing_prefix,
    files_of,
    is_report,
    readable,
)
from keras_gensynth_callback.checkpoint.preflight import check_writable
from keras_gensynth_callback.checkpoint.retention import CheckpointManager
from keras_gensynth_callback.checkpoint.storage import write_file
from keras_gensynth_callback.checkpoint.values import read_tensors

from . import scratch, state, storage

__all__ = [
    "CheckpointManager",
    "INDEX",
    "META",
    "REPORT",
    "Tensor",
    "as_text",
    "changed_files",
    "check_plain_file",
    "check_writable",
    "claim",
    "existing_prefix",
    "files_of",
    "is_report",
    "list_tensors",
    "read_manifest",
    "read_tensors",
    "readable",
    "reported",
    "scratch",
    "state",
    "storage",
    "write_checkpoint",
    "write_file",
]
