"""Values to and from the checkpoint format V2: `.index` and `.data-?????-of-?????`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Mapping, Optional

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.errors import CheckpointFormatError, GenSynthExportError, InvalidArgumentError

from . import index_file, names, storage

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, Path, Tensor


def save_tensors(prefix: str, tensors: Mapping[str, Tensor]) -> None:
    """Writes `.index` and one `.data` file, and flushes them.

    Args:
        prefix: str, in a folder that is there.
        tensors: Mapping from name to eager tensor, `tf.Variable` or array.
    """
    ordered = sorted(tensors)
    # SaveV2 has no kernel but on the CPU; values on a GPU are copied there.
    with tf.init_scope(), tf.device("CPU:0"):
        if tf.executing_eagerly():
            _save(prefix, ordered, [tf.convert_to_tensor(tensors[name]) for name in ordered])
        else:
            _save_in_session(prefix, ordered, [np.asarray(tensors[name]) for name in ordered])
    for path in names.files_of(prefix).values():
        storage.sync_file(path)


def size_of(tensors: Mapping[str, Tensor]) -> int:
    """How many bytes the values take, at least: texts are not counted."""
    return sum(
        int(np.prod(value.shape)) * tf.as_dtype(value.dtype).size for value in tensors.values() if _is_plain(value)
    )


def _is_plain(value: Tensor) -> bool:
    return (
        isinstance(value.dtype, tf.DType) and value.dtype != tf.string or getattr(value.dtype, "kind", "O") in "biufc"
    )


def check_tensors(tensors: Mapping[str, Tensor]) -> None:
    """Refuses what SaveV2 could not write, before anything is written.

    Raises:
        InvalidArgumentError: there is no tensor, or one has no name or no value.
    """
    if not tensors:
        raise InvalidArgumentError("There are no tensors to write: a checkpoint holds at least one.")
    for name, value in tensors.items():
        if not isinstance(name, str) or not name:
            raise InvalidArgumentError(f"The name of a tensor must be a str that is not empty, but got {name!r}.")
        dtype = getattr(value, "dtype", None)
        if dtype is None or dtype.name in ("resource", "variant"):
            raise InvalidArgumentError(
                f"The value of {name!r} must be an eager tensor, a variable or an array, but got"
                f" {type(value).__name__} of dtype {dtype}."
            )


def _save(prefix: str, ordered: List[str], values: List[Tensor]) -> Any:
    return tf.raw_ops.SaveV2(prefix=prefix, tensor_names=ordered, shape_and_slices=[""] * len(ordered), tensors=values)


def _save_in_session(prefix: str, ordered: List[str], arrays: List[np.ndarray]) -> None:
    with tf.Graph().as_default(), tf.device("CPU:0"):
        feeds = [tf.compat.v1.placeholder(_dtype_of(array), array.shape) for array in arrays]
        save = _save(prefix, ordered, feeds)
        with tf.compat.v1.Session() as session:
            session.run(save, dict(zip(feeds, arrays)))


def _dtype_of(array: np.ndarray) -> DType:
    return tf.string if array.dtype.kind in "OSU" else tf.as_dtype(array.dtype)


def read_tensors(prefix: Path, only: Optional[Iterable[str]] = None) -> Dict[str, np.ndarray]:
    """Reads the values of a checkpoint, whoever wrote it.

    Args:
        prefix: str or PathLike.
        only: names to read; None reads all.

    Returns:
        {name: ndarray} (strings are arrays of bytes objects).

    Raises:
        CheckpointFormatError: a file is missing, truncated or of another kind, or a name is not in it.
    """
    text = names.existing_prefix(prefix)
    with told_if_unreadable(text), names.readable(text) as place:
        index = read_index(text)
        index.check(lambda shard: size_of_shard(text, index, shard))
        there = index.entries
        wanted = sorted(there) if only is None else list(only)
        missing = [name for name in wanted if name not in there]
        if missing:
            raise CheckpointFormatError(f"The checkpoint {text!r} does not hold {missing}. It holds {sorted(there)}.")
        for name in wanted:
            _check_readable(text, index, name)
        reader = tf.compat.v1.train.NewCheckpointReader(place)
        return {name: np.asarray(reader.get_tensor(name)) for name in wanted}


def read_index(text: str) -> index_file.Index:
    """The Index of a checkpoint, read without TensorFlow's own reader."""
    path = text + names.INDEX
    index_file.check_size(storage.size(path))
    return index_file.Index(storage.read_file(path))


def size_of_shard(text: str, index: index_file.Index, shard: int) -> int:
    """The size of a data file.

    Raises:
        index_file.Fault: it is missing, or is no file.
    """
    path = f"{text}.data-{shard:05d}-of-{index.shards:05d}"
    if not storage.exists(path):
        raise index_file.Fault(f"{path!r} is missing")
    names.check_plain_file(path)
    return storage.size(path)


def _check_readable(text: str, index: index_file.Index, name: str) -> None:
    """Raises Fault for what TensorFlow's reader would allocate memory for before it looks at it, or run."""
    for entry in index.parts_of(name):
        if entry.dtype in (tf.resource, tf.variant):
            raise index_file.Fault(f"{name!r} has the type {entry.dtype.name}, which holds no numbers and no texts")
        if entry.dtype == tf.string:
            with storage.open_to_read(f"{text}.data-{entry.shard:05d}-of-{index.shards:05d}") as file:
                file.seek(entry.offset)
                index_file.check_texts(name, entry, file.read(entry.size))


@contextlib.contextmanager
def told_if_unreadable(text: str) -> Iterator[None]:
    """What TensorFlow raises inside, for a checkpoint that it cannot read, becomes a CheckpointFormatError."""
    try:
        yield
    except (
        index_file.Fault,
        tf.errors.OpError,
        OSError,
        RuntimeError,
        IndexError,
        ValueError,
        MemoryError,
    ) as error:
        if isinstance(error, GenSynthExportError):
            raise
        raise CheckpointFormatError(
            f"The checkpoint {text!r} cannot be read: {str(error).rstrip('.')}. Its files are truncated, of another"
            f" kind or of two different exports (there are {sorted(names.files_of(text))}). If a write was interrupted,"
            " take the one that tf.train.latest_checkpoint of this folder names."
        ) from error
