"""What abandoned writes left is removed by the next write; what another writer works on is not."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from needs import in_tf1

from keras_gensynth_callback.checkpoint import read_tensors, scratch, write_checkpoint

pytestmark = in_tf1


def write(prefix, number=1):
    write_checkpoint(prefix, {"w": np.float32([number])}, b"graph", {})


def hidden(folder):
    return [name for name in os.listdir(folder) if name.startswith(".")]


def leave_behind(folder, host=None, pid=None, run="0123abcd"):
    """Makes a scratch folder with a file in it, as a writer that was killed leaves it."""
    host = host or scratch.new_name().split("-")[2]
    path = folder / f".gensynth-tmp-{host}-{pid}-{run}-0"
    (path / "new").mkdir(parents=True)
    (path / "new" / "net.index").write_bytes(b"half")
    return path


@pytest.fixture
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_dead_process_left_is_removed(tmp_path, dead_pid):
    leave_behind(tmp_path, pid=dead_pid)
    write(tmp_path / "net")
    assert hidden(tmp_path) == []


def test_a_temporary_state_file_of_a_dead_process_is_removed(tmp_path, dead_pid):
    leave_behind(tmp_path, pid=dead_pid).rename(tmp_path / "elsewhere")
    name = scratch.new_name().replace(f"-{os.getpid()}-", f"-{dead_pid}-")
    (tmp_path / name).write_bytes(b"half a state file")
    write(tmp_path / "net")
    assert hidden(tmp_path) == []


def test_what_an_earlier_process_of_the_same_id_left_is_removed(tmp_path):
    leave_behind(tmp_path, pid=os.getpid())
    write(tmp_path / "net")
    assert hidden(tmp_path) == []


def test_what_a_living_process_works_on_is_left_alone(tmp_path):
    path = leave_behind(tmp_path, pid=os.getppid())
    write(tmp_path / "net")
    assert hidden(tmp_path) == [path.name]
    assert (path / "new" / "net.index").read_bytes() == b"half"


def test_on_another_machine_age_decides(tmp_path, dead_pid):
    old = leave_behind(tmp_path, host="ffffffff", pid=dead_pid)
    young = leave_behind(tmp_path, host="eeeeeeee", pid=dead_pid)
    yesterday = time.time() - scratch.STALE_AFTER_SECONDS - 60
    os.utime(old, (yesterday, yesterday))
    write(tmp_path / "net")
    assert hidden(tmp_path) == [young.name]


def test_hidden_files_of_others_are_left_alone(tmp_path):
    for name in [".gensynth-tmp", ".gensynth-tmp-notes", ".net.swp"]:
        (tmp_path / name).write_bytes(b"mine")
    write(tmp_path / "net")
    assert sorted(hidden(tmp_path)) == [".gensynth-tmp", ".gensynth-tmp-notes", ".net.swp"]


def test_threads_of_one_process_do_not_disturb_each_other(tmp_path):
    failures = []

    def export(name):
        try:
            for number in range(8):
                write(tmp_path / name, number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=export, args=(name,)) for name in ["a", "b", "same", "same"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert hidden(tmp_path) == []
    listed = tf.train.get_checkpoint_state(tmp_path).all_model_checkpoint_paths
    assert sorted(os.path.basename(path) for path in listed) == ["a", "b", "same"]
    assert all(read_tensors(path)["w"] == [7] for path in listed)
