"""Trains and exports all models on the backend of KERAS_BACKEND: `numbers_program.py FOLDER [NAME...]`. Each has a
folder for `replay_in_tf1.py`, and what Keras says of it in `keras.npz`.
"""

import json
import os
import pathlib
import sys
import traceback

import facts_of_backends
import keras
import models_of_backends
import numpy as np
from keras import tree

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint


def export(make, folder):
    keras.backend.clear_session()
    case = make(keras)
    model, x, y, fit = case["model"], case["x"], case["y"], case.get("fit", {})
    if y is None:
        export_checkpoint(model, folder / "net")
    else:
        callback = GenSynthExportCallback(folder / "net", save_freq="train_end")
        model.fit(x, y, batch_size=16, verbose=0, callbacks=[callback], **fit)
    tensors, feeds, kinds = json.loads((folder / "net.json").read_text())["tensors"], {}, {}
    for kind, names, values in (
        ("x", tensors["inputs"], x),
        ("y", tensors["targets"], y),
        ("weight", tensors["sample_weights"], fit.get("sample_weight")),
    ):
        if values is not None:
            for name, array in zip(names.values(), tree.flatten(values)):
                feeds[name], kinds[name] = array, kind
    np.savez(folder / "feeds.npz", **feeds)
    options = {"kinds": kinds, "batch": 16, "outputs": list(tensors["outputs"])}
    (folder / "options.json").write_text(json.dumps(options))
    np.savez(folder / "keras.npz", **facts_of_backends.recorded(case))


def main(root, *names):
    np.random.seed(1)
    errors = {}
    for make in models_of_backends.MODELS:
        if not names or make.__name__ in names:
            folder = root / make.__name__
            folder.mkdir(parents=True)
            try:
                export(make, folder)
            except Exception:
                errors[make.__name__] = traceback.format_exc()
    facts = {"errors": errors, "tensorflow": "tensorflow" in sys.modules, "backend": keras.config.backend()}
    (root / "facts.json").write_text(json.dumps(facts))
    os.sync()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
