"""A script that knows of no export, with a layer of its own."""

import sys

import keras
import numpy as np


class Double(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.add(inputs, inputs)


inputs = keras.Input((3,))
model = keras.Model(inputs, keras.layers.Dense(1)(Double()(inputs)))
model.compile("sgd", "mse")
if __name__ == "__main__":
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0, epochs=int(sys.argv[1]))
    print("tensorflow" in sys.modules)
