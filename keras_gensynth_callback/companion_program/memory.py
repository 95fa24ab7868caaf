"""The memory that the parent shares: values that it put there, and those that it gets back."""

import mmap
import os

import numpy as np


class Memory:
    """The files behind some descriptors, mapped when they are looked at.

    Args:
        descriptors: list of int.
    """

    def __init__(self, descriptors):
        self._descriptors, self._maps = descriptors, {}

    def arrays(self, values):
        """The arrays of a question: dict, group -> list of arrays in the memory of both.

        Args:
            values: dict with the number of the `area` and, by group, the `layout`.
        """
        return {
            name: [self._array(values["area"], described) for described in group]
            for name, group in values["layout"].items()
        }

    def _array(self, area, described):
        shape, dtype = tuple(described["shape"]), np.dtype(described["dtype"])
        count = int(np.prod(shape))
        return np.frombuffer(self._mapped(area), dtype, count, described["at"]).reshape(shape)

    def _mapped(self, area):
        descriptor = self._descriptors[area]
        size = os.fstat(descriptor).st_size
        if area not in self._maps or len(self._maps[area]) < size:
            self._maps[area] = mmap.mmap(descriptor, size)
        return self._maps[area]
