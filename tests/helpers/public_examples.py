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


def mixture_of_experts(keras):
    """Each sample goes to the two experts whose gates are largest; that all are used is a loss of the layer."""

    class Experts(keras.layers.Layer):
        def __init__(self, units, count, **kwargs):
            super().__init__(**kwargs)
            self.units, self.count = units, count

        def build(self, shape):
            self.kernels = self.add_weight(name="kernels", shape=(shape[-1], self.units, self.count))
            self.gates = self.add_weight(name="gates", shape=(shape[-1], self.count))
            self.built = True

        def call(self, inputs):
            gates = tf.nn.softmax(tf.matmul(inputs, self.gates))
            _, chosen = tf.math.top_k(gates, 2)
            gates *= tf.reduce_sum(tf.one_hot(chosen, self.count), axis=1)
            self.add_loss(0.01 * tf.reduce_sum(tf.square(tf.reduce_mean(gates, axis=0))))
            gates /= tf.reduce_sum(gates, axis=-1, keepdims=True)
            return tf.reduce_sum(tf.nn.relu(tf.tensordot(inputs, self.kernels, 1)) * gates[:, None], axis=-1)

    inputs, draw = keras.Input((5,)), np.random.RandomState(0)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(Experts(4, 3)(inputs)))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": draw.randn(SAMPLES, 5).astype("float32"), "y": draw.randint(0, 3, SAMPLES)}


def pixels_in_order(keras):
    """Convolutions that see what is above and to the left alone: each call sets the rest of the kernel to zero."""

    class Masked(keras.layers.Layer):
        def __init__(self, filters, sees_itself, **kwargs):
            super().__init__(**kwargs)
            self.conv = keras.layers.Conv2D(filters, 3, padding="same")
            self.sees_itself = sees_itself

        def build(self, shape):
            self.conv.build(shape)
            self.mask = np.zeros(tuple(self.conv.kernel.shape), "float32")
            self.mask[0], self.mask[1, 0], self.mask[1, 1] = 1, 1, self.sees_itself
            self.built = True

        def call(self, inputs):
            self.conv.kernel.assign(self.conv.kernel * self.mask)
            return self.conv(inputs)

    inputs = keras.Input((6, 6, 1))
    hidden = Masked(4, sees_itself=True)(keras.layers.ReLU()(Masked(4, sees_itself=False)(inputs)))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(hidden))
    model.compile("sgd", "binary_crossentropy")
    images = np.random.RandomState(0).randint(0, 2, (SAMPLES, 6, 6, 1)).astype("float32")
    return {"model": model, "x": images, "y": images}


def routed_capsules(keras):
    """Three rounds of routing, unrolled in Python; the loss is one of the lengths of vectors."""

    class Capsules(keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(name="kernel", shape=(1, shape[1], 3, 5, shape[2]))
            self.built = True

        def call(self, inputs):
            votes = tf.squeeze(tf.matmul(self.kernel + 0.0, inputs[:, :, None, :, None]), -1)
            logits = tf.zeros_like(votes[..., :1])
            for _ in range(3):
                total = tf.reduce_sum(tf.nn.softmax(logits, axis=2) * votes, axis=1, keepdims=True)
                square = tf.reduce_sum(total**2, axis=-1, keepdims=True)
                output = square / (1 + square) * total / tf.sqrt(square + 1e-7)
                logits += tf.reduce_sum(votes * output, axis=-1, keepdims=True)
            return tf.squeeze(output, 1)

    def margin(y_true, y_pred):
        lengths, wanted = tf.norm(y_pred, axis=-1), tf.one_hot(tf.cast(tf.reshape(y_true, [-1]), "int32"), 3)
        missing, surplus = tf.square(tf.maximum(0.0, 0.9 - lengths)), tf.square(tf.maximum(0.0, lengths - 0.1))
        return tf.reduce_mean(tf.reduce_sum(wanted * missing + 0.5 * (1 - wanted) * surplus, axis=1))

    inputs, draw = keras.Input((6, 4)), np.random.RandomState(0)
    model = keras.Model(inputs, Capsules()(inputs))
    model.compile("sgd", margin)
    return {"model": model, "x": draw.randn(SAMPLES, 6, 4).astype("float32"), "y": draw.randint(0, 3, (SAMPLES, 1))}


ALL = [sums_spelled_out, columns_of_a_table, mixture_of_experts, pixels_in_order, routed_capsules]
