"""deepctr: models of clicks, on sparse and dense features, and on histories."""

import importlib

import numpy as np

from .cases import SAMPLES, classes, draw, floats, regressed

LIBRARY, ENVIRONMENT = "deepctr", "tf.keras"
_UNITS = (8, 4)


def _features():
    columns = importlib.import_module("deepctr.feature_column")
    sparse = [columns.SparseFeat(name, 10, embedding_dim=4) for name in ("user", "item", "place")]
    return [*sparse, columns.DenseFeat("age", 1)]


def _data():
    return {**{name: classes(high=10, seed=i) for i, name in enumerate(("user", "item", "place"))}, "age": floats(1)}


def _clicks(name, both=True, **config):
    def make(keras):
        library, features = importlib.import_module("deepctr.models"), _features()
        columns = [features, features] if both else [features]
        model = getattr(library, name)(*columns, dnn_hidden_units=_UNITS, **config)
        return _trained(keras, model, _data())

    return make


def _histories(name, **config):
    """What was looked at before, of different lengths."""

    def make(keras):
        library, columns = importlib.import_module("deepctr.models"), importlib.import_module("deepctr.feature_column")
        history = columns.SparseFeat("hist_item", 10, embedding_dim=4, embedding_name="item")
        features = [*_features(), columns.VarLenSparseFeat(history, maxlen=5, length_name="seq_length")]
        model = getattr(library, name)(features, ["item"], dnn_hidden_units=_UNITS, **config)
        lengths = (1 + np.arange(SAMPLES) % 5).astype("int32")
        items = draw(7).randint(1, 10, (SAMPLES, 5)) * (np.arange(5) < lengths[:, None])
        return _trained(keras, model, {**_data(), "hist_item": items.astype("int32"), "seq_length": lengths})

    return make


def _trained(keras, model, x):
    y = classes(1).astype("float32")
    return regressed(keras, model, x, y, loss="binary_crossentropy", metrics=["binary_crossentropy"])


MODELS = {
    "AutoInt": _clicks("AutoInt", att_layer_num=1),
    "DCN": _clicks("DCN"),
    "DeepFM": _clicks("DeepFM", dnn_use_bn=True),
    "FiBiNET": _clicks("FiBiNET"),
    "WDL, with dropout": _clicks("WDL", dnn_dropout=0.3),
    "xDeepFM": _clicks("xDeepFM", cin_layer_size=(4, 4)),
    "BST": _histories("BST", att_head_num=2),
    "DIN": _histories("DIN", att_hidden_size=(8, 4)),
}
