"""Kills the process that writes, again and again, and has TensorFlow 1.15 judge what it leaves behind each time.

The writers export real models (their graphs, and as many values) as a training does: one name after the other or the
same name again, keeping two exports and the best. They are forks of one process that never runs an op, so that 200 of
them cost no 200 imports of TensorFlow. After each kill the folder is copied as it stands; TensorFlow 1.15 then
restores from each copy what `tf.train.latest_checkpoint` names, and compares the files with the SHA-256 of the manifest
and each value with the export's number.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np

from keras_gensynth_callback.checkpoint import CheckpointManager, write_checkpoint

FIND_READER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scripts", "find_reader.py")

# Exports each model, in a process of its own.
MODELS = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
from keras_gensynth_callback import export_checkpoint

layers = keras.layers
image, tokens = keras.Input((8, 8, 1)), keras.Input((6,), dtype="int32")
bodies = {
    "convnet": (image, [layers.Conv2D(8, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(4)]),
    "lstm": (tokens, [layers.Embedding(50, 8), layers.LSTM(8), layers.Dropout(0.2), layers.Dense(4)]),
    "wide": (image, [layers.Flatten(), layers.Dense(4000), layers.Dense(4)]),
}
for name, (start, body) in bodies.items():
    model = keras.Sequential([start, *body], name=name)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    export_checkpoint(model, os.path.join(sys.argv[1], name))
"""

# Runs in TensorFlow 1.15.
JUDGE = """
import glob, hashlib, json, os, sys
import numpy as np
import tensorflow as tf

counts = {"restored": 0, "killed in a write": 0, "killed in an overwrite": 0}
numbers = []
for folder in sorted(glob.glob(os.path.join(sys.argv[1], "copy-*"))):
    prefix = tf.train.latest_checkpoint(folder)
    assert prefix is not None, folder
    with open(prefix + ".json") as file:
        manifest = json.load(file)
    for name, record in manifest["files"].items():
        with open(os.path.join(os.path.dirname(prefix), name), "rb") as file:
            content = file.read()
        assert len(content) == record["size"], (prefix, name)
        assert hashlib.sha256(content).hexdigest() == record["sha256"], (prefix, name)
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(prefix + ".meta")
        saver.restore(session, prefix)
        for variable, value in zip(tf.global_variables(), session.run(tf.global_variables())):
            assert (value == np.full(value.shape, manifest["number"]).astype(value.dtype)).all(), (prefix, variable)
    counts["restored"] += 1
    counts["killed in an overwrite"] += ".gensynth-tmp-" in prefix
    counts["killed in a write"] += bool(glob.glob(os.path.join(folder, ".gensynth-tmp-*")))
    numbers.append(manifest["number"])
print(json.dumps(dict(counts, **{"different exports": len(set(numbers))})))
"""


def main():
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/kill", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        print(json.dumps(killed(root, given.kills, given.seed), indent=2))


def killed(root, kills, seed=0):
    """Kills that many writers; what TensorFlow 1.15 found, as a dict."""
    models = os.path.join(root, "models")
    os.mkdir(models)
    subprocess.run([sys.executable, "-W", "ignore", "-c", MODELS, models], check=True)
    kinds = [(model, same) for model in ("convnet", "lstm", "wide") for same in (True, False)]
    runs = [Run(root, models, *kind, first=1 + 1_000_000 * index) for index, kind in enumerate(kinds)]
    chance = random.Random(seed)
    for kill in range(kills):
        runs[kill % len(runs)].kill_a_writer(kill, chance)
    for run in runs:
        run.clear_up()
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    reader = _output(sys.executable, FIND_READER).splitlines()[-1]
    judged = subprocess.run([reader, "-I", "-W", "ignore", "-c", JUDGE, root], env=environ, stdout=subprocess.PIPE)
    if judged.returncode:
        sys.exit("TensorFlow 1.15 found an export that is not whole.")
    return {"kills": kills, **json.loads(judged.stdout.splitlines()[-1])}


class Run:
    """One folder, in which writers export one model, each until it is killed.

    Args:
        root, models: folders, for the runs and of the exported models.
        model: str, the model's name.
        same: whether each export overwrites the one before.
        first: int, the number of the first export; a float32 holds it and 10,000 more for each kill.
    """

    def __init__(self, root, models, model, same, first):
        self._root, self._same, self._next = root, same, first
        self._folder = os.path.join(root, f"{model}-{'same' if same else 'numbered'}")
        with open(os.path.join(models, model + ".meta"), "rb") as file:
            self._meta_graph = file.read()
        # Read in a process of its own: this one must not run an op.
        self._shapes = _shapes_of(os.path.join(models, model))

    def write(self, number, manager=None):
        """Writes one export, in which each value is the number."""
        prefix = os.path.join(self._folder, "net" if self._same else f"net-{number:06d}")
        tensors = {name: np.full(shape, number).astype(dtype) for name, (shape, dtype) in self._shapes.items()}
        write_checkpoint(prefix, tensors, self._meta_graph, {"number": number})
        if manager is not None:
            manager.add(prefix, is_best=number % 7 == 0)

    def kill_a_writer(self, kill, chance):
        """Starts a writer, kills it once it has written something, and copies what it leaves."""
        if kill < 6:
            self._finish(self._fork(lambda: self.write(0)))
        before = self._state()
        pid = self._fork(self._write_for_ever)
        while self._state() == before:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.15)
        os.kill(pid, signal.SIGKILL)
        assert self._finish(pid), "a writer failed by itself"
        self._next += 10_000
        # What is overwritten is replaced, never changed: links are copies.
        shutil.copytree(self._folder, os.path.join(self._root, f"copy-{kill:04d}"), copy_function=os.link)

    def clear_up(self):
        """The next write finds and removes what all the killed ones left."""
        self._finish(self._fork(lambda: self.write(9)))
        assert not self._leftovers(), self._leftovers()

    def _write_for_ever(self):
        manager = CheckpointManager(max_to_keep=2)
        for number in range(self._next, self._next + 10_000):
            self.write(number, manager)

    def _state(self):
        with open(os.path.join(self._folder, "checkpoint"), "rb") as file:
            return os.fstat(file.fileno()).st_ino, file.read()

    def _leftovers(self):
        return [name for name in os.listdir(self._folder) if name.startswith(".gensynth-tmp-")]

    def _fork(self, task):
        pid = os.fork()
        if pid:
            return pid
        try:
            task()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)

    def _finish(self, pid):
        status = os.waitpid(pid, 0)[1]
        assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)


def _shapes_of(prefix):
    program = (
        "import json, sys, tensorflow as tf; r = tf.train.load_checkpoint(sys.argv[1]); "
        "d = r.get_variable_to_dtype_map(); "
        "print(json.dumps({n: (s, d[n].name) for n, s in r.get_variable_to_shape_map().items()}))"
    )
    return json.loads(_output(sys.executable, "-W", "ignore", "-c", program, prefix))


def _output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    main()
