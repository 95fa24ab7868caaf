"""Exports each model with one Keras: `python -m benchmarks.exported FOLDER KERAS [MODEL...]`."""

import importlib
import os
import sys
import time

from keras_gensynth_callback import export_checkpoint

from . import models


def main(folder, keras_name, *names):
    keras = importlib.import_module(keras_name)
    for name in names or models.ALL:
        keras.backend.clear_session()
        model = models.compiled(keras, name)
        model.train_on_batch(*models.batch(name))
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        started = time.perf_counter()
        export_checkpoint(model, os.path.join(folder, name, keras_name))
        print(f"{name}, {keras_name}: first export {time.perf_counter() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
