"""What a checkpoint holds, by its index: names, types and shapes, and whether the files of its values are whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Tuple

import tensorflow as tf

from keras_gensynth_callback.errors import CheckpointFormatError

from . import names, storage, values

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, Path

_SHOWN = 10
_DATA = re.compile(r"\.data-(\d{5})-of-(\d{5})")


class Tensor(NamedTuple):
    """What an index says of a tensor."""

    shape: Tuple[int, ...]
    dtype: DType


def list_tensors(prefix: Path) -> Dict[str, Tensor]:
    """The tensors of a checkpoint, whoever wrote it; no value is read.

    Args:
        prefix: str or PathLike.

    Returns:
        {name: Tensor}, sorted by name.

    Raises:
        CheckpointFormatError: a file is missing, truncated or of another kind.
    """
    text = names.existing_prefix(prefix)
    with values.told_if_unreadable(text):
        index = values.read_index(text)
    tensors = {name: Tensor(index.entries[name].shape, index.entries[name].dtype) for name in sorted(index.entries)}
    _check_data_files(text, tensors)
    with values.told_if_unreadable(text):
        index.check(lambda shard: values.size_of_shard(text, index, shard))
    return tensors


def _check_data_files(text: str, tensors: Dict[str, Tensor]) -> None:
    files = names.files_of(text)
    shards = {match.group(): match for match in map(_DATA.fullmatch, files) if match}
    counts = {int(match.group(2)) for match in shards.values()} or {1}
    missing = [
        text + f".data-{index:05d}-of-{count:05d}"
        for count in counts
        for index in range(count)
        if f".data-{index:05d}-of-{count:05d}" not in shards
    ]
    if missing:
        raise CheckpointFormatError(
            f"The checkpoint {text!r} is not whole: {_first(missing)} missing. Copy all files whose names begin with "
            "the prefix."
        )
    needed = sum(_bytes_of(tensor) for tensor in tensors.values())
    there = sum(storage.size(files[suffix]) for suffix in shards)
    if there < needed:
        raise CheckpointFormatError(
            f"The checkpoint {text!r} is truncated: its values take {needed} bytes, and its data files have {there}. "
            "Take another copy of them, or export again."
        )


def _first(paths: List[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more are" if len(paths) > _SHOWN else ""
    return ", ".join(map(repr, paths[:_SHOWN])) + more


def _bytes_of(tensor: Tensor) -> int:
    size = 0 if tensor.dtype == tf.string else tensor.dtype.size
    for dimension in tensor.shape:
        size *= dimension
    return size
