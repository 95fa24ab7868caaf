"""Trains under a `tf.distribute` strategy, in a process of its own: logical devices are made before TensorFlow starts.

    python distributed_program.py mirrored KERAS FOLDER
    python distributed_program.py worker KERAS FOLDER      one of several, each with its TF_CONFIG
    python distributed_program.py victim KERAS FOLDER      a worker that trains until it is killed

Prints what it saw as JSON. `plain` in FOLDER is exported without a strategy, `net-<epoch>` with one.
"""

import importlib
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import tensorflow as tf
from kerases import set_random_seed

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint, load_checkpoint
from keras_gensynth_callback.checkpoint import read_tensors
from keras_gensynth_callback.lift import adapter_of

DRAW = np.random.RandomState(0)
X = DRAW.standard_normal((32, 6)).astype("float32")
Y = DRAW.randint(0, 3, 32).astype("int32")


def make_model(keras):
    set_random_seed(keras, 0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,), name="features"),
            layers.Dense(8, name="hidden"),
            layers.BatchNormalization(name="normal"),
            layers.Dropout(0.2, name="drop"),
            layers.Dense(3, activation="softmax", kernel_regularizer="l2", name="kind"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(keras, strategy, callbacks, **options):
    keras.backend.clear_session()
    with strategy.scope():
        model = make_model(keras)
    return fitted(model, callbacks, **options)


def fitted(model, callbacks, epochs=2):
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return model


def copying(keras, copies):
    """Copies what Keras itself reads of each variable, before the export."""

    class Copy(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            copies.append({v.name: np.array(v.value.read_value()) for v in adapter_of(self.model).variables()})

    return Copy()


def same_bits(exported, copied):
    return all(exported[name].tobytes() == copied[name].tobytes() for name in exported)


def same_weights(model, other):
    return all(map(np.array_equal, model.get_weights(), other.get_weights()))


def alone(keras, model):
    """The same model on one device, and what Keras says of it."""
    keras.backend.clear_session()
    single = make_model(keras)
    single.set_weights(model.get_weights())
    loss, accuracy = single.evaluate(X, Y, batch_size=8, verbose=0)
    return {"loss": loss, "accuracy": accuracy, "predictions": single.predict(X, verbose=0).tolist()}


def mirrored(keras, folder):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    fitted(make_model(keras), [GenSynthExportCallback(f"{folder}/plain")], epochs=1)
    strategy, copies = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), []
    without = trained(keras, strategy, [])
    callback = GenSynthExportCallback(f"{folder}/net-{{epoch}}")
    model = trained(keras, strategy, [copying(keras, copies), callback])
    values = [read_tensors(prefix) for prefix in callback.checkpoints]
    with strategy.scope():
        fresh, loaded = make_model(keras), make_model(keras)
    export_checkpoint(fresh, f"{folder}/fresh")
    load_checkpoint(loaded, callback.latest_checkpoint)
    return {
        "replicas": strategy.num_replicas_in_sync,
        "samples counted": float(values[-1]["metrics/accuracy/count"]),
        "as at its moment": [same_bits(*pair) for pair in zip(values, copies)],
        "trained as without": same_weights(model, without),
        "trained as without, after an export": same_weights(fitted(fresh, []), without),
        "loaded": same_weights(loaded, model),
        "alone": alone(keras, model),
    }


def worker(keras, folder):
    strategy, copies = tf.distribute.MultiWorkerMirroredStrategy(), []
    without = trained(keras, strategy, [])
    written = []
    # A clock of its own says each worker when an export is due: the chief's is what counts.
    callback = GenSynthExportCallback(
        f"{folder}/net-{{epoch}}",
        save_secs=1e-9 if strategy.extended.should_checkpoint else 1e9,
        on_export=written.append,
    )
    model = trained(keras, strategy, [copying(keras, copies), callback])
    values = [read_tensors(prefix) for prefix in callback.checkpoints]
    found = {
        "replicas": strategy.num_replicas_in_sync,
        "checkpoints": callback.checkpoints,
        "written": len(written),
        "as at its moment": [same_bits(*pair) for pair in zip(values, copies)],
        "trained as without": same_weights(model, without),
    }
    found["alone"] = alone(keras, model)
    return found


def victim(keras, folder):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    class Tell(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            print(epoch, flush=True)

    trained(keras, strategy, [GenSynthExportCallback(f"{folder}/net-{{epoch}}"), Tell()], epochs=10**6)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](importlib.import_module(sys.argv[2]), sys.argv[3])))
