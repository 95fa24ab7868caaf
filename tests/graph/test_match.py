"""Which nodes of two traces are one: a pair may cost nodes, never a number, and never a cycle."""

import tensorflow as tf

from keras_gensynth_callback.graph import EditableGraph, note_rank
from keras_gensynth_callback.graph.match import match


def editable(build):
    with tf.Graph().as_default() as graph:
        build(tf.compat.v1.placeholder(tf.float32, [None], name="x"), tf.compat.v1.placeholder(tf.float32, [None], "y"))
        return EditableGraph(graph.as_graph_def())


def pairs(first, second):
    return match(editable(first), editable(second))


def test_nodes_of_equal_inputs_are_one_whatever_their_names():
    assert pairs(lambda x, y: tf.sin(x, name="a"), lambda x, y: tf.sin(x, name="b"))["a"] == "b"


def test_an_op_of_the_same_name_is_one_if_an_operand_is():
    found = pairs(lambda x, y: tf.multiply(tf.sin(x), y, name="m"), lambda x, y: tf.multiply(tf.cos(x), y, name="m"))
    assert found["m"] == "m"


def test_two_quotients_of_other_numbers_are_not_one():
    found = pairs(lambda x, y: tf.divide(tf.sin(x), tf.sin(y)), lambda x, y: tf.divide(tf.cos(x), tf.cos(y)))
    assert "truediv" not in found


def test_tensors_of_two_ranks_are_not_one():
    def noted(op):
        graph = editable(lambda x, y: tf.sin(op(x), name="s"))
        note_rank(graph.nodes["s"], 2 if op is tf.linalg.diag else 1)
        return graph

    assert "s" not in match(noted(tf.cos), noted(tf.linalg.diag))
    assert match(noted(tf.cos), noted(tf.tan))["s"] == "s"


def test_a_constant_that_waits_is_not_one_that_does_not():
    def waiting(x, y):
        with tf.control_dependencies([tf.sin(x)]):
            tf.constant(1.0, name="one")

    assert "one" not in pairs(waiting, lambda x, y: tf.constant(1.0, name="other"))
    assert pairs(waiting, waiting)["one"] == "one"


def test_nodes_that_follow_each_other_the_other_way_round_are_not_both_paired():
    def one_way(x, y):
        first = tf.multiply(tf.sin(x), y, name="first")
        tf.multiply(first, y, name="second")

    def the_other(x, y):
        second = tf.multiply(tf.cos(x), y, name="second")
        tf.multiply(second, y, name="first")

    found = pairs(one_way, the_other)
    assert not {"first", "second"} <= set(found)
