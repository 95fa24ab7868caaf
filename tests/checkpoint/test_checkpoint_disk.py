"""What the disk refuses is an error that says what to do, and the last good export stands as it stood."""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from needs import in_tf1, needs

from keras_gensynth_callback.checkpoint import CheckpointManager, storage, values, write_checkpoint
from keras_gensynth_callback.errors import CheckpointWriteError

pytestmark = in_tf1

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def write(prefix, number=1, size=50):
    write_checkpoint(prefix, {"w": np.full([size], number, np.float32)}, b"graph", {})


def run(program, *args):
    command = [sys.executable, "-W", "ignore", "-c", program] + [str(arg) for arg in args]
    environ = dict(os.environ, PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL="3")
    return subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def contents(folder):
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}


def test_an_export_that_the_disk_cannot_hold_is_not_begun(tmp_path, monkeypatch):
    write(tmp_path / "net")
    before, usage = contents(tmp_path), collections.namedtuple("usage", "free")(1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    monkeypatch.setattr(values, "save_tensors", None)
    with pytest.raises(CheckpointWriteError) as caught:
        write(tmp_path / "net", 2, size=500_000)
    assert "it takes 2.0 MB, and 1.0 MB are free. The disk is full: free some space" in str(caught.value)
    assert contents(tmp_path) == before


@needs(tf="2.8", reason="earlier versions do not list `ram://` as a file system")
def test_the_size_of_values_is_counted_whatever_holds_them():
    tensors = {
        "a": tf.zeros([3], tf.bfloat16),
        "b": tf.Variable(1.0),
        "c": np.zeros([2, 2]),
        "d": tf.constant(["text"]),
    }
    assert values.size_of(dict(tensors, e=np.array([b"text"], object), f=np.float32(1))) == 6 + 4 + 32 + 4
    storage.check_space("ram://exports", 1 << 60)


LIMITED = """
import resource, sys
import numpy as np
from keras_gensynth_callback.checkpoint import write_checkpoint

write_checkpoint(sys.argv[1], {"w": np.zeros([10], np.float32)}, b"graph", {})
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    write_checkpoint(sys.argv[1], {"w": np.ones([1 << 20], np.float32)}, b"graph", {})
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.name == "nt", reason="there are no such limits")
def test_a_limit_of_file_size_leaves_the_export_that_stood_there(tmp_path):
    done = run(LIMITED, tmp_path / "net")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("CheckpointWriteError The checkpoint"), done.stdout
    assert "(what stood there before is intact): " in done.stdout
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert not tf.train.load_variable(str(tmp_path / "net"), "w").any()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB, for which one must be allowed to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], stderr=subprocess.PIPE)
    if mounted.returncode:
        pytest.skip("this process may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_while_it_is_written_to_leaves_the_export_that_stood_there(small_disk, monkeypatch):
    write(small_disk / "net")
    before = contents(small_disk)
    monkeypatch.setattr(storage, "check_space", lambda folder, needed: None)
    with pytest.raises(CheckpointWriteError, match="The disk is full: free some space, or keep fewer exports"):
        write(small_disk / "net", 2, size=1_000_000)
    assert contents(small_disk) == before
    write(small_disk / "net", 3)
    assert tf.train.load_variable(str(small_disk / "net"), "w")[0] == 3


def test_a_folder_that_was_removed_is_made_again_and_what_it_held_is_forgotten(tmp_path):
    manager = CheckpointManager(max_to_keep=2)
    for epoch in range(1, 5):
        prefix = tmp_path / "exports" / f"net-{epoch}"
        write(prefix, epoch)
        manager.add(prefix)
        if epoch == 2:
            shutil.rmtree(tmp_path / "exports")
    assert tf.train.latest_checkpoint(tmp_path / "exports") == str(prefix)
    assert len(tf.train.get_checkpoint_state(tmp_path / "exports").all_model_checkpoint_paths) == 2


@pytest.fixture
def read_only_folder():
    """A folder with an export, which this process may read and not write; not even as root."""
    # Not below the folder of pytest, where nobody else may look.
    with tempfile.TemporaryDirectory() as folder:
        write(os.path.join(folder, "net"))
        os.chmod(folder, 0o555)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(before)
            os.chmod(folder, 0o755)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no such users")
def test_a_folder_that_became_read_only_is_told_with_the_way_out(read_only_folder):
    before = contents(read_only_folder)
    with pytest.raises(CheckpointWriteError, match="Give this process the right to write there"):
        write(os.path.join(read_only_folder, "net"), 2)
    assert contents(read_only_folder) == before


def cannot_rename(*args, **kwargs):
    raise tf.errors.UnimplementedError(None, None, "rename; Function not implemented")


def test_a_file_system_that_cannot_rename_is_told_and_keeps_what_it_holds(tmp_path, monkeypatch):
    write(tmp_path / "net")
    before = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "rename", cannot_rename)
        with pytest.raises(CheckpointWriteError, match="cannot rename files, .*: choose another folder"):
            write(tmp_path / "net", 2)
    assert contents(tmp_path) == before


TERMINATED = """
import os, signal, sys, time
import numpy as np
from keras_gensynth_callback.training.writer_thread import Writer
from keras_gensynth_callback.checkpoint import write_checkpoint
from keras_gensynth_callback.training.export_queue import Export

if sys.argv[2] == "handled":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def write(number, seconds):
    time.sleep(seconds)
    write_checkpoint(sys.argv[1], {"w": np.full([10], number, np.float32)}, b"graph", {})


writer = Writer()
writer.run(Export(lambda: write(1, 0), "net", 1, None, print))
for number in (2, 3):
    writer.start(Export(lambda number=number: write(number, 1), "net", number, None, print))
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize("handled, number", [("handled", 3), ("unhandled", 1)])
def test_a_sigterm_leaves_the_newest_export_whole_and_if_handled_those_on_their_way(tmp_path, handled, number):
    done = run(TERMINATED, tmp_path / "net", handled)
    assert done.returncode == (143 if handled == "handled" else -15), done.stderr
    latest = tf.train.latest_checkpoint(tmp_path)
    assert tf.train.load_variable(latest, "w").tolist() == [number] * 10
