"""Decompression of one block of Snappy, in which TensorFlow up to 1.15 may store the blocks of an `.index` file.

The format: https://github.com/google/snappy/blob/main/format_description.txt
"""

from __future__ import annotations

from typing import Tuple

# A block of an index has some kilobytes.
_MOST = 1 << 24


def inflated(block: bytes) -> bytes:
    """The bytes of a block.

    Raises:
        ValueError: the block is damaged, or would be larger than any block of an index.
    """
    length, at = _length(block)
    if length > _MOST:
        raise ValueError(f"it would take {length} bytes")
    out = bytearray()
    while at < len(block):
        tag = block[at]
        at += 1
        if tag & 3 == 0:
            size, at = _size_of_literal(block, tag >> 2, at)
            if at + size > len(block):
                raise ValueError("it is truncated")
            out += block[at : at + size]
            at += size
        else:
            size, offset, at = _copy(block, tag, at)
            if not 0 < offset <= len(out):
                raise ValueError("it refers to what is not there")
            if len(out) + size > length:
                raise ValueError("it is longer than it says")
            for _ in range(size):
                out.append(out[-offset])
    if len(out) != length:
        raise ValueError("it is not as long as it says")
    return bytes(out)


def _length(block: bytes) -> Tuple[int, int]:
    value = 0
    for at, byte in enumerate(block[:5]):
        value |= (byte & 127) << (7 * at)
        if byte < 128:
            return value, at + 1
    raise ValueError("it has no length")


def _size_of_literal(block: bytes, size: int, at: int) -> Tuple[int, int]:
    if size < 60:
        return size + 1, at
    count = size - 59
    return int.from_bytes(block[at : at + count], "little") + 1, at + count


def _copy(block: bytes, tag: int, at: int) -> Tuple[int, int, int]:
    """Size and offset of a copy, and where the next element stands."""
    count = {1: 1, 2: 2, 3: 4}[tag & 3]
    if at + count > len(block):
        raise ValueError("it is truncated")
    low = int.from_bytes(block[at : at + count], "little")
    if tag & 3 == 1:
        return 4 + (tag >> 2 & 7), (tag >> 5) << 8 | low, at + 1
    return 1 + (tag >> 2), low, at + count
