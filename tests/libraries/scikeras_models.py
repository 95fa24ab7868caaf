"""scikeras: estimators of scikit-learn around models, with the callback among theirs."""

import importlib
import tempfile
from pathlib import Path

from .cases import case, classes, floats

LIBRARY, ENVIRONMENT = "scikeras", "keras-3"


def _estimator(name, y, activation, loss):
    def make(keras):
        def net():
            layers = [keras.Input((6,)), keras.layers.Dense(4, "tanh")]
            layers.append(keras.layers.Dense(1, activation))
            model = keras.Sequential(layers)
            model.compile(keras.optimizers.SGD(1e-2), loss)
            return model

        package = importlib.import_module("keras_gensynth_callback")
        prefix = Path(tempfile.mkdtemp(prefix="libraries-")) / "net"
        cls = getattr(importlib.import_module("scikeras.wrappers"), name)
        estimator = cls(net, epochs=2, verbose=0, callbacks=[package.GenSynthExportCallback(prefix)])
        estimator.fit(floats(6), y)
        assert package.inspect_checkpoint(prefix), "fit wrote no export"
        return case(estimator.model_, floats(6), y[:, None].astype("float32"))

    return make


MODELS = {
    "KerasClassifier": _estimator("KerasClassifier", classes(), "sigmoid", "binary_crossentropy"),
    "KerasRegressor": _estimator("KerasRegressor", floats(1)[:, 0], None, "mse"),
}
