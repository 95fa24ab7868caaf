"""How each layer that prepares numbers, words and sounds gets into a model, and those that hold foreign programs."""

import tempfile

import numpy as np
import tensorflow as tf

from .models import SAMPLES, VECTOR, around, compiled, floats, integers, on, scale

WORDS = np.random.RandomState(0).choice(["cat", "dog", "bird", "fish", "unheard"], (SAMPLES, 3))
SENTENCES = np.array([" ".join(row) + "!" for row in WORDS])[:, None]
NUMBERS = integers(7, 3)


def _category_encoding(keras, cls):
    return around(keras, NUMBERS, cls(num_tokens=7, output_mode="multi_hot"))


def _discretization(keras, cls):
    return around(keras, VECTOR, cls(bin_boundaries=[-1.0, 0.0, 0.7]))


def _crossing(keras, cls):
    x = [WORDS[:, :1], integers(5, 1)]
    return around(keras, x, lambda word, number: cls(num_bins=5, output_mode="one_hot")([word, number]))


def _hashing(keras, cls):
    return around(keras, WORDS, cls(num_bins=4))


def _integer_lookup(keras, cls):
    return around(keras, NUMBERS, cls(vocabulary=[2, 3, 5], output_mode="multi_hot"))


def _string_lookup(keras, cls):
    return around(keras, WORDS, cls(vocabulary=["cat", "dog", "bird"]))


def _text(keras, cls):
    layer = cls(output_sequence_length=4)
    layer.adapt(SENTENCES)
    return around(keras, SENTENCES, layer)


def _dense_features(keras, cls):
    columns = [tf.feature_column.numeric_column("width"), tf.feature_column.numeric_column("height", shape=(2,))]
    columns.append(tf.feature_column.bucketized_column(columns[0], boundaries=[-0.5, 0.5]))
    inputs = {"width": keras.Input((1,), name="width"), "height": keras.Input((2,), name="height")}
    x = {"width": floats(1), "height": floats(2, seed=1)}
    return compiled(keras, keras.Model(inputs, scale(keras)(cls(columns)(inputs))), x)


def _saved_model(keras, cls):
    """A SavedModel of a program with a variable, written and taken in again."""

    class Program(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(floats(3)[:5])

        @tf.function(input_signature=[tf.TensorSpec([None, 5], tf.float32)])
        def serve(self, x):
            return tf.nn.relu(x @ self.kernel)

    folder = tempfile.mkdtemp()
    tf.saved_model.save(Program(), folder)
    return around(keras, VECTOR, cls(folder, call_endpoint="serve"))


def _jax(keras, cls):
    import jax.numpy as jnp

    def init(rng, inputs, training):
        return {"kernel": jnp.asarray(floats(3)[:5])}

    return around(keras, VECTOR, cls(lambda params, inputs: jnp.tanh(inputs @ params["kernel"]), init))


def _flax(keras, cls):
    import flax

    class Net(flax.linen.Module):
        @flax.linen.compact
        def __call__(self, inputs):
            return flax.linen.Dense(3)(inputs)

    return around(keras, VECTOR, cls(Net()))


def _torch(keras, cls):
    import torch

    return around(keras, VECTOR, cls(torch.nn.Linear(5, 3), output_shape=(None, 3)))


RECIPES = {
    "CategoryEncoding": _category_encoding,
    "DenseFeatures": _dense_features,
    "Discretization": _discretization,
    "FlaxLayer": _flax,
    "HashedCrossing": _crossing,
    "Hashing": _hashing,
    "IntegerLookup": _integer_lookup,
    "JaxLayer": _jax,
    "MelSpectrogram": on(floats(64), fft_length=16, sequence_stride=8, sampling_rate=1000, num_mel_bins=6),
    "STFTSpectrogram": on(floats(64, 1), mode="magnitude", frame_length=16, frame_step=8),
    "StringLookup": _string_lookup,
    "TFSMLayer": _saved_model,
    "TextVectorization": _text,
    "TorchModuleWrapper": _torch,
}
