"""tensorflow_addons: layers, recurrent cells, losses, metrics and optimizers that people took from it."""

import importlib

import numpy as np

from .cases import case, classes, classified, floats, mask, portions, regressed, words

LIBRARY, ENVIRONMENT = "tensorflow-addons", "tf.keras"


def _library():
    return importlib.import_module("tensorflow_addons")


def _images(keras):
    tfa = _library()
    layers = [
        keras.Input((12, 12, 3)),
        tfa.layers.WeightNormalization(keras.layers.Conv2D(8, 3, activation=tfa.activations.mish)),
        tfa.layers.GroupNormalization(4),
        tfa.layers.InstanceNormalization(),
        tfa.layers.AdaptiveAveragePooling2D((2, 2)),
        keras.layers.Flatten(),
        tfa.layers.Maxout(4),
        keras.layers.Dense(3),
    ]
    return classified(keras, keras.Sequential(layers), portions(12, 12, 3), classes(high=3))


def _spectral(keras):
    tfa = _library()
    layers = [
        keras.Input((8, 8, 3)),
        tfa.layers.SpectralNormalization(keras.layers.Conv2D(4, 3)),
        keras.layers.Flatten(),
    ]
    return regressed(keras, keras.Sequential([*layers, keras.layers.Dense(1)]), portions(8, 8, 3))


def _attention(keras):
    tfa = _library()
    inputs = keras.Input((6, 8))
    tensor = tfa.layers.MultiHeadAttention(head_size=4, num_heads=2)([inputs, inputs])
    tensor = tfa.layers.StochasticDepth(1.0)([inputs, tensor])
    tensor = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(tensor))
    return regressed(keras, keras.Model(inputs, tensor), floats(6, 8))


def _cells(keras):
    tfa = _library()
    cell = tfa.rnn.LayerNormLSTMCell(6)
    layers = [
        keras.Input((7, 3)),
        keras.layers.RNN(cell, return_sequences=True),
        tfa.layers.ESN(5),
        keras.layers.Dense(1),
    ]
    return regressed(keras, keras.Sequential(layers), floats(7, 3))


def _tags(keras):
    """A conditional random field over words: its own loss, in a train step of the model's."""
    tf, tfa = importlib.import_module("tensorflow"), _library()

    class Tagger(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding = keras.layers.Embedding(50, 8, mask_zero=True)
            self.crf = tfa.layers.CRF(4)

        def call(self, inputs, training=False):
            return self.crf(self.embedding(inputs))

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            _, potentials, lengths, kernel = y_pred
            return -tf.reduce_mean(tfa.text.crf_log_likelihood(potentials, y, lengths, kernel)[0])

        def test_step(self, data):
            loss = self.compute_loss(data[0], data[1], self(data[0]))
            return {"loss": loss}

    model = Tagger()
    model.compile(keras.optimizers.SGD(1e-2))
    return case(model, words() * mask(), classes(10, high=4))


def _triplets(keras):
    tfa = _library()
    layers = [keras.Input((6,)), keras.layers.Dense(4), keras.layers.Lambda(_unit)]
    loss = tfa.losses.TripletSemiHardLoss()
    return regressed(keras, keras.Sequential(layers), floats(6), (np.arange(12) % 2).astype("int32"), loss=loss)


def _unit(tensor):
    return importlib.import_module("tensorflow").math.l2_normalize(tensor, axis=1)


def _metrics(keras):
    tfa = _library()
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, "softmax")])
    metrics = [
        tfa.metrics.F1Score(3, average="macro"),
        tfa.metrics.MatthewsCorrelationCoefficient(3),
        tfa.metrics.CohenKappa(3),
    ]
    y = np.eye(3, dtype="float32")[classes(high=3)]
    loss = tfa.losses.SigmoidFocalCrossEntropy(reduction="sum_over_batch_size")
    return regressed(keras, model, floats(6), y, loss=loss, metrics=metrics)


def _optimizer(make):
    def recipe(keras):
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
        return regressed(keras, model, floats(6), optimizer=make(_library().optimizers))

    return recipe


def _noisy(keras):
    layers = [keras.Input((6,)), _library().layers.NoisyDense(8), keras.layers.Dense(1)]
    return regressed(keras, keras.Sequential(layers), floats(6))


def _correlation(keras):
    """An op of the library's own, in C++."""
    tfa = _library()
    one, two = keras.Input((8, 8, 4)), keras.Input((8, 8, 4))
    tensors = [keras.layers.Conv2D(4, 1)(one), keras.layers.Conv2D(4, 1)(two)]
    cost = tfa.layers.CorrelationCost(1, 2, 1, 1, 2, "channels_last")(tensors)
    model = keras.Model([one, two], keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(cost)))
    return regressed(keras, model, [floats(8, 8, 4), floats(8, 8, 4, seed=5)])


MODELS = {
    "WeightNormalization, GroupNormalization, Maxout, mish": _images,
    "SpectralNormalization": _spectral,
    "MultiHeadAttention, StochasticDepth": _attention,
    "LayerNormLSTMCell, ESN": _cells,
    "CRF": _tags,
    "NoisyDense": _noisy,
    "TripletSemiHardLoss": _triplets,
    "SigmoidFocalCrossEntropy, F1Score, CohenKappa": _metrics,
    "Lookahead of RectifiedAdam": _optimizer(lambda tfa: tfa.Lookahead(tfa.RectifiedAdam(1e-2), 2)),
    "LAMB": _optimizer(lambda tfa: tfa.LAMB(1e-2)),
    "SWA of AdamW": _optimizer(lambda tfa: tfa.SWA(tfa.AdamW(1e-3, 1e-2), 0, 2)),
    "NovoGrad": _optimizer(lambda tfa: tfa.NovoGrad(1e-2)),
    "CorrelationCost": _correlation,
}
