"""The models that are measured, for any Keras: Keras 3, tf_keras, and the tf.keras of TensorFlow 1.15."""

import numpy as np

BATCH = 32
CLASSES = 10


def resnet50(keras):
    return keras.applications.ResNet50(input_shape=(64, 64, 3), weights=None, classes=CLASSES)


def mobilenet_v2(keras):
    return keras.applications.MobileNetV2(input_shape=(64, 64, 3), weights=None, classes=CLASSES)


def lstm(keras):
    return _lstm(keras, mask_zero=False)


def masked_lstm(keras):
    return _lstm(keras, mask_zero=True)


def _lstm(keras, mask_zero):
    layers = keras.layers
    inputs = keras.Input((40,), dtype="int32", name="tokens")
    hidden = layers.Embedding(1000, 32, mask_zero=mask_zero)(inputs)
    # The defaults of Keras 3 and tf_keras, spelled out: the tf.keras of TensorFlow 1.15 has others.
    hidden = layers.LSTM(64, recurrent_activation="sigmoid", implementation=2)(hidden)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(layers.Dropout(0.5)(hidden)))


ALL = {make.__name__: make for make in (resnet50, mobilenet_v2, lstm, masked_lstm)}


def compiled(keras, name):
    """A model, compiled; Adam is given as an object, since TensorFlow 1.15 makes another of the mere name."""
    model = ALL[name](keras)
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def batch(name):
    """Random inputs and targets, the same at each call."""
    draw = np.random.RandomState(0)
    if "lstm" in name:
        # 0 is what a mask masks: sequences of different lengths, filled up with zeros.
        tokens = draw.randint(1, 1000, (BATCH, 40)).astype("int32")
        lengths = draw.randint(10, 41, (BATCH, 1))
        x = np.where(np.arange(40) < lengths, tokens, 0).astype("int32")
    else:
        x = draw.standard_normal((BATCH, 64, 64, 3)).astype("float32")
    return x, draw.randint(0, CLASSES, BATCH).astype("int32")
