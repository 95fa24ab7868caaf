"""What writing costs a training, against the ways to write that Keras and TensorFlow have.

All ways take turns in one process, on one model: each saves once and then trains some steps, as does a turn in which
nothing is saved. What is printed are medians over the rounds, and ratios of them.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import tensorflow as tf

from keras_gensynth_callback import GenSynthExportCallback

BATCH = 8


def convnet():
    layers = keras.layers
    body = [
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2D(32, 3, activation="relu"),
    ]
    return keras.Sequential([keras.Input((32, 32, 3)), *body, layers.GlobalAveragePooling2D(), layers.Dense(10)]), 32


def resnet50():
    return keras.applications.ResNet50(
        input_shape=(64, 64, 3), weights=None, classes=10, classifier_activation=None
    ), 64


MODELS = {make.__name__: make for make in (convnet, resnet50)}


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
    """A function that saves to a prefix."""

    def __init__(self, save, prefix):
        self.save = lambda: save(prefix)

    def finish(self):
        pass


def ways(model, folder):
    """All ways to save, by name: objects with `save` and `finish`. Each writes to a folder of its own."""
    path = lambda name, file: os.path.join(folder, name, file)  # noqa: E731
    variables = [variable.value for variable in [*model.variables, *model.optimizer.variables]]
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    keras_checkpoint = keras.callbacks.ModelCheckpoint
    made = {
        "GenSynthExportCallback": lambda name: Hooks(model, GenSynthExportCallback(path(name, "net"))),
        "the same, save_on_background=False": lambda name: Hooks(
            model, GenSynthExportCallback(path(name, "net"), save_on_background=False)
        ),
        "ModelCheckpoint .keras": lambda name: Hooks(model, keras_checkpoint(path(name, "net.keras"))),
        "ModelCheckpoint .weights.h5": lambda name: Hooks(
            model, keras_checkpoint(path(name, "net.weights.h5"), save_weights_only=True)
        ),
        "tf.train.Checkpoint": lambda name: Calls(checkpoint.write, path(name, "net")),
        "tf.compat.v1.train.Saver": lambda name: Calls(
            lambda prefix: tf.compat.v1.train.Saver(variables).save(None, prefix), path(name, "net")
        ),
    }
    for name in made:
        os.makedirs(os.path.join(folder, name))
    return {name: make(name) for name, make in made.items()}


def sync(folder):
    """Flushes what was written to the disk; what flushed itself takes no time any more."""
    for name in os.listdir(folder):
        descriptor = os.open(os.path.join(folder, name), os.O_RDWR)
        os.fsync(descriptor)
        os.close(descriptor)


def turn(way, folder, train, steps):
    """One turn: seconds that the save took, until all was durable, and of the whole turn."""
    started = time.perf_counter()
    way.save()
    stall = time.perf_counter() - started
    train(steps)
    whole = time.perf_counter() - started
    way.finish()
    sync(folder)
    return stall, whole


def durable(way, folder):
    """Seconds from the save until all is on the disk, when nothing is trained meanwhile."""
    started = time.perf_counter()
    way.save()
    way.finish()
    sync(folder)
    return time.perf_counter() - started


def measure(name, rounds, steps, folder):
    model, size = MODELS[name]()
    model.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    draw = np.random.RandomState(0)
    x = draw.standard_normal((BATCH, size, size, 3)).astype("float32")
    y = draw.randint(0, 10, BATCH)

    def train(count):
        for _ in range(count):
            model.train_on_batch(x, y)

    train(2)
    there = ways(model, folder)
    first = {way: durable(there[way], os.path.join(folder, way)) for way in there}
    alone, turns = [], {way: [] for way in there}
    for number in range(rounds):
        order = list(there) if number % 2 else list(reversed(there))
        started = time.perf_counter()
        train(steps)
        alone.append(time.perf_counter() - started)
        for way in order:
            one = turn(there[way], os.path.join(folder, way), train, steps)
            turns[way].append((*one, durable(there[way], os.path.join(folder, way))))
    return report(name, model, statistics.median(alone), turns, first, folder)


def report(name, model, alone, turns, first, folder):
    state = sum(
        v.value.shape.num_elements() * v.value.dtype.size for v in [*model.variables, *model.optimizer.variables]
    )
    print(f"\n{name}: {state / 1e6:.1f} MB in {len(model.variables) + len(model.optimizer.variables)} variables\n")
    print("| way | stall | durable after | training lost | first save | MB | stall, ours to its | lost, ours to its |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    medians = {way: [statistics.median(column) for column in zip(*rows)] for way, rows in turns.items()}
    stall_of_ours, whole_of_ours, _ = medians["GenSynthExportCallback"]
    for way, (stall, whole, on_disk) in medians.items():
        path = os.path.join(folder, way)
        size = sum(os.path.getsize(os.path.join(path, file)) for file in os.listdir(path)) / 1e6
        lost, ours = whole - alone, whole_of_ours - alone
        ratio = f"{ours / lost:.2f}" if lost > 0 else "-"
        print(
            f"| {way} | {1e3 * stall:.1f} ms | {1e3 * on_disk:.0f} ms | {1e3 * lost:.0f} ms | {first[way]:.2f} s "
            f"| {size:.1f} | 1/{stall / stall_of_ours:.1f} | {ratio} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", choices=[*MODELS, []], help="which models; all if none is named")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="how many steps are trained after each save")
    options = parser.parse_args()
    for name in options.models or MODELS:
        folder = tempfile.mkdtemp()
        try:
            measure(name, options.rounds, options.steps, folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
