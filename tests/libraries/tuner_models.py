"""keras-tuner: a search whose trials export, each under a prefix of its own; the model of its best trial."""

import importlib
import tempfile
from pathlib import Path

from .cases import case, classes, floats

LIBRARY, ENVIRONMENT = "keras-tuner", "keras-3"


def _search(tuner):
    def make(keras):
        package = importlib.import_module("keras_gensynth_callback")
        library, folder = importlib.import_module("keras_tuner"), Path(tempfile.mkdtemp(prefix="libraries-"))
        models = {}

        class Net(library.HyperModel):
            def build(self, hp):
                units = hp.Int("units", 4, 8)
                model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(2)])
                loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
                model.compile(keras.optimizers.SGD(1e-2), loss, metrics=["accuracy"])
                return model

            def fit(self, hp, model, *args, callbacks=(), **kwargs):
                models[hp.get("units")] = model
                export = package.GenSynthExportCallback(folder / f"units-{hp.get('units')}" / "net")
                return model.fit(*args, callbacks=[*callbacks, export], **kwargs)

        x, y = floats(6), classes()
        options = {"objective": "val_loss", "directory": folder, "project_name": "search", "max_trials": 2}
        search = getattr(library, tuner)(Net(), **options)
        search.search(x, y, epochs=2, validation_data=(x, y), verbose=0)
        units = search.get_best_hyperparameters(1)[0].get("units")
        assert len(models) == 2, "two trials have the same units"
        assert all(package.inspect_checkpoint(folder / f"units-{each}" / "net") for each in models)
        return case(models[units], x, y)

    return make


MODELS = {"RandomSearch": _search("RandomSearch"), "BayesianOptimization": _search("BayesianOptimization")}
