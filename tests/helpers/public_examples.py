"""Kinds of models of keras.io's examples, in words of our own, each a function for any Keras: see `carried_models`."""

import numpy as np
import tensorflow as tf

SAMPLES = 48
_CHARACTERS = "0123456789+ "


def sums_spelled_out(keras):
    """A sequence to a sequence: questions like "12+7" and answers, one-hot in arrays of bool."""
    layers, draw = keras.layers, np.random.RandomState(0)
    pairs = draw.randint(0, 99, (SAMPLES, 2))
    x = np.stack([_one_hot(f"{a}+{b}".ljust(5)) for a, b in pairs])
    y = np.stack([_one_hot(str(a + b).ljust(3)) for a, b in pairs])
    model = keras.Sequential(
        [
            keras.Input((5, len(_CHARACTERS))),
            layers.LSTM(6),
            layers.RepeatVector(3),
            layers.LSTM(6, return_sequences=True),
            layers.Dense(len(_CHARACTERS), activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": x, "y": y}


def _one_hot(text):
    return np.array([[character == known for known in _CHARACTERS] for character in text])


def columns_of_a_table(keras):
    """A dict of columns: numbers to be normalised, classes of strings and of integers, prepared inside of the model."""
    layers, draw = keras.layers, np.random.RandomState(0)
    numbers = {name: draw.gamma(2.0, 10.0, (SAMPLES, 1)).astype("float32") for name in ("age", "pressure")}
    kinds, sexes = draw.choice(["fixed", "normal", "reversible"], (SAMPLES, 1)), draw.randint(0, 2, (SAMPLES, 1))
    inputs, encoded = {}, []
    for name, values in numbers.items():
        inputs[name] = keras.Input((1,), name=name)
        normalised = layers.Normalization()
        normalised.adapt(values)
        encoded.append(normalised(inputs[name]))
    inputs["kind"] = keras.Input((1,), name="kind", dtype="string")
    inputs["sex"] = keras.Input((1,), name="sex", dtype="int64")
    strings = layers.StringLookup(vocabulary=["fixed", "normal"], output_mode="one_hot")
    integers = layers.IntegerLookup(vocabulary=[0, 1], output_mode="one_hot")
    encoded += [strings(inputs["kind"]), integers(inputs["sex"])]
    hidden = layers.Dense(8, activation="relu")(layers.concatenate(encoded))
    output = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(hidden))
    model = keras.Model(inputs, output)
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    x = {**numbers, "kind": tf.constant(kinds.tolist()), "sex": sexes.astype("int64")}
    return {"model": model, "x": x, "y": draw.randint(0, 2, (SAMPLES, 1)), "random": True}


ALL = [sums_spelled_out, columns_of_a_table]
