"""Einsum becomes matrix products that TensorFlow 1.15 can differentiate, with the same numbers."""

import numpy as np
import pytest
import tensorflow as tf
from target_harness import Traced, assert_same_numbers

EQUATIONS = {
    "a kernel over the last axis": ("abc,cde->abde", (2, 3, 4), (4, 5, 6)),
    "attention scores": ("aecd,abcd->acbe", (2, 5, 3, 4), (2, 6, 3, 4)),
    "attention values": ("acbe,aecd->abcd", (2, 3, 6, 5), (2, 5, 3, 4)),
    "attention output": ("abcd,cde->abe", (2, 3, 4, 5), (4, 5, 6)),
    "plain matrices": ("ab,bc->ac", (2, 3), (3, 4)),
    "both operands turned": ("ba,cb->ac", (3, 2), (4, 3)),
    "a result turned": ("ab,bc->ca", (2, 3), (3, 4)),
    "an outer product": ("a,b->ab", (2,), (3,)),
    "an inner product": ("a,a->", (3,), (3,)),
    "an elementwise product": ("ab,ab->ab", (2, 3), (2, 3)),
    "a batch of dot products": ("ab,ab->a", (2, 3), (2, 3)),
    "an axis that is summed in one operand": ("abc,cd->ad", (2, 3, 4), (4, 5)),
    "an ellipsis": ("...a,ab->...b", (2, 3, 4), (4, 5)),
    "two batch axes in another order": ("bacd,abde->abce", (3, 2, 4, 5), (2, 3, 5, 6)),
    "two free axes on each side": ("xabc,xcde->xabde", (2, 3, 4, 5), (2, 5, 6, 7)),
}


def arrays(*shapes):
    return [np.random.RandomState(0).randn(*shape).astype("f4") for shape in shapes]


def traced(equation, *shapes, known_shapes=True):
    return Traced(
        lambda *xs: tf.raw_ops.Einsum(inputs=list(xs), equation=equation), *arrays(*shapes), shapes=known_shapes
    )


def test_every_form_keeps_its_numbers_and_gradients(reader, tmp_path):
    cases = [traced(*case) for case in EQUATIONS.values()]
    for name, case in zip(EQUATIONS, cases):
        assert case.fit()[0] == "expand_einsum", name
        assert "Einsum" not in case.ops(), name
    assert_same_numbers(reader, tmp_path, *cases)


def test_shapes_are_looked_up_when_the_graph_runs_where_they_are_not_known(reader, tmp_path):
    cases = [traced(*case, known_shapes=False) for case in EQUATIONS.values() if "..." not in case[0]]
    for case in cases:
        case.fit()
        assert "Einsum" not in case.ops()
    assert_same_numbers(reader, tmp_path, *cases)


@pytest.mark.parametrize("equation", ["abc->cab", "abc->b", "abc->cb", "ab->ab"])
def test_one_operand(reader, tmp_path, equation):
    case = traced(equation, (2, 3, 4)[: equation.index("-")])
    case.fit()
    assert "Einsum" not in case.ops()
    assert_same_numbers(reader, tmp_path, case)


def test_a_kernel_is_read_by_one_matmul():
    case = traced("abc,cde->abde", (2, 3, 4), (4, 5, 6))
    case.fit()
    assert case.ops()["MatMul"] == 1
    assert case.ops()["Transpose"] == case.ops()["Shape"] == 0


def test_the_name_of_the_result_stays():
    case = traced("ab,bc->ac", (2, 3), (3, 4))
    case.fit()
    assert case.graph.nodes["Einsum"].op == "MatMul"
