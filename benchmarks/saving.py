"""The models whose training is measured, and the ways to save them: ours, and those of Keras, TensorFlow and Orbax."""

import os
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import tensorflow as tf

from keras_gensynth_callback import GenSynthExportCallback

BATCH = 8
OURS = "GenSynthExportCallback"


def convnet():
    layers = keras.layers
    body = [
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
    ]
    return keras.Sequential([keras.Input((32, 32, 3)), *body, layers.Dense(10)])


def resnet50():
    return keras.applications.ResNet50(
        input_shape=(64, 64, 3), weights=None, classes=10, classifier_activation=None, name="resnet50"
    )


def large():
    """150 million parameters in six layers."""
    body = [keras.layers.Dense(5000, activation="relu") for _ in range(5)]
    return keras.Sequential([keras.Input((5000,)), *body, keras.layers.Dense(5000), keras.layers.Dense(10)])


MODELS = {make.__name__: make for make in (convnet, resnet50, large)}


def compiled(name):
    """A model with Adam, and a function that trains it that many steps."""
    model = MODELS[name]()
    model.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    draw = np.random.RandomState(0)
    x = draw.standard_normal((BATCH, *model.input_shape[1:])).astype("float32")
    y = draw.randint(0, 10, BATCH)

    def train(steps):
        for _ in range(steps):
            model.train_on_batch(x, y)

    train(2)
    return model, train


def state_of(model):
    """All variables of a training, as tf.Variables."""
    return [variable.value for variable in [*model.variables, *model.optimizer.variables]]


def bytes_of(model):
    return sum(variable.shape.num_elements() * variable.dtype.size for variable in state_of(model))


class Hooks:
    """A callback, called as `fit` calls it at an epoch's end."""

    def __init__(self, model, callback):
        self.callback, self.epoch = callback, 0
        callback.set_params({})
        callback.set_model(model)
        callback.on_train_begin()

    def save(self):
        self.callback.on_epoch_begin(self.epoch)
        self.callback.on_epoch_end(self.epoch, {"loss": 0.0})
        self.epoch += 1

    def finish(self):
        if hasattr(self.callback, "wait_until_finished"):
            self.callback.wait_until_finished()


class Calls:
    """A function that saves, and one that waits for what was saved."""

    def __init__(self, save, finish=lambda: None):
        self.save, self.finish = save, finish


def _ours(model, folder, **options):
    return Hooks(model, GenSynthExportCallback(os.path.join(folder, "net"), **options))


def _keras_checkpoint(model, folder, file, **options):
    return Hooks(model, keras.callbacks.ModelCheckpoint(os.path.join(folder, file), **options))


def _tf_checkpoint(model, folder):
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    return Calls(lambda: checkpoint.write(os.path.join(folder, "net")))


def _saver(model, folder):
    return Calls(lambda: tf.compat.v1.train.Saver(state_of(model)).save(None, os.path.join(folder, "net")))


def _orbax(model, folder):
    import orbax.checkpoint

    checkpointer = orbax.checkpoint.StandardCheckpointer()
    values = lambda: {str(index): variable.numpy() for index, variable in enumerate(state_of(model))}  # noqa: E731
    return Calls(
        lambda: checkpointer.save(os.path.join(folder, "net"), values(), force=True), checkpointer.wait_until_finished
    )


WAYS = {
    OURS: _ours,
    "the same, save_on_background=False": lambda *of: _ours(*of, save_on_background=False),
    "ModelCheckpoint .keras": lambda *of: _keras_checkpoint(*of, "net.keras"),
    "ModelCheckpoint .weights.h5": lambda *of: _keras_checkpoint(*of, "net.weights.h5", save_weights_only=True),
    "tf.train.Checkpoint": _tf_checkpoint,
    "tf.compat.v1.train.Saver": _saver,
    "Orbax, asynchronous": _orbax,
}


def emptied(folder):
    """An empty folder of this name."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder
