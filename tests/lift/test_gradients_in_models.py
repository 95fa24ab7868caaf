"""Gradients that a model's Python takes: in TensorFlow 1.15 they are what they are in Keras."""

import models_with_gradients
import numpy as np
import pytest
import tensorflow as tf
from kerases import KERASES
from replayed import replay
from served import predictions

from keras_gensynth_callback import build_graph, export_checkpoint
from keras_gensynth_callback.errors import UnsupportedModelError


@pytest.fixture(scope="module", params=KERASES)
def replayed(request, reader, tmp_path_factory):
    return replay(models_with_gradients.ALL, request.param, [reader], tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=[make.__name__ for make in models_with_gradients.ALL])
def case(request, replayed):
    return replayed[request.param].checked("1.15")


def test_predictions_metrics_and_steps_are_those_of_keras(case):
    bounds = {"predict": 1e-5, "evaluate": 1e-5, "after": 1e-5, "trained": 1e-4}
    assert case.names("predict") and case.names("evaluate") and case.names("trained")
    case.assert_within(bounds)
    assert case.facts["steps counted"] == case.case.get("steps", 3)


def _salient(keras):
    """What its output owes to each of its inputs, through a recurrent layer."""

    class Salient(keras.Model):
        def __init__(self):
            super().__init__()
            self.gru, self.out = keras.layers.GRU(3), keras.layers.Dense(2)

        def call(self, x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                hidden = self.gru(x)
            return self.out(hidden) + tf.reduce_sum(tape.gradient(hidden, x), [1, 2])[:, None]

    model = Salient()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model(np.ones((2, 4, 3), "float32"))
    return model


def test_a_gradient_through_a_loop_that_is_differentiated_again_is_refused(keras, tmp_path):
    with pytest.raises(UnsupportedModelError, match=r"through a tf.while_loop.*unroll=True"):
        export_checkpoint(_salient(keras), tmp_path / "net")


def test_a_gradient_through_a_loop_is_carried_for_inference(keras, reader, tmp_path):
    model, x = _salient(keras), np.random.RandomState(0).standard_normal((16, 4, 3)).astype("float32")
    export_checkpoint(model, tmp_path / "net", graph="inference")
    found = predictions(reader, tmp_path / "net", x)
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5, atol=1e-5)


def test_a_gradient_of_a_gradient_that_no_outer_tape_recorded_is_refused(keras, tmp_path):
    def step(model, x, y):
        weights = model.first.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        slope = tape.gradient(loss, weights)[0]
        return [slope + tf.gradients(slope, x)[0][0, 0]], weights[:1]

    model = models_with_gradients._trained_by(keras, step)["model"]
    with pytest.raises(UnsupportedModelError, match="depends on another gradient"):
        export_checkpoint(model, tmp_path / "net")


def test_a_kernel_is_applied_once_though_its_gradient_is_part_of_the_model(keras):
    class Slope(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)

        def call(self, x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = self.out(self.hidden(x))
            return tf.concat([y, tape.gradient(y, x)], -1)

    model = Slope()
    model(np.ones((2, 3), "float32"))
    graph = build_graph(model)
    products = [op for op in graph.get_operations() if op.type == "MatMul"]
    kernels = [op.inputs[1].op.inputs[0].op.name for op in products if op.inputs[1].op.type == "ReadVariableOp"]
    assert sorted(kernels) == sorted(set(kernels)) and len(kernels) == 2
