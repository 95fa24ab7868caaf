"""tensorflow_ranking: losses and metrics over lists of items."""

import importlib

from .cases import classes, floats, mask, regressed

LIBRARY, ENVIRONMENT = "tensorflow-ranking", "tf.keras"


def _lists(loss, **config):
    def make(keras):
        library = importlib.import_module("tensorflow_ranking").keras
        layers = [keras.Input((5, 4)), keras.layers.Dense(6, "tanh"), keras.layers.Dense(1), keras.layers.Reshape((5,))]
        metrics = [library.metrics.NDCGMetric(topn=3), library.metrics.MRRMetric()]
        y = classes(5, high=3).astype("float32")
        made = getattr(library.losses, loss)(**config)
        return regressed(keras, keras.Sequential(layers), floats(5, 4), y, loss=made, metrics=metrics)

    return make


def _attention(keras):
    library = importlib.import_module("tensorflow_ranking").keras
    inputs, there = keras.Input((5, 4)), keras.Input((5,), dtype="bool")
    attention = library.layers.DocumentInteractionAttention(num_heads=2, head_size=4, num_layers=1, dropout=0.0)
    scores = keras.layers.Dense(1)(attention((inputs, there)))
    model = keras.Model([inputs, there], keras.layers.Reshape((5,))(scores))
    y = classes(5, high=3).astype("float32")
    return regressed(keras, model, [floats(5, 4), mask(5) > 0], y, loss=library.losses.SoftmaxLoss())


MODELS = {
    "ApproxNDCGLoss": _lists("ApproxNDCGLoss"),
    "DocumentInteractionAttention, SoftmaxLoss": _attention,
    "ListMLELoss": _lists("ListMLELoss"),
    "PairwiseLogisticLoss": _lists("PairwiseLogisticLoss"),
}
