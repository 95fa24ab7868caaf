"""Shapes of products of matrices."""

from typing import Dict, Optional

from .elementwise import broadcast


def _product(step):
    left, right = step.shapes[:2]
    attr = step.node.attr
    rows, columns = None, None
    if left is not None:
        rows = left[1 if attr["transpose_a"].b else 0]
    if right is not None:
        columns = right[0 if attr["transpose_b"].b else 1]
    return [[rows, columns]]


def _product_of_batches(step):
    left, right = step.shapes[:2]
    attr = step.node.attr
    if left is None or right is None or min(len(left), len(right)) < 2:
        return [None]
    rows = left[-1 if attr["adj_x"].b else -2]
    columns = right[-2 if attr["adj_y"].b else -1]
    batch = broadcast(left[:-2], right[:-2])
    return [[*batch, rows, columns]]


def _contraction(step):
    """`Einsum` with letters for all axes."""
    equation = step.node.attr["equation"].s.decode("ascii", "replace").replace(" ", "")
    takes, arrow, gives = equation.partition("->")
    terms = takes.split(",")
    if not arrow or "." in equation or len(terms) != len(step.shapes) or None in step.shapes:
        return [None]
    sizes: Dict[str, Optional[int]] = {}
    for term, shape in zip(terms, step.shapes):
        for letter, size in zip(term, shape):
            sizes[letter] = sizes.get(letter) or size
    return [[sizes.get(letter) for letter in gives]]


FUNCTIONS = {
    "MatMul": _product,
    "BatchMatMul": _product_of_batches,
    "BatchMatMulV2": _product_of_batches,
    "BatchMatMulV3": _product_of_batches,
    "Einsum": _contraction,
}
