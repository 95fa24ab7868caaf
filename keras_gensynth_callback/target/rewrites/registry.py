"""Which rewrite is for which op."""

import collections
from typing import Any, Callable, Dict

# The order of registration is the order in which the rules are tried.
RULES: Dict[str, Callable[..., Any]] = collections.OrderedDict()


def rewrites(*ops):
    """Registers a function as the rewrite of `ops`."""

    def register(function):
        RULES.update((op, function) for op in ops)
        return function

    return register
