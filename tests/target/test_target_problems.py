"""What the target cannot have is refused with layer, op and way out; what it need not know is dropped."""

import re

import numpy as np
import pytest
import tensorflow as tf
from needs import needs
from target_harness import Traced

from keras_gensynth_callback.errors import InvalidArgumentError, UnsupportedOpError
from keras_gensynth_callback.graph import EditableGraph
from keras_gensynth_callback.target import (
    OpTable,
    fit_to_target,
    known_targets,
    ops_without_gradient,
    refuse_lost_gradients,
)

X = np.ones([2, 3], np.float32)


def graph_of(build):
    with tf.Graph().as_default() as graph:
        build()
    return EditableGraph(graph.as_graph_def(add_shapes=True))


def refused(build, target="1.15"):
    with pytest.raises(UnsupportedOpError) as caught:
        fit_to_target(graph_of(build), target)
    return str(caught.value)


@pytest.mark.parametrize("target", ["1.15", "current"])
def test_a_python_function_is_refused_though_the_op_exists(target):
    def build():
        with tf.name_scope("my_layer"):
            tf.compat.v1.py_func(np.sin, [tf.constant(1.0)], tf.float32)

    message = refused(build, target)
    assert re.search(
        r"layer 'my_layer': op PyFunc \(node 'my_layer/PyFunc'\): it calls an object of the process", message
    )
    assert "Way out: express it in TensorFlow ops, or move it to the input pipeline." in message


def test_all_problems_are_named_in_one_message():
    def build():
        with tf.name_scope("text"):
            tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, name="table")
            tf.raw_ops.StringToHashBucketFast(input=tf.constant(["a"]), num_buckets=2, name="StringToHash")
        tf.raw_ops.Spence(x=tf.constant([0.5]), name="maths/Spence")
        tf.raw_ops.Spence(x=tf.constant([0.5]), name="maths/Spence")
        tf.raw_ops.FresnelCos(x=tf.constant([0.5]), name="FresnelCos")
        tf.raw_ops.Dawsn(x=tf.constant([0.5]), name="Dawsn")

    message = refused(build)
    assert message.startswith("4 ops of the model cannot be carried to TensorFlow 1.15:\n")
    assert "- layer 'maths': op Spence (node 'maths/Spence' and 1 more): the op does not exist there." in message
    assert "- outside of any layer: op Dawsn (node 'Dawsn')" in message
    assert 'at the most target="current"' in message


def test_a_type_without_kernel_is_named():
    images, kernel = np.ones([1, 4, 4, 1]), np.ones([2, 2, 1, 1])

    def build():
        tf.nn.conv2d(
            tf.constant(images, tf.bfloat16), tf.constant(kernel, tf.bfloat16), 1, "SAME", name="layer/product"
        )

    assert "op Conv2D (node 'layer/product'): there is no CPU kernel for T=bfloat16" in refused(build)


def test_an_attribute_that_changes_the_result_is_named():
    def build():
        tf.nn.max_pool2d(tf.ones([1, 4, 4, 1]), 2, 1, [[0, 0], [1, 1], [1, 1], [0, 0]], name="pool/max")

    message = refused(build)
    assert "layer 'pool': op MaxPool (node 'pool/max')" in message
    assert "padding is EXPLICIT, expected SAME, VALID" in message or "explicit_paddings=" in message


def test_a_loop_that_writes_one_index_is_refused():
    def loop(x):
        array = tf.TensorArray(tf.float32, size=1)
        step = lambda i, a: (i + 1, a.write(0, x))  # noqa: E731
        return tf.while_loop(lambda i, _: i < 3, step, [0, array])[1].stack()

    with pytest.raises(UnsupportedOpError, match="it writes one index in each step of a loop.*carry the value through"):
        Traced(loop, X).fit()


@needs(tf="2.11", reason="earlier versions do not have the attribute debug_name")
def test_attributes_that_say_nothing_to_the_target_are_dropped():
    def build():
        variable = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[2], shared_name="kernel", debug_name="kernel")
        with tf.device("/cpu:0"):
            tf.raw_ops.AssignVariableOp(resource=variable, value=tf.ones([2]), validate_shape=True)

    graph = graph_of(build)
    rules = {change.rule for change in fit_to_target(graph, "1.15")}
    assert rules == {"drop_default_attributes", "drop_private_attributes", "drop_devices"}
    assert set(graph.nodes["VarHandleOp"].attr) <= {"container", "dtype", "shape", "shared_name"}
    assert graph.nodes["VarHandleOp"].attr["shared_name"].s == b"kernel"
    assert not any(node.device or any(key.startswith("_") for key in node.attr) for node in graph.nodes.values())


@needs(tf="2.10", reason="TensorFlow 2.4 does not take a custom gradient with keywords in a graph")
def test_a_custom_gradient_that_is_dropped_is_recorded():
    def build():
        tf.nn.silu(tf.ones([2]), beta=tf.constant(1.0))

    changes = fit_to_target(graph_of(build), "1.15")
    (change,) = [change for change in changes if change.rule == "drop_custom_gradient"]
    assert change.op == "IdentityN" and len(change.nodes) == 1


def test_an_op_that_stops_the_gradient_of_a_variable_is_found():
    def build():
        variable = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[2], name="kernel")
        value = tf.raw_ops.ReadVariableOp(resource=variable, dtype=tf.float32)
        tf.identity(tf.math.erfinv(tf.where(value > 0.0, value, 0.0), name="stop"), name="loss")
        tf.math.erfinv(tf.constant(0.5), name="unrelated")

    assert ops_without_gradient(graph_of(build), ["loss"], ["kernel"], "1.15") == ["stop/Erfinv"]
    assert ops_without_gradient(graph_of(build), ["loss"], ["kernel"], "current") == []


def test_looking_for_gradients_changes_nothing():
    def build():
        variable = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[4], name="kernel")
        value = tf.raw_ops.ReadVariableOp(resource=variable, dtype=tf.float32)
        tf.abs(tf.signal.rfft(value), name="loss")  # has an attribute that the target does not know

    graph = graph_of(build)
    fit_to_target(graph, "1.15")
    before = {name: node.SerializeToString(deterministic=True) for name, node in graph.nodes.items()}
    assert ops_without_gradient(graph, ["loss"], ["kernel"], "1.15") == []
    assert before == {name: node.SerializeToString(deterministic=True) for name, node in graph.nodes.items()}


def test_an_op_that_keras_can_differentiate_and_the_target_cannot_is_refused():
    def build():
        variable = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[2, 2], name="kernel")
        value = tf.raw_ops.ReadVariableOp(resource=variable, dtype=tf.float32)
        with tf.name_scope("layer"):
            written = tf.raw_ops.TensorStridedSliceUpdate(
                input=tf.zeros([2, 2]), begin=[0], end=[1], strides=[1], value=value[:1], name="written"
            )
        # Keras itself sees no gradient of this one, and trains.
        tf.add(written, tf.bitcast(tf.bitcast(value, tf.int32), tf.float32), name="loss")

    graph = graph_of(build)
    fit_to_target(graph, "1.15")
    with pytest.raises(UnsupportedOpError, match=r"layer 'layer'.*TensorStridedSliceUpdate.*it has no gradient there"):
        refuse_lost_gradients(graph, ["loss"], ["kernel"], "1.15")
    refuse_lost_gradients(graph, ["loss"], ["kernel"], "current")


def test_the_table_of_the_target():
    table = OpTable.load("1.15")
    assert known_targets() == ("1.4", "1.8", "1.10", "1.12", "1.13", "1.14", "1.15", "current")
    assert table.op("FusedBatchNormV3") is not None and table.op("StatelessRandomGetKeyCounter") is None
    assert table.has_gradient("MatMul") and not table.has_gradient("Einsum")
    assert [op.name for op in table.op_list(["MatMul", "NoSuchOp", "Add"]).op] == ["Add", "MatMul"]
    assert OpTable.load("1.15") is table


def test_a_target_that_nobody_knows():
    with pytest.raises(
        InvalidArgumentError,
        match=r"Unknown target '2.0'. Expected one of '1.4', '1.8', '1.10', '1.12', '1.13', '1.14', ",
    ):
        fit_to_target(EditableGraph(), "2.0")
