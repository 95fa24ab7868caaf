"""Conditionals and loops of the user's own layers run in TensorFlow 1.15 as in Keras, or are refused in words."""

import numpy as np
import pytest
import tensorflow as tf
import user_control_flow
from kerases import KERAS2
from replayed import cases_of_each_keras, replay_with_each_keras

from keras_gensynth_callback import build_graph, export_checkpoint
from keras_gensynth_callback.errors import UnsupportedModelError, UnsupportedOpError
from keras_gensynth_callback.graph import EditableGraph
from keras_gensynth_callback.graph.variables import is_write, outlet
from keras_gensynth_callback.lift.tracing.tracer import trace


def _models(keras_name):
    return user_control_flow.ALL + (user_control_flow.OF_KERAS_3 if keras_name != KERAS2 else [])


CASES = cases_of_each_keras(_models)


@pytest.fixture(scope="module")
def replayed(reader, tmp_path_factory):
    return replay_with_each_keras(_models, reader, tmp_path_factory)


@pytest.mark.parametrize("keras_name, made", CASES)
def test_predictions_metrics_and_steps_are_those_of_keras(replayed, keras_name, made):
    case = replayed[keras_name][made].checked("1.15")
    assert case.names("predict") and case.names("evaluate") and case.names("trained")
    case.assert_within({"predict": 1e-5, "evaluate": 1e-5, "after": 1e-5, "trained": 1e-4})
    assert case.facts["functions"] == 0


def _traced(function):
    return trace(function, [tf.TensorSpec([3])]).graph


def test_writes_and_assertions_stand_in_the_branch_of_their_inputs():
    variable = tf.Variable(1.0)

    def guarded(x):
        def first():
            with tf.control_dependencies([tf.debugging.assert_less(tf.reduce_sum(x), 9.0)]):
                return variable.assign_add(1.0) + 0.0

        return tf.cond(tf.reduce_sum(x) > 0.0, first, lambda: 0.0)

    graph = _traced(guarded)
    inside = {node.op: graph.context_of.get(name) for name, node in graph.nodes.items()}
    assert inside["AssignAddVariableOp"].name.startswith("cond/cond_text")
    assert "AssertGuard" in inside["Assert"].name
    write = next(name for name, node in graph.nodes.items() if is_write(node))
    assert graph.nodes[outlet(graph, write)].op == "Merge" and outlet(graph, write) not in graph.context_of
    order = graph.topological()
    for name, node in graph.nodes.items():
        assert all(order.index(tensor.lstrip("^").split(":")[0]) < order.index(name) for tensor in node.input), name


def test_a_graph_that_is_read_again_knows_the_branch_of_a_write():
    variable = tf.Variable(1.0)
    graph = _traced(lambda x: tf.cond(x[0] > 0.0, lambda: variable.assign_add(1.0) + 0.0, lambda: 0.0))
    meta_graph = tf.compat.v1.MetaGraphDef(graph_def=graph.graph_def())
    for key, protos in graph.context_protos().items():
        meta_graph.collection_def[key].bytes_list.value.extend(proto.SerializeToString() for proto in protos)
    again = EditableGraph.from_meta_graph(meta_graph)
    assert {name: context.name for name, context in again.context_of.items()} == {
        name: context.name for name, context in graph.context_of.items()
    }


def _refused(keras, call):
    class Own(keras.layers.Layer):
        def build(self, shape):
            self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", trainable=False)

        def compute_output_shape(self, shape):
            return shape

    Own.call = call
    return keras.Sequential([keras.Input((3,)), Own(name="own"), keras.layers.Dense(1)])


def test_python_that_runs_with_the_graph_is_refused(keras, tmp_path):
    def call(self, x):
        y = tf.numpy_function(np.sin, [x], tf.float32)
        return tf.ensure_shape(y, [None, 3])

    with pytest.raises(UnsupportedOpError, match="layer 'own': op PyFunc"):
        export_checkpoint(_refused(keras, call), tmp_path / "net")


def test_a_write_in_a_loop_that_nothing_waits_for_is_refused(keras):
    def call(self, x):
        def step(i, y):
            self.seen.assign_add(1.0)
            return i + 1, y * 0.5

        return tf.while_loop(lambda i, y: i < 3, step, [0, x])[1]

    model = _refused(keras, call)
    model.compile("sgd", "mse")
    with pytest.raises(UnsupportedModelError, match="`own` changes the variable.*inside of a tf.cond or tf.while_loop"):
        build_graph(model)
