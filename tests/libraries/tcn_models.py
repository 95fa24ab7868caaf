"""keras-tcn, beside tf.keras."""

import importlib

from .cases import classes, classified, floats

LIBRARY, ENVIRONMENT = "keras-tcn", "tf.keras"


def _sequences(**config):
    def make(keras):
        tcn = importlib.import_module("tcn").TCN(6, kernel_size=2, dilations=[1, 2, 4], **config)
        outputs = keras.layers.Dense(2)
        model = keras.Sequential([keras.Input((12, 3)), tcn, outputs])
        y = classes(12) if config.get("return_sequences") else classes()
        return classified(keras, model, floats(12, 3), y)

    return make


MODELS = {
    "TCN": _sequences(),
    "TCN, sequences, batch normalisation": _sequences(return_sequences=True, use_batch_norm=True),
    "TCN, layer normalisation, dropout": _sequences(use_layer_norm=True, dropout_rate=0.2),
}
