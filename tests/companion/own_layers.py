"""Layers, losses and models that cannot be exported from JAX or Torch, or only in part."""

import os

import keras
import numpy as np
from keras import layers, ops

# Not the backend of Keras, which is another one where the model is made again.
if os.environ["BACKEND_OF_TEST"] == "jax":
    import jax
    import jax.numpy as jnp

    def own_exp(inputs):
        return jnp.exp(inputs)

    def noise():
        return jax.random.normal(jax.random.key(0), (1, 3))
else:
    import torch

    def own_exp(inputs):
        return torch.exp(inputs)

    def noise():
        return torch.randn(1, 3)


class Exponential(layers.Layer):
    def call(self, inputs):
        return own_exp(inputs)


class ConstantNoise(layers.Layer):
    """What it calls knows no tensor of the model, and would give one number for good."""

    def call(self, inputs):
        return inputs + noise()


class BeforehandAlone(layers.Layer):
    """What is called before the model is, is a value like any other."""

    def build(self, shape):
        self.shift = self.add_weight(name="shift", shape=(shape[-1],), initializer="zeros")
        self.shift.assign(ops.reshape(ops.convert_to_tensor(np.asarray(noise())), (3,)))

    def call(self, inputs):
        return inputs + self.shift


class HalfConfigured(layers.Layer):
    """Its configuration leaves out how large it is."""

    def __init__(self, units=1, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.units))

    def call(self, inputs):
        return ops.matmul(inputs, self.kernel)

    def get_config(self):
        return layers.Layer.get_config(self)


class OwnStep(keras.Sequential):
    def train_step(self, *args):
        return super().train_step(*args)


def own_loss(y_true, y_pred):
    return own_exp(ops.mean(ops.square(y_true - y_pred), axis=-1))


def net(*own, loss="mse", cls=keras.Sequential, last=None):
    model = cls([keras.Input((3,)), *own, last or layers.Dense(1)], name="net")
    model.compile("sgd", loss)
    return model


def local_class():
    class Hidden(layers.Layer):
        def call(self, inputs):
            return inputs * 2.0

    return net(Hidden(name="hidden"))


REFUSED = {
    "calls": lambda: net(Exponential(name="level")),
    "constant": lambda: net(ConstantNoise(name="level")),
    "loss": lambda: net(loss=own_loss),
    "step": lambda: net(cls=OwnStep),
    "config": lambda: net(last=HalfConfigured(2, name="level")),
    "local": local_class,
}
