"""The models that are given to the programs which convert graphs: a kind each, with what Keras predicts."""

import numpy as np


def _numbers(*shape):
    return np.random.RandomState(0).standard_normal(shape).astype("float32")


def convnet(keras):
    layers = keras.layers
    inputs = keras.Input((16, 16, 3), name="image")
    hidden = layers.Conv2D(8, 3, padding="same", use_bias=False)(inputs)
    hidden = layers.ReLU()(layers.BatchNormalization()(hidden))
    hidden = layers.MaxPooling2D()(layers.DepthwiseConv2D(3, strides=2)(hidden))
    hidden = layers.BatchNormalization()(layers.Conv2D(6, 1, activation="relu")(hidden))
    hidden = layers.Flatten()(layers.AveragePooling2D(2)(layers.Dropout(0.3)(hidden)))
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="digit")(hidden)), [_numbers(5, 16, 16, 3)]


def masked_lstm_and_gru(keras):
    layers = keras.layers
    inputs = keras.Input((7,), dtype="int32", name="words")
    hidden = layers.Embedding(11, 4, mask_zero=True)(inputs)
    hidden = layers.Bidirectional(layers.GRU(3))(layers.LSTM(5, return_sequences=True)(hidden))
    words = np.random.RandomState(0).randint(1, 11, (5, 7)).astype("int32")
    words[1:, 4:] = 0
    return keras.Model(inputs, layers.Dense(2, name="mood")(hidden)), [words]


def attention(keras):
    layers = keras.layers
    inputs = keras.Input((5, 8), name="tokens")
    hidden = layers.LayerNormalization()(layers.Add()([inputs, layers.MultiHeadAttention(2, 4)(inputs, inputs)]))
    hidden = layers.Dropout(0.2)(layers.Dense(8, activation="gelu")(hidden))
    outputs = layers.Dense(2, name="topic")(layers.GlobalAveragePooling1D()(hidden))
    return keras.Model(inputs, outputs), [_numbers(6, 5, 8)]


def two_inputs_and_outputs(keras):
    layers = keras.layers
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    hidden = layers.Dense(6, activation="relu")(layers.Concatenate()([left, right]))
    hidden = layers.BatchNormalization()(hidden)
    outputs = [layers.Dense(2, activation="softmax", name="kind")(hidden), layers.Dense(1, name="size")(hidden)]
    return keras.Model([left, right], outputs), [_numbers(6, 4), _numbers(6, 3)]


def mobilenet(keras):
    model = keras.applications.MobileNetV2(input_shape=(64, 64, 3), weights=None, classes=7)
    return model, [_numbers(2, 64, 64, 3)]


def made(make, keras):
    """A compiled model with statistics that are not those of a new one, and its inputs: (model, list of arrays)."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    model, inputs = make(keras)
    drawn = np.random.RandomState(2)
    for layer in model.layers:
        if hasattr(layer, "moving_mean"):
            layer.moving_mean.assign(drawn.normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(drawn.uniform(0.5, 1.5, layer.moving_variance.shape))
    model.compile("adam", ["mse"] * len(model.outputs))
    return model, inputs
