"""Products of matrices."""

from ..rewriting import Unfit
from .einsum import contract
from .registry import rewrites


@rewrites("BatchMatMulV3")
def use_batch_matmul_v2(rewriter, node):
    types = {node.attr[name].type for name in ("Ta", "Tb", "Tout")}
    if len(types) > 1:
        raise Unfit("its operands and its result have different types")
    rewriter.become(node, "BatchMatMulV2", node.input[:2], T="Ta", adj_x="adj_x", adj_y="adj_y")
    return True


@rewrites("Einsum")
def expand_einsum(rewriter, node):
    """TensorFlow 1.15 has the op, but no gradient for it."""
    if rewriter.table.has_gradient("Einsum"):
        return False
    return contract(rewriter, node)
