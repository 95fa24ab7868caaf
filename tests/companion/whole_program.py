"""A program without a guard around its training, whose own module defines what its models are made of:
`whole_program.py FOLDER`. What it found it writes to `facts.json`.
"""

import json
import os
import pathlib
import sys
import time
import warnings
from unittest import mock

import keras
import numpy as np
from keras import layers, ops

import keras_gensynth_callback as gensynth
from keras_gensynth_callback import companion

ROOT = pathlib.Path(sys.argv[1])
X = np.random.RandomState(0).rand(64, 4).astype("float32")
Y = np.random.RandomState(1).rand(64, 1).astype("float32")
facts = {}


class Scale(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

    def call(self, inputs):
        return ops.multiply(inputs, self.scale)


def cubic(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)


def new_model(cls=keras.Sequential):
    keras.backend.clear_session()  # the same names each time
    hidden = [layers.Dense(5, activation="relu"), Scale(), layers.BatchNormalization(), layers.Dropout(0.3, seed=7)]
    if cls is keras.Sequential:
        model = cls([keras.Input((4,)), *hidden, layers.Dense(1)])
    else:
        inputs = value = keras.Input((4,))
        for layer in hidden:
            value = layer(value)
        model = cls(inputs, layers.Dense(1)(value))
    numbers = np.random.RandomState(2)
    for variable in model.trainable_variables:
        variable.assign(numbers.standard_normal(variable.shape))
    model.compile(keras.optimizers.Adam(0.01), cubic, metrics=["mae"])
    return model


def arrays(variables):
    return [variable.__array__().copy() for variable in variables]


def values(model):
    return arrays([*model.variables, *model.optimizer.variables])


def equal(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


class Kept(keras.callbacks.Callback):
    """The values at the end of each batch."""

    def __init__(self):
        super().__init__()
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.values.append(arrays(self.model.variables))


def fit(model, *callbacks, epochs=2):
    model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, shuffle=False, callbacks=list(callbacks))
    return values(model)


# Bit by bit as without a callback.
plain = fit(new_model())
records, kept = [], Kept()
often = gensynth.GenSynthExportCallback(
    ROOT / "often" / "net-{epoch}-{batch}", save_freq=1, max_to_keep=3, monitor="loss", on_export=records.append
)
model = new_model()
facts["same training"] = equal(plain, fit(model, kept, often))
facts["records"] = [[record.epoch, record.batch, os.path.basename(record.prefix)] for record in records]
facts["seconds"] = [record.seconds for record in records]
facts["kept"] = [os.path.basename(prefix) for prefix in often.checkpoints]
facts["latest"] = os.path.basename(often.latest_checkpoint)
facts["files"] = sorted(os.listdir(ROOT / "often"))

# The values of the moment: read back into another model.
other = new_model()
read = []
for prefix in often.checkpoints:
    epoch, batch = map(int, prefix.rsplit("-", 2)[1:])
    gensynth.load_checkpoint(other, prefix)
    read.append(equal(arrays(other.variables), kept.values[4 * (epoch - 1) + batch - 1]))
facts["values of the moment"] = read
facts["read"] = gensynth.load_checkpoint(other, often.latest_checkpoint)
facts["all read"] = equal(values(other), values(model))
facts["goes on alike"] = equal(fit(other), fit(model))

# Each epoch, the best alone, in the foreground; a second `fit` with the same callback.
best = gensynth.GenSynthExportCallback(
    ROOT / "best" / "net", monitor="loss", save_best_only=True, save_on_background=False, initial_value_threshold=1e-9
)
fit(new_model(), best)
facts["none was better"] = best.checkpoints
once = gensynth.GenSynthExportCallback(ROOT / "end" / "net", save_freq="train_end")
again = new_model()
fit(again, once)
fit(again, once)
facts["at the end"] = [os.path.relpath(prefix, ROOT) for prefix in once.checkpoints]


# Batches that a program makes: on Torch by a loader, which gives lists.
class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, number):
        rows = slice(16 * number, 16 * number + 16)
        return [X[rows], Y[rows]]


batches = Batches()
if keras.config.backend() == "torch":
    import torch

    batches = torch.utils.data.DataLoader(list(zip(X, Y)), 16)
for name, data in (("arrays", {"x": X, "y": Y, "batch_size": 16}), ("batches", {"x": batches})):
    new_model().fit(**data, verbose=0, callbacks=[gensynth.GenSynthExportCallback(ROOT / name / "net")])
graphs = [(ROOT / name / "net.meta").read_bytes() for name in ("arrays", "batches")]
facts["same graph from batches"] = graphs[0] == graphs[1]

# A wrong folder, and training that goes on.
(ROOT / "file").write_text("")
bad = gensynth.GenSynthExportCallback(ROOT / "file" / "net", on_error="warn")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    facts["same training with errors"] = equal(plain, fit(new_model(), bad))
facts["warned"] = [f"{warning.filename}: {warning.message}" for warning in caught]

# The other ways to export.
record = gensynth.export_checkpoint(again, os.path.relpath(ROOT / "now" / "net"), graph="inference")
facts["now"] = [os.path.isabs(record.prefix), sorted(os.path.basename(file) for file in record.files)]
ours = new_model(gensynth.GenSynthModel)
ours.fit(X, Y, batch_size=16, verbose=0, export=ROOT / "ours" / "net")
facts["ours"] = sorted(os.listdir(ROOT / "ours"))
started = time.perf_counter()
gensynth.export_checkpoint(again, ROOT / "now" / "net2")
facts["seconds of one export"] = time.perf_counter() - started


class Dies(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise RuntimeError("before the first step")


prepared, again = [], new_model()
with mock.patch.object(companion.CompanionExporter, "prepare", lambda self, spec: prepared.append(spec)):
    try:
        fit(again, gensynth.GenSynthExportCallback(ROOT / "died" / "net"), Dies())
    except RuntimeError as error:
        facts["died"] = str(error)
    fit(again)
facts["prepared by another fit"] = len(prepared)
facts["tensorflow"] = "tensorflow" in sys.modules
# Keras itself imports TensorFlow to write a file.
saved = keras.Sequential([keras.Input((4,)), layers.Dense(3), Scale()])
saved.compile("adam", "mse")
saved.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
saved.save(ROOT / "net.keras")
converted = gensynth.convert_model_file(ROOT / "net.keras", ROOT / "converted" / "net", {"Scale": Scale})
facts["converted"] = sorted(os.path.basename(file) for file in converted.files)
graph = gensynth.build_graph(again)
facts["graph"] = len(graph.get_collection("update_ops"))
(ROOT / "facts.json").write_text(json.dumps(facts))
