"""Forms for programs that convert graphs: `1 - Erf` for `Erfc`, in inference graphs alone."""

import numpy as np
import tensorflow as tf
from target_harness import Traced, assert_same_numbers

from keras_gensynth_callback.export.exporter import Exporter
from keras_gensynth_callback.lift.converters import spell_out_erfc
from keras_gensynth_callback.options import ExportOptions

X = np.linspace(-4, 4, 33).reshape(3, 11)


def spelled_out(function, *inputs):
    case = Traced(function, *inputs)
    assert case.ops()["Erfc"] == 1
    name = next(node.name for node in case.graph.nodes.values() if node.op == "Erfc")
    spell_out_erfc(case.graph)
    assert case.ops()["Erfc"] == 0
    assert case.graph.nodes[name].op == "Sub"
    return case


def test_erfc_is_spelled_out_with_the_same_numbers(reader, tmp_path):
    def in_a_branch(x):
        return tf.cond(tf.reduce_sum(x) > -1.0, lambda: tf.math.erfc(x) * 2, lambda: x)

    def in_a_loop(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.math.erfc(y) + x), [0, x])[1]

    small = X.astype("f4")
    cases = [spelled_out(lambda x: tf.math.erfc(x) * 2, X.astype(dtype)) for dtype in ("f4", "f8")]
    # One, and the Erf, stand where the Erfc stood: its loop or branch is the one that they wait for.
    cases += [spelled_out(in_a_branch, small), spelled_out(in_a_loop, small)]
    for case in cases:
        case.fit()
    assert_same_numbers(reader, tmp_path, *cases)


def test_nothing_else_changes():
    case = Traced(lambda x: tf.math.erf(x) + 1.0, X.astype("f4"))
    before = case.graph.graph_def()
    spell_out_erfc(case.graph)
    assert case.graph.graph_def() == before


def test_gelu_has_no_erfc_in_an_inference_graph_alone(keras):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="gelu")])
    ops = {}
    for graph in ("inference", "trainable"):
        exporter = Exporter(model, ExportOptions(graph=graph))
        exporter.prepare()
        ops[graph] = [node.op for node in exporter.lifted.graph.nodes.values() if node.op in ("Erf", "Erfc")]
    with tf.Graph().as_default() as drawn:  # with Erf before TensorFlow 2.16
        tf.nn.gelu(tf.zeros(1))
    assert ops["inference"] == ["Erf"]
    assert ops["trainable"] == [op.type for op in drawn.get_operations() if op.type in ("Erf", "Erfc")]
