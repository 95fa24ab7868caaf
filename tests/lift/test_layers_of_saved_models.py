"""A layer that calls a loaded SavedModel, as tensorflow_hub's KerasLayer does, trains alike in TensorFlow 1.15."""

import pytest
import tensorflow as tf
from kerases import KERAS2
from needs import needs
from plain_models import numbers
from replayed import replay

pytestmark = needs(tf="2.11", reason="earlier SavedModels of Keras hold other functions")


@pytest.mark.filterwarnings("ignore")  # what Keras and TensorFlow say when a model is saved
def test_it_trains_alike(keras2, reader, tmp_path):
    def a_loaded_layer(keras):
        layers = [keras.Input((4,)), keras.layers.Dense(3, "tanh"), keras.layers.BatchNormalization()]
        keras.Sequential(layers).save(str(tmp_path / "saved"), save_format="tf")

        class Loaded(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.inner = tf.saved_model.load(str(tmp_path / "saved"))
                for variable in self.inner.variables:
                    trained = any(variable is other for other in self.inner.trainable_variables)
                    (self._trainable_weights if trained else self._non_trainable_weights).append(variable)

            def call(self, x, training=False):
                given = tf.identity(x)
                return self.inner(given, training=True) if training else self.inner(given, training=False)

        layers = [keras.layers.Dense(4), Loaded(), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((4,), name="x"), *layers])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        return {"model": model, "x": numbers(4), "y": numbers(1, seed=1)}

    case = replay([a_loaded_layer], KERAS2, [reader], tmp_path)["a_loaded_layer"].checked("1.15")
    assert len(case.names("trained")) == 8 and case.names("after")
    case.assert_within({"predict": 1e-5, "evaluate": 1e-5, "after": 1e-5, "trained": 1e-4})
