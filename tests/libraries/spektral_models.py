"""spektral: layers on graphs, with dense adjacencies."""

import importlib

import numpy as np

from .cases import SAMPLES, classes, classified, draw, floats

LIBRARY, ENVIRONMENT = "spektral", "tf.keras"


def _adjacency(nodes=6):
    edges = draw(4).uniform(size=(SAMPLES, nodes, nodes)) < 0.4
    edges = edges | edges.transpose(0, 2, 1)
    return edges.astype("float32") * (1 - np.eye(nodes, dtype="float32"))


def _graphs(name, **config):
    """Two classes of graphs."""

    def make(keras):
        layers = importlib.import_module("spektral.layers")
        nodes, edges = keras.Input((6, 4)), keras.Input((6, 6))
        tensor = getattr(layers, name)(5, activation="relu", **config)([nodes, edges])
        tensor = layers.GlobalSumPool()(tensor)
        model = keras.Model([nodes, edges], keras.layers.Dense(2)(tensor))
        return classified(keras, model, [floats(6, 4), _adjacency()], classes())

    return make


def _edges(keras):
    layers = importlib.import_module("spektral.layers")
    nodes, edges, features = keras.Input((6, 4)), keras.Input((6, 6)), keras.Input((6, 6, 3))
    tensor = layers.ECCConv(5, kernel_network=[8], activation="relu")([nodes, edges, features])
    model = keras.Model([nodes, edges, features], keras.layers.Dense(2)(layers.GlobalAttentionPool(4)(tensor)))
    return classified(keras, model, [floats(6, 4), _adjacency(), floats(6, 6, 3)], classes())


MODELS = {
    "ARMAConv": _graphs("ARMAConv", dropout_rate=0.0),
    "ChebConv": _graphs("ChebConv"),
    "ECCConv, GlobalAttentionPool": _edges,
    "GATConv": _graphs("GATConv", dropout_rate=0.0),
    "GCNConv": _graphs("GCNConv"),
}
