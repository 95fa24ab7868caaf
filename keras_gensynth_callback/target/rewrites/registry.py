"""Which rewrite is for which op."""

import collections
from typing import Any, Callable, Dict, List

# The order of registration is the order in which the rules are tried.
RULES: Dict[str, List[Callable[..., Any]]] = collections.OrderedDict()


def rewrites(*ops):
    """Registers a function as a rewrite of `ops`; an op may have several."""

    def register(function):
        for op in ops:
            RULES.setdefault(op, []).append(function)
        return function

    return register
