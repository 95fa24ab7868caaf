"""The `.index` file of a checkpoint, read and checked here before TensorFlow sees it.

TensorFlow's own reader ends the process where an entry of the table is no BundleEntryProto, or names a shape that no
tensor has, and allocates what an entry says before it looks at the size of the data file. So each entry is first
compared with the files that are there.

The format: tensorflow/core/lib/io/format.cc and table_format.txt (LevelDB's), tensor_bundle.proto for the entries.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import tensor_bundle_pb2

from . import snappy

if TYPE_CHECKING:
    from keras_gensynth_callback._types import BundleEntryProto, DType, TensorSliceProto

_MAGIC, _FOOTER, _TRAILER = 0xDB4775248B80FB57, 48, 5
_RANK, _ELEMENTS, _LONGEST_NAME = 254, 2**63 - 1, 4096
_LARGEST_INDEX, _LONGEST_NAMES, _MOST_ENTRIES = 1 << 28, 1 << 28, 2_000_000
_NO_VALUES = (tf.resource, tf.variant)


class Fault(Exception):
    """What is wrong with an index, in words."""


class Entry(NamedTuple):
    """What an index says of a tensor; `slices` are the parts that its values stand in, if they do."""

    shape: Tuple[int, ...]
    dtype: DType
    shard: int
    offset: int
    size: int
    slices: List[TensorSliceProto]


def check_size(size: int) -> None:
    """Raises Fault where an index has more bytes than any has."""
    if size > _LARGEST_INDEX:
        raise Fault(f"it has {size} bytes, and at most {_LARGEST_INDEX} are read")


class Index:
    """The entries of an index.

    Args:
        content: bytes of the file.

    Attributes:
        shards: int, how many data files there are.
        entries: {name: Entry}, in the order of the file.
        slices: {key: Entry}, the parts of those that stand in slices.
    """

    def __init__(self, content: bytes) -> None:
        check_size(len(content))
        self.entries: Dict[str, Entry] = {}
        self.slices: Dict[bytes, Entry] = {}
        shards: Optional[int] = None
        previous: Optional[bytes] = None
        length = 0
        for key, value in _table(content):
            if previous is not None and key <= previous:
                raise Fault("its names are not in order")
            previous = key
            if not key:
                shards = _parsed(tensor_bundle_pb2.BundleHeaderProto, value, "header").num_shards
            elif shards is None:
                raise Fault("it has no header")
            else:
                self._add(key, value, shards)
            length += len(key)  # a name may be the one before, and a letter
            if length > _LONGEST_NAMES:
                raise Fault(f"its names have more than {_LONGEST_NAMES} bytes")
            if len(self.entries) + len(self.slices) > _MOST_ENTRIES:
                raise Fault(f"it has more than {_MOST_ENTRIES} entries")
        if shards is None:
            raise Fault("it has no header")
        self.shards = shards

    def _add(self, key: bytes, value: bytes, shards: int) -> None:
        # The name of a slice begins with a zero; it is not a text.
        name = key[:80].decode("utf-8", "replace") if key[0] == 0 else _text(key)
        entry = _checked(name, _parsed(tensor_bundle_pb2.BundleEntryProto, value, f"entry {name!r}"), shards)
        if key[0] == 0:
            self.slices[key] = entry
        else:
            self.entries[name] = entry

    def check(self, size_of: Callable[[int], int]) -> None:
        """Raises Fault where an entry reaches beyond its data file, or is larger than all of them.

        Args:
            size_of: takes the number of a data file and returns its size.
        """
        sizes: Dict[int, int] = {}
        for name, entry in [*self.entries.items(), *(("a slice", entry) for entry in self.slices.values())]:
            if entry.shard not in sizes:
                sizes[entry.shard] = size_of(entry.shard)
            if entry.slices:
                self._check_slices(name, entry)
            elif entry.offset + entry.size > sizes[entry.shard]:
                raise Fault(
                    f"{name!r} ends at byte {entry.offset + entry.size} of a data file of {sizes[entry.shard]} bytes"
                )
        there = sum(sizes.values())
        needed = sum(_bytes_of(entry) for entry in self.entries.values())
        if needed > there:
            raise Fault(f"its values take {needed} bytes, and its data files have {there}")

    def parts_of(self, name: str) -> List[Entry]:
        """The Entries that hold the values of a tensor: its own, or those of its slices."""
        entry = self.entries[name]
        return [self.slices[slice_key(name, part)] for part in entry.slices] or [entry]

    def _check_slices(self, name: str, entry: Entry) -> None:
        covered = 0
        for part in entry.slices:
            extents = [_bounds(name, extent, size) for extent, size in zip(part.extent, entry.shape)]
            if len(part.extent) != len(entry.shape):
                raise Fault(f"a slice of {name!r} has {len(part.extent)} dimensions, not {len(entry.shape)}")
            stored = self.slices.get(slice_key(name, part))
            if stored is None or stored.dtype != entry.dtype or stored.slices:
                raise Fault(f"a slice of {name!r} is missing")
            if stored.shape != tuple(length for _, length in extents):
                raise Fault(f"a slice of {name!r} has the shape {list(stored.shape)}, and another was expected")
            covered += _bytes_of(stored)
        if covered < _bytes_of(entry):
            raise Fault(f"{name!r} takes {_bytes_of(entry)} bytes, and its slices have {covered}")


def _checked(name: str, proto: BundleEntryProto, shards: int) -> Entry:
    """An Entry of a BundleEntryProto."""
    try:
        dtype = tf.as_dtype(proto.dtype)
    except TypeError:
        raise Fault(f"{name!r} has the type {proto.dtype}, which the installed TensorFlow does not know") from None
    if dtype != dtype.base_dtype:
        raise Fault(f"{name!r} has the type {dtype.name}, which is none of values")
    shape, count = tuple(dimension.size for dimension in proto.shape.dim), 1
    for size in shape:
        count *= max(size, 1)
    if proto.shape.unknown_rank or len(shape) > _RANK or min(shape, default=0) < 0 or count > _ELEMENTS:
        raise Fault(f"{name!r} has the shape {list(shape)[:10]}, which no tensor has")
    if not 0 <= proto.shard_id < max(shards, 1) or proto.offset < 0 or proto.size < 0:
        raise Fault(f"{name!r} stands in data file {proto.shard_id} of {shards}, from byte {proto.offset} on")
    entry = Entry(shape, dtype, proto.shard_id, proto.offset, proto.size, list(proto.slices))
    needed, is_text = _bytes_of(entry), dtype == tf.string
    if not entry.slices and dtype not in _NO_VALUES and (entry.size < needed if is_text else entry.size != needed):
        raise Fault(f"{name!r} has the shape {list(shape)}, and {entry.size} bytes")
    return entry


def _bounds(name: str, extent: Any, size: int) -> Tuple[int, int]:
    """Where a slice begins along one axis, and how long it is."""
    length = extent.length if extent.HasField("length") else size - extent.start
    if extent.start < 0 or length < 0 or extent.start + length > size:
        raise Fault(f"a slice of {name!r} does not lie in it")
    return extent.start, length


def slice_key(name: str, part: TensorSliceProto) -> bytes:
    """Under which key a slice stands (tensorflow/core/util/saved_tensor_slice_util.cc, lib/strings/ordered_code.cc)."""
    escaped = name.encode("utf-8").replace(b"\xff", b"\xff\x00").replace(b"\x00", b"\x00\xff")
    numbers: List[int] = []
    for extent in part.extent:
        numbers += [extent.start, extent.length if extent.HasField("length") else -1]
    dims = bytes([1, len(part.extent)]) if part.extent else b"\x00"
    return b"\x00" + escaped + b"\x00\x01" + dims + b"".join(map(_signed, numbers))


def _signed(number: int) -> bytes:
    size = max(~number if number < 0 else number, 0).bit_length() // 7 + 1
    content = bytearray(number.to_bytes(10, "big", signed=True)[-size:])
    header = ((1 << size) - 1) << (16 - size)
    content[0] ^= header >> 8
    if size > 1:
        content[1] ^= header & 255
    return bytes(content)


def _bytes_of(entry: Entry) -> int:
    """How many bytes the values take, of texts at least."""
    count = 1
    for size in entry.shape:
        count *= size
    return count * (1 if entry.dtype == tf.string else 0 if entry.dtype in _NO_VALUES else entry.dtype.size)


def _text(key: bytes) -> str:
    if len(key) > _LONGEST_NAME:
        raise Fault(f"a name has {len(key)} bytes, and at most {_LONGEST_NAME} are read")
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault(f"the name {key[:80]!r} is not text") from None


def _parsed(kind: Any, value: bytes, what: str) -> Any:
    try:
        return kind.FromString(value)
    except (DecodeError, RecursionError) as error:
        raise Fault(f"its {what} is damaged: {error}") from error


def check_texts(name: str, entry: Entry, content: bytes) -> None:
    """Raises Fault where texts are longer than the bytes that they stand in.

    Args:
        name: str.
        entry: Entry of type string.
        content: bytes, what stands there: all lengths, a check sum, all texts.
    """
    count, at, total = _bytes_of(entry), 0, 0
    for _ in range(count):
        length, at = _varint(content, at)
        total += length
    if count and at + 4 + total != len(content):
        raise Fault(f"the texts of {name!r} take {at + 4 + total} bytes, and have {len(content)}")


# -- the table


def _table(content: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """Keys and values of a table, in its order."""
    if len(content) < _FOOTER or struct.unpack("<Q", content[-8:])[0] != _MAGIC:
        raise Fault("it is truncated, or no table of tensors")
    footer = content[-_FOOTER:]
    _, at = _varint(footer, 0)  # the handle of the block of filters
    _, at = _varint(footer, at)
    offset, at = _varint(footer, at)
    size, _ = _varint(footer, at)
    end = 0
    for _, handle in _entries(_block(content, offset, size)):
        offset, at = _varint(handle, 0)
        size, _ = _varint(handle, at)
        if offset < end:
            raise Fault("its blocks lie over each other")
        end = offset + size
        yield from _entries(_block(content, offset, size))


def _block(content: bytes, offset: int, size: int) -> bytes:
    if offset + size + _TRAILER > len(content):
        raise Fault(f"a block ends at byte {offset + size + _TRAILER} of {len(content)}")
    block, kind = content[offset : offset + size], content[offset + size]
    if kind not in (0, 1):
        raise Fault(f"a block has the compression {kind}, which TensorFlow does not write")
    try:
        return snappy.inflated(block) if kind else block
    except ValueError as error:
        raise Fault(f"a block cannot be decompressed: {error}") from error


def _entries(block: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """Keys and values of a block; each key shares its beginning with the one before."""
    if len(block) < 4:
        raise Fault("a block is truncated")
    restarts = struct.unpack("<I", block[-4:])[0]
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise Fault("a block is truncated")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise Fault("an entry of a block is damaged")
        if shared + own > 2 * _LONGEST_NAME:
            raise Fault(f"a name has {shared + own} bytes, and at most {_LONGEST_NAME} are read")
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _varint(content: bytes, at: int) -> Tuple[int, int]:
    value, shift = 0, 0
    while True:
        if at >= len(content) or shift > 63:
            raise Fault("a number in it is damaged")
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
