"""Which rewrite is for which op."""

import collections

RULES = collections.OrderedDict()


def rewrites(*ops):
    """Registers a function as the rewrite of `ops`."""

    def register(function):
        RULES.update((op, function) for op in ops)
        return function

    return register
