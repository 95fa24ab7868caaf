"""Models and layers of layers of a recipe, for Keras 3 on any backend: made again from their configurations."""

import json

import keras

from .building import Network
from .steps import Chain


class OwnBlock(keras.layers.Layer):
    """A layer that holds layers.

    Args:
        sizes: sizes of its input, without that of the batch.
        blocks: list of dict.
    """

    def __init__(self, sizes, blocks, **kwargs):
        super().__init__(**kwargs)
        # As text, which Keras does not look into.
        self._arguments = json.dumps({"sizes": sizes, "blocks": blocks})
        chain = Chain(keras, blocks)
        chain(keras.Input(tuple(sizes)))
        self._chain = chain.fresh()
        self.parts = self._chain.layers

    def call(self, x):
        return self._chain(x)

    def get_config(self):
        return {**super().get_config(), **json.loads(self._arguments)}


class Subclassed(keras.Model):
    """The model of a recipe."""

    def __init__(self, recipe, **kwargs):
        super().__init__(**kwargs)
        self._recipe = json.dumps(recipe)
        self._network = Network(keras, recipe).fresh()
        self.parts = self._network.layers

    def call(self, inputs, training=None):
        return self._network.called(inputs)

    def get_config(self):
        return {"name": self.name, "recipe": json.loads(self._recipe)}


class _HalfLoss:
    def compute_loss(self, *args, **kwargs):
        return 0.5 * super().compute_loss(*args, **kwargs)


class HalfLossModel(_HalfLoss, keras.Model):
    pass


class HalfLossSequential(_HalfLoss, keras.Sequential):
    pass


class HalfLossSubclassed(_HalfLoss, Subclassed):
    pass


HALF_LOSS = {keras.Model: HalfLossModel, keras.Sequential: HalfLossSequential, Subclassed: HalfLossSubclassed}


class Batches(keras.utils.PyDataset):
    """Batches of arrays.

    Args:
        parts: tuple of arrays, lists or dicts of them.
        size: int.
    """

    def __init__(self, parts, size):
        super().__init__()
        self._parts, self._size = parts, size
        self._rows = len(keras.tree.flatten(parts)[0])

    def __len__(self):
        return -(-self._rows // self._size)

    def __getitem__(self, number):
        rows = slice(number * self._size, (number + 1) * self._size)
        return keras.tree.map_structure(lambda array: array[rows], self._parts)
