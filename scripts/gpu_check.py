"""Checks on a machine with a GPU what no other machine can: that exports made there are those of any machine.

    python scripts/gpu_check.py              with each Keras that is installed; takes one to three minutes
    python scripts/gpu_check.py --no-gpu     the same where there is none, to try this program

Needs TensorFlow with CUDA (`pip install "tensorflow[and-cuda]"`) and this package, by its installation or from the
checkout that this file stands in. Prints a line for each check, and what a snapshot of variables on the GPU costs.
Exits with status 1 if a check fails.
"""

import argparse
import hashlib
import importlib
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"
# The memory that is taken is then the memory that is counted.
os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np
import tensorflow as tf

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint
from keras_gensynth_callback.lift import adapter_of
from keras_gensynth_callback.lift.adapters.snapshots import snapshot

ROWS = 64


def network(keras, on_gpu=True):
    """An LSTM, a GRU, and images with their channels in front, which Keras trains on a GPU only."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    layers, first = keras.layers, {"data_format": "channels_first" if on_gpu else "channels_last"}
    images, words = (
        keras.Input((3, 16, 18) if on_gpu else (16, 18, 3), name="images"),
        keras.Input((7, 5), name="words"),
    )
    y = layers.Conv2D(8, 3, padding="same", use_bias=False, **first)(images)
    y = layers.Activation("relu")(layers.BatchNormalization(axis=1 if on_gpu else 3)(y))
    y = layers.Dropout(0.2)(layers.MaxPooling2D(2, **first)(y))
    y = layers.GlobalAveragePooling2D(**first)(layers.Conv2D(9, 3, **first)(y))
    z = layers.GRU(6)(layers.Bidirectional(layers.LSTM(4, return_sequences=True))(words))
    model = keras.Model([images, words], layers.Dense(2, name="y")(layers.Concatenate()([y, z])))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def data(on_gpu):
    draw = np.random.RandomState(0)
    x = draw.normal(size=(ROWS, 3, 16, 18) if on_gpu else (ROWS, 16, 18, 3)), draw.normal(size=(ROWS, 7, 5))
    return [part.astype("float32") for part in x], draw.normal(size=(ROWS, 2)).astype("float32")


class Checks:
    """Prints what was checked, and counts what failed."""

    def __init__(self):
        self.failed = 0

    def say(self, ok, words):
        self.failed += not ok
        print("%-6s %s" % ("ok" if ok else "FAILED", words), flush=True)


def nodes_of(prefix):
    with open(prefix + ".meta", "rb") as file:
        return tf.compat.v1.MetaGraphDef.FromString(file.read()).graph_def.node


def digest(prefix):
    with open(prefix + ".meta", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_training(checks, name, folder, on_gpu):
    """Trains with the callback, and looks at what was exported."""
    keras = importlib.import_module(name)
    model, (x, y) = network(keras, on_gpu), data(on_gpu)
    callback = GenSynthExportCallback(os.path.join(folder, "net-{epoch}"), save_freq="epoch")
    started = time.perf_counter()
    model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=[callback])
    prefix = callback.latest_checkpoint
    seconds = time.perf_counter() - started
    version = keras.__version__
    checks.say(prefix is not None, "%s %s trained and exported in %.1f s" % (name, version, seconds))
    variables = adapter_of(model).variables()
    devices = sorted({variable.value.device.rsplit("device:", 1)[-1] for variable in variables})
    checks.say(not on_gpu or any("GPU" in device for device in devices), "variables are on %s" % ", ".join(devices))
    nodes = nodes_of(prefix)
    wrong = sorted({node.op for node in nodes if "udnn" in node.op})
    wrong += sorted({node.op for node in nodes if node.attr["data_format"].s.startswith(b"NC")})
    checks.say(not wrong, "no op for GPUs only among %d nodes %s" % (len(nodes), ", ".join(wrong)))
    reader = tf.train.load_checkpoint(prefix)
    there = reader.get_variable_to_shape_map()
    differ = [
        variable.name
        for variable in variables
        if variable.name in there
        and reader.get_tensor(variable.name).tobytes() != np.asarray(variable.value.numpy()).tobytes()
    ]
    weights = [variable.name for variable in variables if variable.kind == "weight" and variable.name not in there]
    checks.say(not differ and not weights, "%d variables bit for bit %s" % (len(there), ", ".join(differ + weights)))


def check_other_machine(checks, name, folder):
    """The same model gives the same bytes where no GPU is seen."""
    prefixes = [os.path.join(folder, "here"), os.path.join(folder, "there")]
    for prefix, more in zip(prefixes, ({}, {"CUDA_VISIBLE_DEVICES": "-1"})):
        command = [sys.executable, os.path.abspath(__file__), "--only-export", name, prefix]
        subprocess.run(command, check=True, env=dict(os.environ, PYTHONHASHSEED="0", **more))
    here, there = map(digest, prefixes)
    checks.say(here == there, "the graph has the bytes that a process without a GPU gives it")


def copied_one_by_one(values):
    with tf.device("/device:CPU:0"):
        return [tf.identity(value.read_value()) for value in values]


def shared(values):
    return [tf.raw_ops.ReadVariableOp(resource=value.handle, dtype=value.dtype) for value in values]


def timed(task, *arguments):
    times = []
    for _ in range(7):
        started = time.perf_counter()
        task(*arguments)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def check_snapshot(checks, on_gpu):
    """A snapshot takes no second state of the GPU's memory; and what it costs."""
    device = "GPU:0" if on_gpu else "CPU:0"
    with tf.device(device):
        values = [tf.Variable(tf.random.normal([1000, 1000])) for _ in range(100)]
        values += [tf.Variable(tf.random.normal([256])) for _ in range(650)]
    state = sum(value.shape.num_elements() * 4 for value in values)
    used = (lambda: tf.config.experimental.get_memory_info("GPU:0")) if on_gpu else lambda: {"current": 0, "peak": 0}
    snapshot(values)
    before = used()["current"]
    if on_gpu:
        tf.config.experimental.reset_memory_stats("GPU:0")
    held = snapshot(values)
    peak, after = used()["peak"] - before, used()["current"] - before
    checks.say(
        max(peak, after) < 0.05 * state, "a snapshot adds %.1f MB to %.0f MB on the GPU" % (peak / 1e6, state / 1e6)
    )
    expected = [held[0].numpy().copy(), held[-1].numpy().copy()]
    for value in values:
        value.assign_add(tf.ones_like(value))
    moved = used()["current"] - before
    checks.say(moved < 0.05 * state, "held while all is changed, it adds %.1f MB" % (moved / 1e6))
    same = all(np.array_equal(part, kept) for part, kept in zip((held[0].numpy(), held[-1].numpy()), expected))
    checks.say(same and all("CPU" in value.device for value in held), "and keeps its values, on the host")
    del held
    compiled = tf.function(lambda: copied_one_by_one(values), autograph=False)
    compiled()
    base = timed(shared, values)
    for words, task, arguments in (
        ("without a copy (shares the GPU's memory)", shared, (values,)),
        ("snapshot", snapshot, (values,)),
        ("copied one by one", copied_one_by_one, (values,)),
        ("copied by a compiled function", compiled, ()),
    ):
        seconds = timed(task, *arguments)
        rate = state / seconds / 1e9
        print(
            "       %-42s %7.1f ms, ratio %6.2f, %5.1f GB/s" % (words, 1e3 * seconds, seconds / base, rate), flush=True
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-gpu", action="store_true", help="try the program where there is no GPU")
    parser.add_argument("--only-export", nargs=2, metavar=("KERAS", "PREFIX"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_export:
        export_checkpoint(network(importlib.import_module(options.only_export[0])), options.only_export[1])
        return 0
    gpus, checks = tf.config.list_physical_devices("GPU"), Checks()
    on_gpu = not options.no_gpu
    if on_gpu and not gpus:
        sys.exit("TensorFlow %s sees no GPU here: install tensorflow[and-cuda], or pass --no-gpu." % tf.__version__)
    details = tf.config.experimental.get_device_details(gpus[0]).get("device_name") if gpus else "no GPU"
    print("TensorFlow %s, %s" % (tf.__version__, details), flush=True)
    for name in ("keras", "tf_keras"):
        if importlib.util.find_spec(name) is None:
            print("       %s is not installed" % name)
            continue
        with tempfile.TemporaryDirectory() as folder:
            check_training(checks, name, folder, on_gpu)
            check_other_machine(checks, name, folder)
    check_snapshot(checks, on_gpu)
    print("%s" % ("all is well" if not checks.failed else "%d checks failed" % checks.failed))
    return int(bool(checks.failed))


if __name__ == "__main__":
    sys.exit(main())
