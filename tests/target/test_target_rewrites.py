"""What TensorFlow 1.15 lacks is rewritten into what it has, with the same numbers."""

import numpy as np
import pytest
import tensorflow as tf
from needs import needs
from target_harness import Traced, assert_same_numbers, run_in_reader

from keras_gensynth_callback.errors import UnsupportedOpError
from keras_gensynth_callback.target import fit_to_target

SEED = np.array([3, 5], np.int32)


def image(*shape):
    return np.random.RandomState(0).randn(*shape).astype("f4")


@needs(tf="2.5", reason="TensorFlow 2.4 does not have StatelessRandomGetKeyCounter")
def test_stateless_random_numbers_are_the_same_for_a_seed(reader, tmp_path):
    cases = [
        Traced(lambda seed: tf.random.stateless_uniform([5, 3], seed), SEED),
        Traced(lambda seed: tf.random.stateless_normal([5, 3], seed), SEED),
        Traced(lambda seed: tf.random.stateless_truncated_normal([5, 3], seed), SEED.astype("i8")),
        Traced(lambda seed: tf.random.stateless_uniform([20], seed, 2, 9, tf.int32), SEED),
    ]
    for case in cases:
        assert "StatelessRandomGetKeyCounter" in case.ops()
        assert len(case.fit()) >= 1
        assert not [op for op in case.ops() if "KeyCounter" in op or "Stateless" in op and op.endswith("V2")]
    assert_same_numbers(reader, tmp_path, *cases, tolerance=1e-6)


@needs(tf="2.5", reason="TensorFlow 2.4 does not have StatelessRandomGetKeyCounter")
def test_a_random_algorithm_that_the_target_lacks_is_refused():
    def draw(seed):
        key = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
        return tf.raw_ops.StatelessRandomUniformV2(shape=[5], key=key[0], counter=key[1], alg=2)

    case = Traced(draw, SEED)
    with pytest.raises(UnsupportedOpError, match=r"its algorithm is 2, expected Philox \(1\) or the default \(3\)"):
        case.fit()


@needs(tf="2.6", reason="earlier versions do not have BatchMatMulV3")
def test_batched_products(reader, tmp_path):
    def product(x, y):
        return tf.raw_ops.BatchMatMulV3(x=x, y=y, Tout=tf.float32, adj_y=True)

    case = Traced(product, image(2, 3, 4), image(2, 5, 4))
    assert case.fit() == ["use_batch_matmul_v2", "drop_private_attributes"]
    assert case.ops()["BatchMatMulV2"] == 1
    assert_same_numbers(reader, tmp_path, case)


@pytest.mark.parametrize("factor", [1.0, 0.1])
def test_batch_normalisation_in_training(reader, tmp_path, factor):
    def normalise(x, scale, offset):
        old = tf.constant([0.5, 0.2, 0.1]), tf.constant([1.0, 2.0, 3.0])
        y, mean, variance = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=old[0], variance=old[1], exponential_avg_factor=factor
        )[:3]
        return [y, tf.stop_gradient(mean), tf.stop_gradient(variance)]

    case = Traced(normalise, image(4, 5, 5, 3), image(3), image(3))
    assert "fit_fused_batch_norm" in case.fit()
    assert_same_numbers(reader, tmp_path, case)


@needs(tf="2.5", reason="TensorFlow 2.4 does not compute with all unsigned integers")
def test_arithmetic_on_unsigned_integers_wraps_around(reader, tmp_path):
    values = np.array([1, 2, 4294967295], np.uint32)

    def compute(x):
        return [x + tf.constant(7, tf.uint32), x * x, x - tf.constant(2, tf.uint32), tf.cast(x < 3, tf.float32)]

    case = Traced(compute, values)
    assert "compute_in_wider_integers" in case.fit()
    assert_same_numbers(reader, tmp_path, case)


def test_rewrites_inside_a_loop_stand_in_its_frame(reader, tmp_path):
    def loop(x, kernel):
        def step(i, y):
            noise = tf.random.stateless_uniform([2, 4], tf.stack([i, 1]))
            return i + 1, tf.raw_ops.Einsum(inputs=[y, kernel], equation="abc,cd->abd") + noise

        return tf.while_loop(lambda i, _: i < 3, step, [0, x])[1]

    case = Traced(loop, image(5, 2, 4), image(4, 4), shapes=False)
    assert "expand_einsum" in case.fit()
    assert_same_numbers(reader, tmp_path, case)


def test_rewrites_inside_a_branch_run_with_it(reader, tmp_path):
    def branch(x, kernel, flag):
        return tf.cond(flag, lambda: tf.raw_ops.Einsum(inputs=[x, kernel], equation="abc,cd->abd"), lambda: x * 2.0)

    cases = [Traced(branch, image(5, 2, 4), image(4, 4), np.array(flag), shapes=flag) for flag in (True, False)]
    for case in cases:
        case.fit()
    assert_same_numbers(reader, tmp_path, *cases)


def test_fitting_twice_changes_nothing():
    case = Traced(lambda x, y: tf.raw_ops.Einsum(inputs=[x, y], equation="abc,cd->abd"), image(2, 3, 4), image(4, 5))
    case.fit()
    before = case.graph.graph_def()
    assert fit_to_target(case.graph, "1.15") == []
    assert case.graph.graph_def() == before


def test_nothing_is_rewritten_for_the_installed_tensorflow():
    case = Traced(lambda x, y: tf.raw_ops.Einsum(inputs=[x, y], equation="abc,cd->abd"), image(2, 3, 4), image(4, 5))
    assert {change.rule for change in fit_to_target(case.graph, "current")} == {"drop_private_attributes"}
    assert case.ops()["Einsum"] == 1


@pytest.mark.parametrize("binary", [False, True])
def test_counts_of_values_in_rows(reader, tmp_path, binary):
    values = np.array([[0, 1, 1, 9], [4, 4, 4, 2]], np.int32)
    amounts = [] if binary else image(2, 4)

    def count(values):
        return tf.raw_ops.DenseBincount(input=values, size=5, weights=tf.constant(amounts), binary_output=binary)

    case = Traced(count, values)
    assert "count_with_segment_sums" in case.fit()
    assert_same_numbers(reader, tmp_path, case)


def test_counts_of_values_in_a_vector(reader, tmp_path):
    case = Traced(lambda x: tf.math.bincount(x, minlength=7, maxlength=7), np.array([3, 0, 3, 6], np.int32))
    case.fit()
    assert "DenseBincount" not in case.ops()
    assert_same_numbers(reader, tmp_path, case)


@pytest.mark.parametrize("binary", [False, True])
def test_counts_of_values_in_ragged_rows(reader, tmp_path, binary):
    values, splits = np.array([0, 1, 1, 9, 4, 4], np.int64), np.array([0, 3, 3, 6], np.int64)

    def count(splits, values):
        return tf.raw_ops.RaggedBincount(
            splits=splits, values=values, size=np.int64(5), weights=np.zeros(0, "f4"), binary_output=binary
        )

    case = Traced(count, splits, values)
    assert "count_rows_with_segment_sums" in case.fit()
    assert_same_numbers(reader, tmp_path, case)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [[3, 4], [12]])
def test_counts_of_values_of_a_sparse_tensor(reader, tmp_path, shape, weighted, binary):
    values, places = np.array([0, 1, 1, 9, 4], np.int64), np.array([0, 1, 3, 8, 11])
    indices = np.stack(np.unravel_index(places, shape), 1)
    amounts = image(5) if weighted and not binary else []

    def count(indices, values):
        return tf.raw_ops.SparseBincount(
            indices=indices,
            values=values,
            dense_shape=tf.constant(shape, tf.int64),
            size=np.int64(5),
            weights=tf.constant(amounts, tf.float32),
            binary_output=binary,
        )

    case = Traced(count, indices, values)
    assert "count_what_is_present_with_segment_sums" in case.fit()
    assert "SparseBincount" not in case.ops()
    assert_same_numbers(reader, tmp_path, case)


def test_counts_where_not_even_the_rank_is_known(reader, tmp_path):
    values, amounts = np.array([[0, 1, 1, 9], [4, 4, 4, 2]], np.int32), image(2, 4)

    def count(values, amounts):
        return tf.raw_ops.DenseBincount(input=values, size=5, weights=amounts)

    case = Traced(count, values, amounts, shapes=False, differentiate=False)
    case.fit()
    assert_same_numbers(reader, tmp_path, case)


@pytest.mark.parametrize("shapes", [True, False])
def test_angles_between_operands_of_other_shapes_have_gradients(reader, tmp_path, shapes):
    case = Traced(lambda y, x: tf.atan2(y, x[0]), image(2, 3), 1 + image(2, 3), shapes=shapes)
    case.fit()
    assert case.ops()["Atan2"] == 1
    assert_same_numbers(reader, tmp_path, case)


@pytest.mark.parametrize("shapes", [True, False])
def test_one_triangular_matrix_serves_a_batch(reader, tmp_path, shapes):
    def solve(matrices, sides):
        one = tf.linalg.triangular_solve(tf.eye(3) + matrices[0], sides)
        return one, tf.linalg.triangular_solve(tf.eye(3) + matrices, sides[0])

    case = Traced(solve, image(2, 3, 3), image(2, 3, 2), shapes=shapes)
    case.fit()
    assert_same_numbers(reader, tmp_path, case)


@needs(tf="2.6", reason="earlier versions do not have BatchMatMulV3")
def test_products_of_int8_are_int32(reader, tmp_path):
    draw = np.random.RandomState(0)
    operands = [draw.randint(-128, 128, shape).astype("int8") for shape in ((2, 3, 40), (2, 40, 5))]
    case = Traced(lambda x, y: tf.raw_ops.BatchMatMulV3(x=x, y=y, Tout=tf.int32), *operands)
    case.fit()
    assert case.ops()["BatchMatMulV2"] == 1
    assert_same_numbers(reader, tmp_path, case)


@needs(tf="2.11", reason="earlier versions do not have float8_e4m3fn")
def test_a_type_that_the_target_has_not_is_refused():
    case = Traced(lambda x: tf.cast(tf.cast(x, tf.dtypes.experimental.float8_e4m3fn), tf.float32), image(3))
    with pytest.raises(UnsupportedOpError, match="the type float8_e4m3fn does not exist there"):
        case.fit()


def test_diagonals(reader, tmp_path):
    def diagonals(x):
        return [tf.linalg.diag(x[0]), tf.linalg.diag_part(x), tf.linalg.set_diag(x, x[0])]

    case = Traced(diagonals, image(3, 3))
    assert "use_second_diagonal_ops" in case.fit()
    assert_same_numbers(reader, tmp_path, case)


@pytest.mark.parametrize("fill_mode", ["CONSTANT", "REFLECT", "WRAP", "NEAREST"])
def test_images_under_projective_transforms(reader, tmp_path, fill_mode):
    turned = np.array([[0.9, -0.4, 1.3, 0.3, 1.1, -2.2, 0.01, 0.02], [1, 0, 3.25, 0, 1, -4.5, 0, 0]], np.float32)

    def transform(images, interpolation):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=turned,
            output_shape=[6, 7],
            fill_value=0.5,
            interpolation=interpolation,
            fill_mode=fill_mode,
        )

    cases = [
        Traced(lambda x: transform(x, "BILINEAR"), image(2, 7, 6, 3), differentiate=False),
        Traced(lambda x: transform(x, "NEAREST"), image(2, 7, 6, 3), differentiate=False),
    ]
    for case in cases:
        assert "spell_out_projective_transform" in case.fit()
    assert_same_numbers(reader, tmp_path, *cases)


def test_grouped_convolutions(reader, tmp_path):
    options = {"strides": [1, 2, 1, 1], "padding": "SAME"}

    def grouped(x, kernel):
        return tf.nn.conv2d(x, kernel, **options)

    def one_by_one(x, kernel):
        return tf.concat([tf.nn.conv2d(*pair, **options) for pair in zip(tf.split(x, 3, 3), tf.split(kernel, 3, 3))], 3)

    def gradients_of(convolve):
        return lambda *xs: tf.gradients(convolve(*xs) ** 2, xs)

    arrays = image(3, 6, 5, 6), image(3, 3, 2, 9)
    forward = Traced(grouped, *arrays, reference=one_by_one)
    backward = Traced(gradients_of(grouped), *arrays, reference=gradients_of(one_by_one), differentiate=False)
    forward.fit()
    backward.fit()
    assert forward.ops()["Conv2D"] == 3
    assert backward.ops()["Conv2DBackpropInput"] == backward.ops()["Conv2DBackpropFilter"] == 3
    assert_same_numbers(reader, tmp_path, forward, backward)


def test_a_convolution_with_a_group_for_each_channel_is_a_depthwise_one(reader, tmp_path):
    def grouped(options):
        return lambda x, kernel: tf.nn.conv2d(x, kernel, **options)

    def one_by_one(options):
        def convolve(x, kernel):
            pairs = zip(tf.split(x, 3, 3), tf.split(kernel, 3, 3))
            return tf.concat([tf.nn.conv2d(*pair, **options) for pair in pairs], 3)

        return convolve

    def gradients_of(convolve):
        return lambda *xs: tf.gradients(convolve(*xs) ** 2, xs)

    arrays, cases = (image(3, 6, 5, 3), image(3, 2, 1, 6)), []
    for strides, padding in ([1, 1], "SAME"), ([2, 2], "VALID"), ([2, 1], "SAME"):
        options = {"strides": strides, "padding": padding}
        cases.append(Traced(grouped(options), *arrays, reference=one_by_one(options)))
        whole, parts = gradients_of(grouped(options)), gradients_of(one_by_one(options))
        cases.append(Traced(whole, *arrays, reference=parts, differentiate=False))
    for case in cases:
        case.fit()
    assert [case.ops()["DepthwiseConv2dNative"] for case in cases] == [1, 1, 1, 1, 0, 0]
    for case in cases[1], cases[3]:
        assert case.ops()["DepthwiseConv2dNativeBackpropInput"] == 1
        assert case.ops()["DepthwiseConv2dNativeBackpropFilter"] == 1
    # The depthwise kernels have one stride for height and width.
    assert cases[4].ops()["Conv2D"] == 3
    assert_same_numbers(reader, tmp_path, *cases)


def test_grouped_convolutions_of_volumes(reader, tmp_path):
    options = {"strides": [1, 2, 1, 1, 1], "padding": "SAME"}

    def grouped(x, kernel):
        return tf.nn.conv3d(x, kernel, **options)

    def one_by_one(x, kernel):
        return tf.concat([tf.nn.conv3d(*pair, **options) for pair in zip(tf.split(x, 2, 4), tf.split(kernel, 2, 4))], 4)

    def gradients_of(convolve):
        return lambda *xs: tf.gradients(convolve(*xs) ** 2, xs)

    arrays = image(3, 4, 4, 3, 4), image(2, 2, 2, 2, 6)
    forward = Traced(grouped, *arrays, reference=one_by_one)
    backward = Traced(gradients_of(grouped), *arrays, reference=gradients_of(one_by_one), differentiate=False)
    forward.fit()
    backward.fit()
    assert forward.ops()["Conv3D"] == 2
    assert backward.ops()["Conv3DBackpropInputV2"] == backward.ops()["Conv3DBackpropFilterV2"] == 2
    assert_same_numbers(reader, tmp_path, forward, backward)


def test_batch_normalisation_with_channels_in_front(reader, tmp_path):
    def normalise(x, scale, offset, is_training):
        statistics = ([], []) if is_training else (tf.ones([3]) * 0.3, tf.ones([3]) * 2.0)
        run = tf.raw_ops.FusedBatchNormV3
        y = run(
            x=x,
            scale=scale,
            offset=offset,
            mean=statistics[0],
            variance=statistics[1],
            data_format="NCHW",
            is_training=is_training,
        )
        return tf.nn.relu(y[0])

    def gradients(x, scale, offset):
        y = normalise(x, scale, offset, True)
        return [tf.identity(gradient) for gradient in tf.gradients(y * y, [x, scale, offset])]

    arrays = image(2, 3, 5, 4), image(3), image(3)
    cases = [
        Traced(lambda *xs: normalise(*xs, True), *arrays),
        Traced(lambda *xs: normalise(*xs, False), *arrays),
        Traced(gradients, *arrays, differentiate=False),
    ]
    for case in cases:
        assert "put_channels_last" in case.fit()
    assert_same_numbers(reader, tmp_path, *cases, tolerance=1e-4)


def test_numbers_of_a_generator_are_drawn_without_it(reader, tmp_path):
    def draw(x):
        state = tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=[3])
        read = tf.raw_ops.RngReadAndSkip(resource=state, alg=1, delta=tf.constant(256, tf.uint64))
        key, counter = tf.bitcast(read[2], tf.uint64), tf.bitcast(read[:2], tf.uint64)
        key = tf.reshape(key, [1])
        uniform = tf.raw_ops.StatelessRandomUniformV2(shape=[9], key=key, counter=counter, alg=1)
        integers = tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[9], key=key, counter=counter, alg=1, dtype=tf.int64
        )
        return [uniform, integers]

    case = Traced(draw, image(1, 1))
    assert {"use_first_random_ops", "draw_all_integers_from_a_range"} <= set(case.fit())
    assert "RngReadAndSkip" not in case.ops() and "Bitcast" in case.ops()
    (found,) = run_in_reader(reader, tmp_path, [case])
    assert ((found.outputs[0] >= 0) & (found.outputs[0] < 1)).all() and len(set(found.outputs[0])) > 5
    assert found.outputs[1].dtype == np.int64 and len(set(found.outputs[1])) == 9


@needs(tf="2.5", reason="TensorFlow 2.4 draws these numbers with other ops")
def test_all_integers_from_a_seed(reader, tmp_path):
    case = Traced(lambda seed: tf.random.stateless_uniform([30], seed, None, None, tf.int32), SEED)
    case.fit()
    assert_same_numbers(reader, tmp_path, case)


def test_special_functions_are_computed_from_those_that_the_target_has(reader, tmp_path):
    inside = np.array([[-0.999999, -0.9, -0.5], [-1e-4, 0.0, 1e-4], [0.3, 0.9, 0.99]], "f4")
    probabilities = np.array([1e-37, 1e-25, 1e-12, 1e-6, 0.01, 0.3, 0.5, 0.6, 0.999], "f4")
    anything = np.array([-30.0, -4.0, -0.5, 0.0, 1e-3, 2.0, 30.0], "f4")
    cases = [
        *(Traced(tf.math.erfinv, inside.astype(dtype), differentiate=dtype == "f8") for dtype in ("f4", "f8")),
        *(Traced(tf.math.ndtri, probabilities.astype(dtype), differentiate=dtype == "f8") for dtype in ("f4", "f8")),
        Traced(lambda x: [tf.raw_ops.BesselI0(x=x), tf.raw_ops.BesselI1(x=x)], anything),
    ]
    assert all(case.fit() for case in cases)
    assert_same_numbers(reader, tmp_path, *cases)


def test_a_product_with_a_logarithm_is_zero_with_its_gradients_where_the_factor_is(reader, tmp_path):
    factor, argument = np.array([[0.0], [2.0], [-1.5]], "f4"), np.array([-1.0, 0.5, 1e-6], "f4")
    case = Traced(lambda x, y: tf.math.xlog1py(x, tf.where(tf.equal(x, 0), y, tf.abs(y) / 2)), factor, argument)
    assert "write_out_xlog1py" in case.fit()
    assert_same_numbers(reader, tmp_path, case)


def test_what_the_target_cannot_differentiate_is_written_with_what_it_can(reader, tmp_path):
    clipped = Traced(lambda x: tf.raw_ops.ClipByValue(t=x, clip_value_min=-0.5, clip_value_max=0.7), image(4, 5))
    multiplied = Traced(lambda x: tf.math.segment_prod(x, [0, 0, 1, 3]), image(4, 5))
    assert clipped.fit() == ["clip_by_minimum_and_maximum", "drop_private_attributes"]
    assert multiplied.fit() == ["multiply_unsorted_segments", "drop_private_attributes"]
    assert_same_numbers(reader, tmp_path, clipped, multiplied)


def test_ragged_values_become_dense_with_their_gradient(reader, tmp_path):
    def by_lengths(values):
        return tf.RaggedTensor.from_row_lengths(values, [2, 0, 3]).to_tensor()

    def twice_ragged(values, default):
        inner = tf.RaggedTensor.from_row_splits(values, [0, 2, 2, 3, 5])
        return tf.RaggedTensor.from_row_lengths(inner, [1, 3]).to_tensor(default, shape=[None, 4, None, 3])

    def by_row_ids(values):
        rows = tf.constant([0, 0, 2, 2, 2], tf.int64)
        return tf.raw_ops.RaggedTensorToTensor(
            shape=tf.constant([4, 2, -1], tf.int64),
            values=values,
            default_value=0.5,
            row_partition_tensors=[tf.constant(4, tf.int64), rows],
            row_partition_types=["FIRST_DIM_SIZE", "VALUE_ROWIDS"],
        )

    values = image(5, 3)
    cases = [Traced(by_lengths, values), Traced(twice_ragged, values, values[0]), Traced(by_row_ids, values)]
    for case in cases:
        assert "gather_rows_of_ragged_values" in case.fit()
    assert_same_numbers(reader, tmp_path, *cases)


@needs(tf="2.15", reason="earlier versions do not have SparseSegmentMeanGradV2")
@pytest.mark.parametrize("kind", ["mean", "sum", "sqrt_n"])
def test_segments_of_sparse_embeddings(reader, tmp_path, kind):
    by_segment = getattr(tf.sparse, f"segment_{kind}")
    indices, ids = np.array([3, 0, 3, 1]), np.array([0, 0, 1, 3])

    def gradient(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = by_segment(values, indices, ids) ** 2
        return tape.gradient(outputs, values)

    def slices(values):
        name = f"SparseSegment{kind.title().replace('_', '')}GradV2"
        given = {"grad": values, "indices": indices, "segment_ids": ids, "dense_output_dim0": np.int32(4)}
        found = getattr(tf.raw_ops, name)(**given)
        return tf.math.unsorted_segment_sum(found[0], found[1], 4)

    cases = [
        Traced(slices, image(4, 3), differentiate=False),
        Traced(lambda values: by_segment(values, indices, ids), image(4, 3)),
        Traced(lambda values: by_segment(values, indices, ids, num_segments=6), image(4, 3)),
        Traced(gradient, image(4, 3), differentiate=False),
    ]
    assert "add_up_gradients_of_rows" in cases[0].fit()
    for case in cases[1:]:
        assert "number_segments_by_int32" in case.fit()
    assert_same_numbers(reader, tmp_path, *cases)
