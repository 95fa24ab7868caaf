"""Layers that change weights in training change none in inference, whoever else changes the same weights."""

import carried_models
import pytest
import tensorflow as tf
from kerases import KERASES
from replayed import replay

_numbers = carried_models.numbers


def _between(keras, layer, **kwargs):
    inputs = keras.Input((5,))
    hidden = layer(keras.layers.Dense(4, use_bias=False)(inputs))
    model = kwargs.get("cls", keras.Model)(inputs, keras.layers.Dense(2)(hidden))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return {"model": model, "x": _numbers(5), "y": _numbers(2, seed=1)}


def _kernel_divided_by_its_norm(keras):
    return _between(keras, keras.layers.SpectralNormalization(keras.layers.Dense(3)))


def weight_that_shrinks(keras):
    class Shrinking(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(name="factor", shape=(shape[-1],), initializer="ones")

        def call(self, inputs, training=False):
            if training:
                self.factor.assign(self.factor * 0.75)
            return inputs * self.factor

    return _between(keras, Shrinking())


def statistics_that_the_train_step_moves_as_well(keras):
    class Model(keras.Model):
        def train_step(self, data):
            logs = super().train_step(data)
            mean = self.layers[2].moving_mean
            mean.assign(0.5 * tf.convert_to_tensor(mean) + tf.reduce_mean(tf.convert_to_tensor(self.layers[3].bias)))
            return logs

    return _between(keras, keras.layers.BatchNormalization(momentum=0.5), cls=Model)


MODELS = (weight_that_shrinks, statistics_that_the_train_step_moves_as_well)


@pytest.fixture(scope="module", params=KERASES)
def replayed(request, reader, tmp_path_factory):
    return replay(MODELS, request.param, [reader], tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=[make.__name__ for make in MODELS])
def case(request, replayed):
    return replayed[request.param].checked("1.15")


def test_predictions_of_one_batch_are_not_changed_by_those_of_another(case):
    assert case.worst("predict")[0] <= 1e-5
    assert case.worst("evaluate")[0] <= 1e-5


def test_training_changes_weights_as_in_keras(case):
    assert case.worst("after")[0] <= 1e-5
    assert case.names("trained")
    assert case.worst("trained")[0] <= 1e-4


def test_spectral_normalization_changes_its_kernel_in_training_alone(reader, tmp_path, keras3):
    (case,) = replay([_kernel_divided_by_its_norm], keras3.__name__, [reader], tmp_path).values()
    test_predictions_of_one_batch_are_not_changed_by_those_of_another(case.checked("1.15"))
    test_training_changes_weights_as_in_keras(case.checked("1.15"))
