"""Which rewrite is for which op."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Callable, Dict, List

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from ..rewriting import Rewriter

    Rewrite = Callable[[Rewriter, NodeDef], bool]

# The order of registration is the order in which the rules are tried.
RULES: Dict[str, List[Rewrite]] = collections.OrderedDict()


def rewrites(*ops: str) -> Callable[[Rewrite], Rewrite]:
    """Registers a function as a rewrite of `ops`; an op may have several."""

    def register(function: Rewrite) -> Rewrite:
        for op in ops:
            RULES.setdefault(op, []).append(function)
        return function

    return register
