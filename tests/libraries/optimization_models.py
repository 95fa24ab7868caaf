"""tensorflow_model_optimization: pruning, quantization-aware training, clustered weights."""

import importlib

from .cases import classes, classified, portions

LIBRARY, ENVIRONMENT = "tensorflow-model-optimization", "tf.keras"
KERAS = "tf_keras"  # which it takes wherever it is installed


def _library():
    return importlib.import_module("tensorflow_model_optimization")


def _net(keras):
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(4, 3, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Flatten(),
        keras.layers.Dense(3),
    ]
    return keras.Sequential(layers)


def _case(keras, model):
    return classified(keras, model, portions(8, 8, 1), classes(high=3), metrics=["accuracy"])


def _prune(keras, strip):
    sparsity = _library().sparsity.keras
    model = sparsity.prune_low_magnitude(_net(keras), sparsity.ConstantSparsity(0.5, 0, frequency=1))
    case = _case(keras, model)
    step = sparsity.UpdatePruningStep()  # as `fit` is given it
    step.set_model(model)
    step.on_train_begin()
    step.on_train_batch_begin(0)
    return _case(keras, sparsity.strip_pruning(model)) if strip else case


def _quantized(keras):
    return _case(keras, _library().quantization.keras.quantize_model(_net(keras)))


def _clustered(keras, strip=False):
    clustering = _library().clustering.keras
    centroids = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
    model = clustering.cluster_weights(_net(keras), 4, centroids)
    return _case(keras, clustering.strip_clustering(model) if strip else model)


MODELS = {
    "prune_low_magnitude": lambda keras: _prune(keras, False),
    "prune_low_magnitude, strip_pruning": lambda keras: _prune(keras, True),
    "quantize_model": _quantized,
    "cluster_weights": _clustered,
    "cluster_weights, strip_clustering": lambda keras: _clustered(keras, True),
}
