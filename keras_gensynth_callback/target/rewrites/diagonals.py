"""Diagonals of matrices: the second version of each op lacks the alignment, which says nothing about one diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..rewriting import Unfit
from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from ..rewriting import Rewriter


@rewrites("MatrixDiagV3", "MatrixDiagPartV3", "MatrixSetDiagV3")
def use_second_diagonal_ops(rewriter: Rewriter, node: NodeDef) -> bool:
    diagonals = rewriter.value(node.input[2 if node.op == "MatrixSetDiagV3" else 1])
    if diagonals is None or np.any(diagonals):
        # Other diagonals run there, but their gradient fails.
        raise Unfit("it takes other diagonals than the main one, or one that is not known when the graph is built")
    inputs = [name for name in node.input if not name.startswith("^")]
    rewriter.become(node, node.op[:-1] + "2", inputs, T="T")
    return True
