"""Ways to train in TensorFlow 1.15's own Keras, with the callback and with a model that exports by itself:
`training_in_tf1_program.py REPOSITORY FOLDER WAY...`. It asserts what must hold, and prints a line at its end.
"""

import os
import sys

sys.path.insert(0, sys.argv[1])
import numpy as np
import tensorflow as tf

from keras_gensynth_callback import GenSynthExportCallback, GenSynthModel, load_checkpoint
from keras_gensynth_callback.errors import UnsupportedBackendError

keras, layers = tf.keras, tf.keras.layers
tf.compat.v1.logging.set_verbosity("ERROR")
DRAW = np.random.RandomState(0)
X, Y = DRAW.standard_normal((48, 3)).astype("float32"), DRAW.standard_normal((48, 1)).astype("float32")


def model_of(cls=keras.Model):
    inputs = keras.Input((3,))
    model = cls(inputs, layers.Dense(1, name="level")(layers.BatchNormalization(name="norm")(inputs)))
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def there(folder):
    return sorted(name[: -len(".meta")] for name in os.listdir(folder) if name.endswith(".meta"))


def batches():
    while True:
        yield X[:16], Y[:16]


def epochs_from_an_initial_one(folder):
    model = model_of()
    callback = GenSynthExportCallback(os.path.join(folder, "net-{epoch}-{val_loss:.3f}"), max_to_keep=None)
    history = model.fit(
        X, Y, validation_data=(X, Y), epochs=5, initial_epoch=2, batch_size=16, verbose=0, callbacks=[callback]
    )
    assert there(folder) == ["net-%d-%.3f" % (n + 3, loss) for n, loss in enumerate(history.history["val_loss"])]
    predicted = model.predict(X)
    load_checkpoint(model, callback.checkpoints[0])
    assert np.abs(model.predict(X) - predicted).max() > 1e-6
    load_checkpoint(model, callback.latest_checkpoint)
    assert np.array_equal(model.predict(X), predicted)


def the_best_alone(folder):
    model = model_of()
    name = [name for name in model.metrics_names if name != "loss"][0]
    callback = GenSynthExportCallback(
        os.path.join(folder, "net-{epoch}"), monitor="val_" + name, save_best_only=True, max_to_keep=None
    )
    history = model.fit(X, Y, validation_split=0.25, epochs=6, verbose=0, callbacks=[callback]).history["val_" + name]
    best = [n + 1 for n, value in enumerate(history) if value == min(history[: n + 1])]
    assert there(folder) == ["net-%d" % n for n in best], (there(folder), history)
    assert np.isclose(callback.best, min(history))


def every_second_batch(folder):
    callback = GenSynthExportCallback(os.path.join(folder, "net-{epoch}-{batch}"), save_freq=2, max_to_keep=None)
    model_of().fit(X, Y, epochs=2, batch_size=16, verbose=0, callbacks=[callback])
    assert there(folder) == ["net-1-2", "net-2-1", "net-2-3"], there(folder)


def a_generator(folder):
    callback = GenSynthExportCallback(os.path.join(folder, "net-{epoch}"))
    model_of().fit_generator(
        batches(), 3, epochs=2, validation_data=batches(), validation_steps=2, verbose=0, callbacks=[callback]
    )
    assert there(folder) == ["net-1", "net-2"]


def a_dataset(folder):
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16).repeat()
    model_of().fit(data, steps_per_epoch=3, verbose=0, callbacks=[GenSynthExportCallback(os.path.join(folder, "net"))])
    assert there(folder) == ["net"]


def models_that_export_by_themselves(folder):
    model_of(GenSynthModel).fit(X, Y, validation_data=(X, Y), verbose=0, export=os.path.join(folder, "a"))
    model_of(GenSynthModel).fit_generator(batches(), 3, verbose=0, export=os.path.join(folder, "b"))
    assert there(folder) == ["a", "b"]


def the_same_weights_as_without(folder):
    found = []
    for callbacks in ([], [GenSynthExportCallback(os.path.join(folder, "net-{epoch}"))]):
        keras.backend.clear_session()
        tf.compat.v1.set_random_seed(3)
        np.random.seed(3)
        model = keras.Sequential([layers.Dense(4, input_shape=(3,)), layers.Dropout(0.5), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(X, Y, epochs=3, verbose=0, callbacks=callbacks)
        found.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*found))


def eager_execution_is_refused(folder):
    tf.compat.v1.enable_eager_execution()
    model = model_of()
    before = model.get_weights()
    try:
        model.fit(X, Y, verbose=0, callbacks=[GenSynthExportCallback(os.path.join(folder, "net"))])
    except UnsupportedBackendError as error:
        assert "Do without `tf.compat.v1.enable_eager_execution()`" in str(error)
    else:
        raise AssertionError("it was not refused")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights())) and not there(folder)


for name in sys.argv[3:]:
    at = os.path.join(sys.argv[2], name)
    os.makedirs(at)
    globals()[name](at)
    keras.backend.clear_session()
print("all of it holds")
