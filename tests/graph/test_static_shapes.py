"""Shapes that are found without TensorFlow are those that it infers."""

import pytest
import tensorflow as tf

from keras_gensynth_callback.graph import EditableGraph
from keras_gensynth_callback.inspection.meta_file import read_meta_graph
from keras_gensynth_callback.static import StaticShapes, fold_known_sizes

v1 = tf.compat.v1


def differences(graph_def, ops=None):
    """The tensors of which TensorFlow knows more, or something else: {tensor: (op, TensorFlow's shape, ours)}."""
    static = StaticShapes(EditableGraph(graph_def))
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    found = {}
    for op in graph.get_operations():
        for tensor in op.outputs:
            theirs = None if tensor.shape.rank is None else tensor.shape.as_list()
            ours = static.shape(tensor.name)
            if tensor.dtype != tf.resource and not _says_as_much(ours, theirs):
                found[tensor.name] = (op.type, theirs, ours)
    return found


def _says_as_much(ours, theirs):
    if theirs is None:
        return True
    return ours is not None and len(ours) == len(theirs) and all(t in (None, o) for o, t in zip(ours, theirs))


def test_shapes_of_an_export_are_those_of_tensorflow(small_export):
    found = differences(read_meta_graph(small_export.prefix).graph_def)
    assert {op for op, _, _ in found.values()} <= {"FusedBatchNormGradV3"}  # its last outputs, which nobody reads


def images():
    x = v1.placeholder(tf.float32, [None, 17, 16, 4], "x")
    for padding in ("SAME", "VALID", [[0, 0], [1, 2], [3, 4], [0, 0]]):
        tf.nn.conv2d(x, tf.zeros([3, 2, 4, 5]), [1, 2, 3, 1], padding)
        tf.nn.conv2d(x, tf.zeros([3, 2, 4, 5]), 1, padding, dilations=2)
    tf.nn.depthwise_conv2d(x, tf.zeros([3, 3, 4, 2]), [1, 1, 1, 1], "VALID", dilations=[2, 2])
    tf.nn.max_pool2d(x, 3, 2, "SAME")
    tf.nn.avg_pool3d(x[:, None], [1, 1, 2, 2, 1], [1, 1, 2, 2, 1], "VALID")
    tf.nn.conv2d_transpose(x, tf.zeros([3, 3, 8, 4]), tf.stack([tf.shape(x)[0], 34, 32, 8]), 2)
    tf.image.resize(x, [5, 6])
    tf.nn.space_to_depth(tf.transpose(x, [0, 2, 1, 3])[:, :, :16], 2)
    tf.pad(x, [[0, 0], [1, 2], [0, 0], [3, 4]])


def slices():
    x = v1.placeholder(tf.float32, [None, 7, 5], "x")
    x[:, 1:6:2], x[..., -1], x[:, None, ::-1, 2:], x[:2, -3:-1]
    tf.reshape(x, [-1, 35]), tf.reshape(x, tf.stack([tf.shape(x)[0], 5, 7])), tf.reshape(x[:2], [2, -1])
    tf.concat([x, x[:, :2]], 1), tf.stack([x, x], -1), tf.unstack(x, axis=1), tf.split(x, [2, -1, 1], 1)
    tf.tile(x, [1, 2, 3]), tf.squeeze(x[:, :1], 1), tf.expand_dims(x, -2), tf.gather(x, [[0, 1], [2, 3]], axis=1)
    tf.gather_nd(x, tf.zeros([4, 2], tf.int32)), tf.one_hot(tf.cast(x[:, 0], tf.int32), 9), tf.math.top_k(x, 3)
    tf.slice(x, [0, 1, 0], [-1, 3, -1]), tf.reverse(x, [1]), tf.range(3, 12, 2), tf.fill([2, 3], 1.0), tf.argmax(x, 1)
    tf.broadcast_to(x[:1], [4, 7, 5]), tf.where(x > 0)


def products():
    x, y = v1.placeholder(tf.float32, [None, 7, 5], "x"), v1.placeholder(tf.float32, [5, 3], "y")
    tf.matmul(x, x, transpose_b=True), tf.matmul(x[0], y), tf.matmul(y, y, transpose_a=True)
    tf.raw_ops.Einsum(inputs=[x, y], equation="abc,cd->dab")
    tf.reduce_sum(x, [0, -1], keepdims=True), tf.reduce_mean(x), tf.reduce_max(x, 1), x + y[:, 0], tf.maximum(x, 0.0)
    tf.where(x > 0, x, x * 2), tf.nn.softmax(x), tf.nn.moments(x, [0])
    tf.nn.sparse_softmax_cross_entropy_with_logits(tf.zeros([2], tf.int32), tf.zeros([2, 3]))


@pytest.mark.parametrize("build", [images, slices, products])
def test_shapes_of_ops_are_those_of_tensorflow(build):
    with tf.Graph().as_default() as graph:
        build()
    assert differences(graph.as_graph_def()) == {}


def test_sizes_that_are_known_are_constants_and_the_others_stay():
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 7, 5], "x")
        shape = tf.shape(x, out_type=tf.int64)
        for name, size in {"one": shape[1], "last": shape[-1], "some": shape[1:], "batch": shape[0]}.items():
            tf.identity(size, name)
        tf.range(tf.shape(x * 2.0)[2], name="range")
    edited = EditableGraph(graph.as_graph_def(add_shapes=True))
    fold_known_sizes(edited)
    assert sum(node.op == "StridedSlice" for node in edited.nodes.values()) == 1
    assert sum(node.op == "Shape" for node in edited.nodes.values()) == 1
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(edited.graph_def(), name="")
        fed = {"x:0": [[[0.0] * 5] * 7] * 3}
        one, last, some, batch, sizes = session.run(["one:0", "last:0", "some:0", "batch:0", "range:0"], fed)
    assert (one, last, list(some), batch, list(sizes)) == (7, 5, [7, 5], 3, [0, 1, 2, 3, 4])
    assert one.dtype == some.dtype == "int64" and sizes.dtype == "int32"


@pytest.mark.parametrize("branch", [True, False])
def test_a_size_that_one_branch_alone_has_is_no_constant(branch):
    """Gradients of conditionals read sizes behind a `Switch`, in no context: a `Merge` takes what its branch gives."""
    with tf.Graph().as_default() as graph:
        chosen = v1.placeholder(tf.bool, [], "chosen")
        no, yes = tf.raw_ops.Switch(data=tf.ones([4, 3]), pred=chosen)
        # `tf.shape` would be a constant.
        sizes = [tf.raw_ops.Shape(input=kept)[0] for kept in (yes, tf.concat([no, no], 0))]
        tf.identity(tf.raw_ops.Merge(inputs=sizes).output, "size")
    edited = EditableGraph(graph.as_graph_def(add_shapes=True))
    fold_known_sizes(edited)
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(edited.graph_def(), name="")
        assert session.run("size:0", {"chosen:0": branch}) == (4 if branch else 8)
