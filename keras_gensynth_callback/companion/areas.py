"""Memory that two processes see: files without a name, mapped into both.

Values are copied into an area, and where they lie is told in words. An area belongs to whoever took it until it is
given back. Each file is as large as the largest set of values that it held.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import threading
import weakref
from typing import Any, Dict, Iterator, List, Sequence

import numpy as np

from keras_gensynth_callback.errors import CheckpointWriteError

# One is being written by the other process, one waits, and two are for other models or callers.
COUNT = 4
_ALIGNED = 64
_SHARED_MEMORY = "/dev/shm"


class Area:
    """One file in memory."""

    def __init__(self) -> None:
        self.file, self._size = _file_in_memory(), 0
        weakref.finalize(self, self.file.close)
        self._map: Any = None

    def reserve(self, size: int) -> None:
        """Makes the file at least so large.

        Raises:
            CheckpointWriteError: there is no room for it.
        """
        if size <= self._size:
            return
        try:
            _allocate(self.file.fileno(), size)
        except OSError as error:
            raise CheckpointWriteError(
                f"The values of the model take {size / 1e6:.0f} MB in {_folder()!r}, by which they are handed to the "
                f"process that writes exports, and cannot have them: {error}. Make room there, or name another folder "
                "in the environment variable TMPDIR."
            ) from error
        self._map, self._size = mmap.mmap(self.file.fileno(), size), size

    def array(self, described: Dict[str, Any]) -> np.ndarray:
        """The values that lie at a place, as they are: no copy."""
        shape, dtype = tuple(described["shape"]), np.dtype(described["dtype"])
        count = int(np.prod(shape))
        return np.frombuffer(self._map, dtype, count, described["at"]).reshape(shape)


def laid_out(arrays: Sequence[np.ndarray]) -> List[Dict[str, Any]]:
    """Where arrays have their place in an area: for each, its type, shape and offset."""
    found, at = [], 0
    for array in arrays:
        found.append({"dtype": array.dtype.name, "shape": list(array.shape), "at": at})
        at += -(-array.nbytes // _ALIGNED) * _ALIGNED
    return found


def size_of(layout: Sequence[Dict[str, Any]]) -> int:
    """How large an area must be for a layout."""
    return max([_ALIGNED, *(_end(described) for described in layout)])


def _end(described: Dict[str, Any]) -> int:
    return described["at"] + int(np.prod(described["shape"])) * np.dtype(described["dtype"]).itemsize


class SharedMemory:
    """The areas that are shared with one process, which is started with their descriptors."""

    def __init__(self) -> None:
        self._areas = [Area() for _ in range(COUNT)]
        self._free, self._change = list(range(COUNT)), threading.Condition()

    @property
    def descriptors(self) -> List[int]:
        """The file descriptors that the other process inherits."""
        return [area.file.fileno() for area in self._areas]

    def take(self) -> int:
        """The number of an area that nobody uses; waits for one."""
        with self._change:
            self._change.wait_for(lambda: self._free)
            return self._free.pop()

    def give_back(self, number: int) -> None:
        """The area is used no more."""
        with self._change:
            self._free.append(number)
            self._change.notify()

    @contextlib.contextmanager
    def taken(self) -> Iterator[int]:
        """An area for the time of a block."""
        number = self.take()
        try:
            yield number
        finally:
            self.give_back(number)

    def put(self, number: int, arrays: Sequence[np.ndarray]) -> List[Dict[str, Any]]:
        """Copies arrays into an area. Returns where each of them lies."""
        layout = laid_out(arrays)
        self.reserve(number, layout)
        for array, described in zip(arrays, layout):
            np.copyto(self._areas[number].array(described), array, casting="no")
        return layout

    def reserve(self, number: int, layout: Sequence[Dict[str, Any]]) -> None:
        """Makes an area large enough for a layout."""
        self._areas[number].reserve(size_of(layout))

    def get(self, number: int, layout: Sequence[Dict[str, Any]]) -> List[np.ndarray]:
        """Copies of the arrays in an area."""
        return [np.array(self._areas[number].array(described)) for described in layout]


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        # Without it, a write to memory that there is not would end the process.
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


def _folder() -> str:
    in_memory = os.path.isdir(_SHARED_MEMORY) and os.access(_SHARED_MEMORY, os.W_OK) and "TMPDIR" not in os.environ
    return _SHARED_MEMORY if in_memory else tempfile.gettempdir()


def _file_in_memory() -> Any:
    return tempfile.TemporaryFile(dir=_folder(), buffering=0)
