"""Decisions by a seed: the same seed decides the same in every Python."""

import random


class Draw:
    def __init__(self, seed):
        self._random = random.Random(seed)

    def chance(self, share):
        return self._random.random() < share

    def one(self, *values):
        """One of the values; a value that stands twice is drawn twice as often."""
        return values[int(self._random.random() * len(values))]

    def whole(self, least, most):
        return least + int(self._random.random() * (most - least + 1))

    def options(self, **shares):
        """dict, name -> one of its values, for the names that are drawn: `filters=(0.5, 2, 3)` in half of the cases."""
        return {name: self.one(*values) for name, (share, *values) in shares.items() if self.chance(share)}
