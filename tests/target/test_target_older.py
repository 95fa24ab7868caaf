"""What older TensorFlows lack beside TensorFlow 1.15 is rewritten into what they have, with the same numbers and
gradients: each case runs in the TensorFlow of its target, all of a target in one process.
"""

import numpy as np
import pytest
import tensorflow as tf
from needs import needs
from reader import OLDER_TARGETS
from target_harness import Traced, assert_equal, run_in_reader

from keras_gensynth_callback.errors import UnsupportedOpError
from keras_gensynth_callback.target import OpTable

pytestmark = needs(tf="2.5", reason="TensorFlow 2.4 fails on the ops of the tests")

X = np.random.RandomState(0).randn(4, 3).astype("f4")
Y = np.random.RandomState(1).randn(4, 3).astype("f4")
MASK = Y[:, :1] > 0
ROWS = np.array([[2, 0], [1, 1], [0, 2], [2, 2]], "i4")
ZEROS = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]], "f4")
CASES = {}


def case(*inputs, name=None, tolerance=1e-5, older=(), **options):
    """Registers a function of tensors as a case. `older`: ops that TensorFlow 1.13 must run it with."""

    def register(function):
        CASES[name or function.__name__] = (function, inputs, tolerance, older, options)
        return function

    return register


def numbers(*shape):
    return np.random.RandomState(2).randn(*shape).astype("f4")


def slope(y, *x):
    """Gradients as outputs: those that the installed TensorFlow built, and not the target's own."""
    return [tf.stop_gradient(gradient) for gradient in tf.gradients(tf.reduce_sum(y**3), x)]


@case(X, Y[:, :1], older=["Add"])
def sums(x, y):
    return tf.raw_ops.AddV2(x=x, y=y)


@case(X, Y, older=["Select"])
def choice(x, y):
    return tf.where(x > 0, x, y)


@case(X, Y, MASK, older=["Select", "BroadcastTo"])
def choice_by_column(x, y, mask):
    return tf.where(mask, x, y)


@case(X, Y)
def choice_of_a_number(x, y):
    return tf.where(x > 0, x, 0.5) * y


@case(X, Y, older=["Select"])
def choice_of_a_whole(x, y):
    return tf.where(tf.reduce_sum(x) > 0, x, y)


@case(X, Y)
def choice_between_axes(x, y):
    return tf.where(x[:, None] > 0, y[:, :, None], 0.0)


@case(X)
def choice_between_integers(x):
    return tf.where(x > 0, tf.ones_like(x, tf.int32), 2)


@case(X, Y, MASK, shapes=False)
def choice_between_unknown_shapes(x, y, mask):
    return tf.where(mask, x, y)


@case(X, MASK, differentiate=False)
def choice_in_a_loop_and_its_gradient(x, mask):
    def body(i, value):
        return i + 1, tf.where(mask, value * x, value)

    result = tf.compat.v1.while_loop(lambda i, _: i < 3, body, (0, x))[1]
    return [result, *slope(result, x)]


@case(numbers(2, 3, 4), numbers(2, 4, 5), older=["BatchMatMul"])
def product_of_batches(x, y):
    return tf.raw_ops.BatchMatMulV2(x=x, y=y)


@case(numbers(2, 3, 4), numbers(2, 5, 4), older=["BatchMatMul"])
def product_of_transposed_batches(x, y):
    return tf.raw_ops.BatchMatMulV2(x=x, y=y, adj_y=True)


@case(numbers(2, 3, 4), numbers(4, 5), older=["MatMul"])
def product_with_one_matrix(x, y):
    return tf.raw_ops.BatchMatMulV2(x=x, y=tf.reshape(y, [4, 5]))


@case(numbers(2, 6, 3, 4), older=["MatMul"])
def product_with_one_transposed_matrix(x):
    return tf.raw_ops.BatchMatMulV2(x=x, y=numbers(5, 4), adj_y=True)


@case(numbers(2, 3, 4))
def product_with_a_batch_of_one(x):
    return tf.raw_ops.BatchMatMulV2(x=x, y=numbers(1, 4, 5))


@case(numbers(2, 3, 4))
def product_of_one_matrix_with_batches(x):
    return tf.raw_ops.BatchMatMulV2(x=numbers(6, 3), y=x)


@case(numbers(2, 1, 3, 4), numbers(2, 5, 4, 2))
def product_over_two_axes(x, y):
    return tf.raw_ops.BatchMatMulV2(x=x, y=y)


@case(numbers(2, 3, 4), numbers(2, 4, 5), shapes=False)
def product_of_unknown_shapes(x, y):
    return tf.raw_ops.BatchMatMulV2(x=x, y=y)


@case(numbers(5, 4, 4, 3), tolerance=1e-4, older=["FusedBatchNormV2", "FusedBatchNormGradV2"])
def batch_normalisation_in_training(x):
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, [1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
    return [y, tf.stop_gradient(mean), tf.stop_gradient(variance), *slope(y, x)]


@case(numbers(5, 4, 4, 3), older=["FusedBatchNormV2", "FusedBatchNormGradV2"])
def batch_normalisation_in_inference(x):
    old = {"mean": [0.5, 0.2, 0.1], "variance": [1.0, 2.0, 3.0], "is_training": False}
    y = tf.compat.v1.nn.fused_batch_norm(x, [1.0, 2.0, 3.0], [0.0, 1.0, 2.0], **old)[0]
    return [y, *slope(y, x)]


@case(X[:, :1], Y[:, :1] > 0, np.arange(4, dtype="i4")[:, None])
def spread_over_columns(x, mask, numbers):
    spread = [tf.broadcast_to(tensor, [2, 4, 3]) for tensor in (x, mask, numbers)]
    return [spread[0], tf.cast(spread[1], "int32"), spread[2]]


@case(numbers(2, 3, 4))
def softmax_of_a_batch_of_matrices(x):
    return [tf.nn.softmax(x), tf.nn.log_softmax(x)]


@case(numbers(2, 3, 4), shapes=False)
def softmax_of_an_unknown_shape(x):
    return tf.nn.softmax(x)


@case(X, older=["MatrixDiag"])
def diagonal_matrix(x):
    return tf.linalg.diag(x)


@case(numbers(4, 3, 3), older=["MatrixDiagPart"])
def main_diagonal(x):
    return tf.linalg.diag_part(x)


@case(numbers(4, 3, 3), X, older=["MatrixSetDiag"])
def matrix_with_diagonal(x, y):
    return tf.linalg.set_diag(x, y)


@case(X, np.where(X > 0, X, 0).astype("f4"))
def comparisons(x, y):
    equal = tf.raw_ops.Equal(x=x, y=y, incompatible_shape_error=False)
    return [tf.cast(equal, "int32"), tf.cast(tf.raw_ops.NotEqual(x=x, y=1.0, incompatible_shape_error=False), "int32")]


@case(X)
def norm(x):
    return tf.math.reduce_euclidean_norm(x, 1, keepdims=True)


@case(numbers(2, 3), ZEROS, differentiate=False)
def product_without_nan(x, y):
    return tf.math.multiply_no_nan(x, y)


@case(ZEROS.astype("f2") + 1, ZEROS.astype("f2"), differentiate=False, tolerance=1e-3)
def quotient_without_nan(x, y):
    return tf.math.divide_no_nan(x, y)


for _number, (_shape, _indices, _options) in enumerate(
    [
        ((4, 3, 5), ROWS, {"batch_dims": 1}),
        ((4, 3, 5), ROWS[:, 0], {"batch_dims": 1}),
        ((4, 5, 3), ROWS, {"batch_dims": 1, "axis": 2}),
        ((4, 5, 2, 3), ROWS[:, 1], {"batch_dims": 1, "axis": 3}),
        ((4, 2, 3), ROWS.clip(0, 1), {"batch_dims": -1, "axis": 1}),
        ((4, 2, 3), ROWS[..., None], {"batch_dims": 2, "axis": 2}),
    ]
):
    case(numbers(*_shape), _indices, name=f"gathering_in_batches_{_number}")(
        lambda x, indices, _options=_options: tf.gather(x, indices, **_options)
    )


def _variable(x):
    handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[4, 3])
    return handle, tf.raw_ops.AssignVariableOp(resource=handle, value=tf.reshape(x, [4, 3]))


@case(X, differentiate=False, older=["GatherNd"])
def gathering_from_places_of_a_variable(x):
    handle, written = _variable(x)
    with tf.control_dependencies([written]):
        return tf.raw_ops.ResourceGatherNd(resource=handle, indices=[[0, 1], [3, 2]], dtype=tf.float32)


@case(X, differentiate=False)
def gathering_from_a_variable_in_batches(x):
    handle, written = _variable(x)
    with tf.control_dependencies([written]):
        indices = [[0], [1], [2], [0]]
        return tf.raw_ops.ResourceGather(resource=handle, indices=indices, dtype=tf.float32, batch_dims=1)


@case(numbers(2, 6, 5, 3), numbers(3, 3, 3, 4))
def convolution_with_explicit_padding(x, kernel):
    kernel = tf.reshape(kernel, [3, 3, 3, 4])
    y = tf.nn.conv2d(x, kernel, [1, 2, 1, 1], [[0, 0], [1, 2], [0, 1], [0, 0]])
    return [y, *slope(y, x, kernel)]


for _method in ("nearest", "bilinear", "bicubic"):
    for _size in ((8, 10), (3, 4), (11, 5)):

        @case(numbers(2, 4, 5, 3), name=f"resizing_{_method}_{_size[0]}", tolerance=2e-5)
        def _resizing(x, _method=_method, _size=_size):
            y = tf.image.resize(x, _size, _method)
            return [y, *slope(y, x)]


@pytest.fixture(scope="module")
def replayed(old_reader, tmp_path_factory):
    """dict, name -> (what was run before it was rewritten, what the target made of it, its ops)."""
    traced = {}
    for name, (function, inputs, _, _, options) in CASES.items():
        traced[name] = Traced(function, *inputs, **options)
        traced[name].fit(old_reader.version)
    found = run_in_reader(old_reader, tmp_path_factory.mktemp(old_reader.version), list(traced.values()))
    return {name: (case.expected, there, case.ops()) for (name, case), there in zip(traced.items(), found)}


@pytest.mark.parametrize("name", list(CASES))
def test_numbers_and_gradients_are_the_same(old_reader, replayed, name):
    (expected, found, ops), (_, _, tolerance, older, _) = replayed[name], CASES[name]
    table = OpTable.load(old_reader.version)
    assert not [op for op in ops if table.op(op) is None or op == "AddV2"]
    if old_reader.version == "1.13":
        assert set(older) <= set(ops)
    assert_equal(expected, found, tolerance)


@pytest.mark.parametrize("version", ["1.13"])
def test_nothing_is_broadcast_where_shapes_are_known_to_be_equal(version):
    for name in ("choice", "choice_of_a_whole", "product_of_batches"):
        function, inputs = CASES[name][:2]
        traced = Traced(function, *inputs)
        traced.fit(version)
        assert not {"BroadcastTo", "BroadcastArgs", "Fill"} & set(traced.ops())


@pytest.mark.parametrize("version", OLDER_TARGETS)
def test_a_read_waits_for_all_that_the_gather_waited_for(version):
    """TensorFlow leaves out the control input of a gather whose indices wait for the same write."""
    case = Traced(*CASES["gathering_from_a_variable_in_batches"][:1], X, differentiate=False)
    case.fit(version)
    (read,) = [node for node in case.graph.nodes.values() if node.op == "ReadVariableOp"]
    assert "AssignVariableOp" in case.graph.ancestors({read.name})


@pytest.mark.parametrize("version", OLDER_TARGETS)
def test_other_diagonals_are_refused(version):
    def diagonal(x):
        return tf.raw_ops.MatrixDiagV2(diagonal=x, k=1, num_rows=-1, num_cols=-1, padding_value=0.0)

    with pytest.raises(UnsupportedOpError, match="it takes other diagonals than the main one"):
        Traced(diagonal, X).fit(version)


@pytest.mark.parametrize("version", OLDER_TARGETS)
def test_a_comparison_of_shapes_that_do_not_fit_is_refused(version):
    case = Traced(lambda x: tf.raw_ops.Equal(x=x, y=np.zeros(4, "f4"), incompatible_shape_error=False), X)
    with pytest.raises(
        UnsupportedOpError, match=r"it compares shapes \[None, 3\] and \[4\], which do not fit together"
    ):
        case.fit(version)
