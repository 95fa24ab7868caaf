"""Functions and layers that AutoGraph converts are traced as Keras traces them, and run alike in TensorFlow 1.15."""

import autographed_models
import numpy as np
import pytest
import tensorflow as tf
from kerases import KERAS2
from needs import needs
from replayed import cases_of_each_keras, replay_with_each_keras

from keras_gensynth_callback import build_graph
from keras_gensynth_callback.errors import UnsupportedModelError

pytestmark = needs(tf="2.9", reason="its functions are decorated with `reduce_retracing`")


def _models(keras_name):
    return autographed_models.ALL + (autographed_models.OF_KERAS_2 if keras_name == KERAS2 else [])


CASES = cases_of_each_keras(_models)


@pytest.fixture(scope="module")
def replayed(reader, tmp_path_factory):
    return replay_with_each_keras(_models, reader, tmp_path_factory)


@pytest.mark.parametrize("keras_name, made", CASES)
def test_predictions_metrics_and_steps_are_those_of_keras(replayed, keras_name, made):
    case = replayed[keras_name][made].checked("1.15")
    assert case.names("predict") and case.names("evaluate") and case.names("trained")
    case.assert_within({"predict": 1e-5, "evaluate": 1e-5, "trained": 1e-4})
    assert case.facts["steps counted"] == 3
    assert case.facts["functions"] == 0


def test_keras_3_does_not_convert_a_call(keras3):
    class Gate(keras3.layers.Layer):
        def call(self, x):
            return x * 2.0 if _is_symbolic(x) and tf.reduce_mean(x) > 0.0 else x

        def compute_output_shape(self, shape):
            return shape

    model = keras3.Sequential([keras3.Input((3,)), Gate(name="gate"), keras3.layers.Dense(1)])
    with pytest.raises(UnsupportedModelError, match=r"symbolic `?tf.Tensor`? as a Python `?bool`?"):
        build_graph(model)


def _is_symbolic(x):
    return tf.is_tensor(x) and hasattr(x, "op")


def test_a_function_is_as_it_was_before_it_was_traced(keras):
    @tf.function
    def gate(x):
        if tf.reduce_sum(x) > 0.0:
            x = x * 2.0
        return x

    class Own(keras.layers.Layer):
        @tf.function
        def halved(self, x):
            if tf.reduce_sum(x) > 0.0:
                x = x * 0.5
            return x

        def call(self, x):
            return self.halved(gate(x))

        def compute_output_shape(self, shape):
            return shape

    own = Own()
    model = keras.Sequential([keras.Input((3,)), own, keras.layers.Dense(1)])
    python = [function.python_function for function in (gate, own.halved)]
    wrapped = [getattr(function, "__wrapped__", None) for function in python]
    build_graph(model)
    assert [function.python_function for function in (gate, own.halved)] == python
    assert [getattr(function, "__wrapped__", None) for function in python] == wrapped
    np.testing.assert_array_equal(own.halved(gate(np.ones((1, 3), "float32"))), np.ones((1, 3)))
    assert gate.experimental_get_tracing_count() == 1


def test_an_interrupt_while_tracing_stays_one(keras):
    @tf.function
    def interrupted(x):
        if tf.reduce_sum(x) > 0.0:
            raise_when_traced()
        return x

    exporting = []

    def raise_when_traced():
        if exporting:
            raise KeyboardInterrupt

    class Own(keras.layers.Layer):
        def call(self, x):
            return interrupted(x)

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((3,)), Own(), keras.layers.Dense(1)])
    model(np.ones((2, 3), "float32"))
    exporting.append(True)
    call = type(interrupted).__call__
    with pytest.raises(KeyboardInterrupt):
        build_graph(model)
    assert not tf.config.functions_run_eagerly()
    assert tf.compat.v1.control_flow_v2_enabled()
    assert type(interrupted).__call__ is call
