"""The graph itself knows the types of its tensors."""

import tensorflow as tf

from keras_gensynth_callback.graph import EditableGraph
from keras_gensynth_callback.graph.op_types import disagreements, input_types, output_types, type_of


def editable(build):
    with tf.Graph().as_default() as graph:
        build()
        return graph, EditableGraph(graph.as_graph_def())


def several_kinds():
    x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
    values, indices = tf.math.top_k(x, 2)
    tf.stack([indices, indices])
    tf.split(x, 3, axis=1)
    tf.compat.v1.cond(tf.constant(True), lambda: tf.cast(values, tf.float64), lambda: tf.zeros([1, 2], tf.float64))
    tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[2])
    tf.raw_ops.IdentityN(input=[x, indices])
    tf.unique(tf.constant(["a", "b"]))


def test_types_are_those_that_tensorflow_gives():
    graph, edited = editable(several_kinds)
    for op in graph.get_operations():
        node = edited.nodes[op.name]
        assert output_types(node) == [tensor.dtype.as_datatype_enum for tensor in op.outputs]
        assert input_types(node) == [tensor.dtype.as_datatype_enum for tensor in op.inputs]


def test_a_tensor_is_named_in_its_long_or_short_form():
    _, edited = editable(several_kinds)
    assert type_of(edited, "TopKV2:1") == tf.int32.as_datatype_enum
    assert type_of(edited, "TopKV2") == type_of(edited, "TopKV2:0") == tf.float32.as_datatype_enum


def test_an_attribute_that_is_left_out_has_its_default():
    _, edited = editable(lambda: tf.unique([1.0], name="u"))
    del edited.nodes["u"].attr["out_idx"]
    assert output_types(edited.nodes["u"]) == [tf.float32.as_datatype_enum, tf.int32.as_datatype_enum]
    assert "out_idx" not in edited.nodes["u"].attr


def test_edges_whose_ends_differ_are_found():
    _, edited = editable(lambda: tf.add(tf.constant(1.0, name="one"), tf.constant(2.0, name="two"), name="sum"))
    assert disagreements(edited) == []
    edited.nodes["two"].attr["dtype"].type = tf.int32.as_datatype_enum
    ((node, index, taken, given),) = disagreements(edited)
    assert (node.name, index) == ("sum", 1)
    assert (taken, given) == (tf.float32.as_datatype_enum, tf.int32.as_datatype_enum)
