"""A writer that is killed, at any moment, leaves a folder whose state file names a complete export.

The writers run in forks of one harness process, which imports TensorFlow but never runs an op: a fork is then safe, and
a hundred writers cost no hundred imports. In each export all tensors, the meta graph and the manifest hold one number.
After each kill the folder is copied as it stands; TensorFlow 1.15 then judges all copies.
"""

import json
import os
import subprocess
import sys

import pytest

HARNESS = '''
import json, os, random, shutil, signal, sys, time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np

from keras_gensynth_callback.checkpoint import CheckpointManager, changed_files, read_manifest, read_tensors
from keras_gensynth_callback.checkpoint import storage, write_checkpoint

STEPS = ["write_file", "move", "link", "remove", "sync_file", "sync_folder"]


def write(prefix, number):
    tensors = {name: np.full([50], number, np.float32) for name in ("a", "b", "c")}
    write_checkpoint(prefix, tensors, b"graph %d" % (number // 2), {"number": number})


def number_in(prefix):
    """The number that all parts of an export agree on."""
    manifest = read_manifest(prefix)
    assert changed_files(prefix, manifest) == [], prefix
    numbers = {float(n) for value in read_tensors(prefix).values() for n in value}
    assert numbers == {manifest["number"]}, (prefix, numbers, manifest)
    with open(prefix + ".meta", "rb") as file:
        assert file.read() == b"graph %d" % (manifest["number"] // 2), prefix
    return manifest["number"]


def forked(task, *args):
    """Runs a task in a process of its own, and returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        task(*args)
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)


def finish(pid):
    """Waits, and tells whether the process was killed."""
    status = os.waitpid(pid, 0)[1]
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, "a writer failed"
    return os.WIFSIGNALED(status)


def killed_at(step_to_die, task, *args):
    """Runs a task that kills itself right before its n-th step."""
    count = [0]

    def dying(original):
        def step(*step_args):
            count[0] += 1
            if count[0] == step_to_die:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*step_args)
        return step

    for name in STEPS:
        setattr(storage, name, dying(getattr(storage, name)))
    task(*args)


def nothing_hidden(folder):
    return not [name for name in os.listdir(folder) if name.startswith(".")]
'''

EVERY_STEP = """
root, listed = sys.argv[1], sys.argv[2] == "listed"
outcomes = []
start = os.path.join(root, "start")
for base, number in [("older", 2), ("net", 4)] if listed else [("net", 4), ("older", 2)]:
    if os.path.exists(start) and not listed:
        os.remove(os.path.join(start, "checkpoint"))
    finish(forked(write, os.path.join(start, base), number))
for step in range(1, 100):
    folder = os.path.join(root, "%03d" % step)
    prefix = os.path.join(folder, "net")
    shutil.copytree(start, folder)
    if not finish(forked(killed_at, step, write, prefix, 6)):
        break
    shutil.copytree(folder, os.path.join(root, "copy-%03d" % step))
    # Its successor is killed as well, somewhere in its clearing up or its writing, and the third clears up after both.
    finish(forked(killed_at, random.Random(step).randrange(1, 30), write, os.path.join(folder, "other"), 8))
    shutil.copytree(folder, os.path.join(root, "copy-%03d-again" % step))
    finish(forked(write, os.path.join(folder, "last"), 10))
    assert nothing_hidden(folder), os.listdir(folder)
    outcomes.append(number_in(prefix))
    assert number_in(os.path.join(folder, "older")) == 2
    assert number_in(os.path.join(folder, "last")) == 10
print(json.dumps(outcomes))
"""

RANDOM_MOMENTS = """
root, same_prefix = sys.argv[1], sys.argv[2] == "same"


def export_for_ever(folder, start):
    manager = CheckpointManager(max_to_keep=2)
    for number in range(start, 10**6):
        prefix = os.path.join(folder, "net" if same_prefix else "net-%06d" % number)
        write(prefix, number)
        manager.add(prefix, is_best=number % 7 == 0)


def newest(folder):
    with open(os.path.join(folder, "checkpoint"), "rb") as file:
        return os.fstat(file.fileno()).st_ino, file.read()


folder, chance, reached = os.path.join(root, "run"), random.Random(0), []
for kill in range(15):
    finish(forked(write, os.path.join(folder, "first"), 0))
    before = newest(folder)
    pid = forked(export_for_ever, folder, 1 + 1000 * kill)
    while newest(folder) == before:
        time.sleep(0.01)
    time.sleep(chance.random() / 3)
    os.kill(pid, signal.SIGKILL)
    assert finish(pid)
    shutil.copytree(folder, os.path.join(root, "copy-%02d" % kill))
finish(forked(write, os.path.join(folder, "first"), 0))
assert nothing_hidden(folder)
print(json.dumps([number_in(os.path.join(folder, "net"))] if same_prefix else []))
"""

JUDGE = """
import hashlib, json, os, sys
import tensorflow as tf

numbers = []
for name in sorted(name for name in os.listdir(sys.argv[1]) if name.startswith("copy")):
    folder = os.path.join(sys.argv[1], name)
    latest = tf.train.latest_checkpoint(folder)
    assert latest, (name, os.listdir(folder))
    for prefix in tf.train.get_checkpoint_state(folder).all_model_checkpoint_paths:
        with open(prefix + ".json", encoding="utf-8") as file:
            manifest = json.load(file)
        for base, record in manifest["files"].items():
            with open(os.path.join(os.path.dirname(prefix), base), "rb") as file:
                assert hashlib.sha256(file.read()).hexdigest() == record["sha256"], (prefix, base)
        values = tf.train.load_checkpoint(prefix)
        assert sorted(values.get_variable_to_shape_map()) == ["a", "b", "c"]
        for tensor in "abc":
            assert set(values.get_tensor(tensor).tolist()) == {manifest["number"]}, prefix
        if prefix == latest:
            numbers.append(manifest["number"])
print(json.dumps(numbers))
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forks of one process")


def run_harness(program, *args):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environ = dict(os.environ, PYTHONPATH=root)
    command = [sys.executable, "-W", "ignore", "-c", HARNESS + program] + [str(arg) for arg in args]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("listed", ["listed", "unlisted"])
def test_killed_at_every_step_of_an_overwrite(tmp_path, reader, listed):
    """`unlisted`: the export that is overwritten is one that the state file does not name."""
    outcomes = run_harness(EVERY_STEP, tmp_path, listed)
    assert len(outcomes) > 25
    # The export before, until the state file moves; from then on the new one.
    assert set(outcomes) == {4, 6}
    assert outcomes == sorted(outcomes)

    latest = json.loads(reader.run(JUDGE, tmp_path))
    assert len(latest) == 2 * len(outcomes)
    assert set(latest) <= {2, 4, 6, 8}


@pytest.mark.parametrize("prefixes", ["same", "numbered"])
def test_killed_at_random_moments(tmp_path, reader, prefixes):
    run_harness(RANDOM_MOMENTS, tmp_path, prefixes)
    latest = json.loads(reader.run(JUDGE, tmp_path))
    assert len(latest) == 15
    # Each writer got somewhere before it was killed, or the kills prove nothing.
    assert len(set(latest)) > 10
