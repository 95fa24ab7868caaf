"""A thousand exports of a small model, while it trains: memory and files must not grow with their number."""

import argparse
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np

from keras_gensynth_callback import GenSynthExportCallback


def main():
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/thousand", description=__doc__.splitlines()[0])
    parser.add_argument("--exports", type=int, default=1000)
    given = parser.parse_args()
    print("| exports | resident memory, MB | live objects | .meta, bytes | .data, bytes | files |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        train(folder, given.exports)


def train(folder, count):
    """Trains with an export at each batch, and prints a row at each tenth of them."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Conv2D(8, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(10)]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    written = [0]

    def on_export(record):
        written[0] += 1
        if written[0] % max(1, count // 10) == 0:
            print(
                f"| {written[0]} | {resident()} | {objects()} | {sizes(record)} | {len(os.listdir(folder))} |",
                flush=True,
            )

    callback = GenSynthExportCallback(os.path.join(folder, "net-{epoch}-{batch}"), save_freq=1, on_export=on_export)
    x, y = np.zeros((count, 16, 16, 1), "float32"), np.zeros(count, "int32")
    model.fit(x, y, batch_size=1, verbose=0, callbacks=[callback])


def resident():
    """The memory of this process that is in use now, in MB."""
    with open("/proc/self/statm") as file:
        return round(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)


def objects():
    """How many Python objects there are that could be part of a cycle."""
    import gc

    gc.collect()
    return len(gc.get_objects())


def sizes(record):
    """The sizes of graph and values."""
    by_suffix = {os.path.splitext(file)[1]: os.path.getsize(file) for file in record.files}
    return " | ".join(str(by_suffix[suffix]) for suffix in (".meta", ".data-00000-of-00001"))


if __name__ == "__main__":
    main()
