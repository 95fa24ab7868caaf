"""Programs around the thread that writes: they end, fork, run twice, and clocks jump; no export is lost."""

import json
import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import tensorflow as tf

from keras_gensynth_callback.checkpoint import (
    CheckpointManager,
    changed_files,
    read_manifest,
    read_tensors,
    state,
    write_checkpoint,
)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the programs are forks of one")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERIES = {"filepath": "net-{epoch}"}

# Imports TensorFlow once, runs no op, and forks: each fork goes on with the program, by arguments of its own.
HARNESS = """
import json, os, sys, threading
import numpy as np
from keras_gensynth_callback.training.writer_thread import Writer
from keras_gensynth_callback.checkpoint import CheckpointManager, claim, storage, write_checkpoint
from keras_gensynth_callback.training.export_queue import Export

may_begin, beginning = os.pipe()
forks = []
for arguments in json.loads(sys.argv[1]):
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(beginning)
        os.read(may_begin, 1)  # ends where there is nobody to write
        break
    forks.append(pid)
else:
    os.close(beginning)
    print(json.dumps([os.waitpid(pid, 0)[1] for pid in forks]), flush=True)
    os._exit(0)
folder = arguments[0]


def write(base, number):
    prefix = os.path.join(folder, base)
    write_checkpoint(prefix, {"w": np.full([50], number, np.float32)}, b"graph %d" % number, {"number": number})


def export(base, number, before=lambda: None):
    return Export(lambda: (before(), write(base, number))[-1], base, number, None, print)
"""


def run_forks(program, cases):
    """The statuses of forks that run a program, all at once, and what they said; `cases` is a list of arguments."""
    command = [sys.executable, "-W", "ignore", "-c", HARNESS + textwrap.dedent(program), json.dumps(cases)]
    environ = dict(os.environ, PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL="3")
    pipe = subprocess.PIPE
    done = subprocess.run(command, env=environ, stdout=pipe, stderr=pipe, text=True, timeout=600)
    assert done.stdout, done.stderr
    statuses = json.loads(done.stdout.splitlines()[-1])
    return [os.WEXITSTATUS(s) if os.WIFEXITED(s) else -os.WTERMSIG(s) for s in statuses], done.stderr


def number_in(prefix):
    """The number that all parts of a whole export agree on."""
    manifest = read_manifest(prefix)
    assert changed_files(prefix, manifest) == []
    assert set(read_tensors(prefix)["w"].tolist()) == {manifest["number"]}
    with open(f"{prefix}.meta", "rb") as file:
        assert file.read() == b"graph %d" % manifest["number"]
    return manifest["number"]


def nothing_is_hidden_after_another_write(folder):
    write_checkpoint(folder / "another", {"w": np.ones([1])}, b"graph", {"number": 1})
    return not [name for name in os.listdir(folder) if name.startswith(".")]


# The end of a program

# The writer stops at its n-th call of the disk until the main thread is about to end.
ENDS = """
    _, end, number = arguments
    write("net", 1)
    stopped, goes_on, calls = threading.Event(), threading.Event(), [0]


    def counted(original):
        def call(*args):
            calls[0] += 1
            if calls[0] == number:
                stopped.set()
                goes_on.wait()
            return original(*args)
        return call


    def count():
        for name in ("write_file", "move", "link", "remove", "sync_folder", "make_new_folder"):
            setattr(storage, name, counted(getattr(storage, name)))


    writer = Writer()
    writer.start(export("net", 2, count))
    stopped.wait()
    if end == "os._exit":
        os._exit(5)
    goes_on.set()
    if end == "sys.exit":
        sys.exit(5)
    raise RuntimeError("the program ends")
"""
CALLS = [2, 6, 10, 14, 18]


@needs_fork
def test_a_program_that_ends_while_the_thread_writes_leaves_a_whole_export(tmp_path):
    cases = [("sys.exit", 6), ("exception", 10), *(("os._exit", call) for call in CALLS)]
    folders = [tmp_path / f"{end}-{call}" for end, call in cases]
    statuses, _ = run_forks(ENDS, [[str(folder), *case] for folder, case in zip(folders, cases)])
    assert statuses == [5, 1] + [5] * len(CALLS)
    for folder, (end, _) in zip(folders, cases):
        # Until the next write the state file may name the folder in which the export before stands.
        (listed,) = state.listed(str(folder))
        left = number_in(folder / listed)
        assert nothing_is_hidden_after_another_write(folder)
        assert number_in(folder / "net") == left
        # The interpreter waits for the thread; `os._exit` waits for nothing.
        assert left == 2 if end != "os._exit" else left in (1, 2)


# Two programs

TRAINS = """
    _, filepath, first = arguments
    manager = CheckpointManager(max_to_keep=3, series={"filepath": filepath})
    held = claim(folder, filepath)
    manager.restore(folder)
    for number in range(first, first + 20):
        prefix = os.path.join(folder, filepath.format(epoch=number))
        manifest = {"number": number, "retention": manager.label()}
        write_checkpoint(prefix, {"w": np.full([50], number, np.float32)}, b"graph %d" % number, manifest)
        manager.add(prefix)
"""


@needs_fork
def test_two_trainings_of_two_series_in_one_folder_lose_nothing(tmp_path):
    statuses, said = run_forks(TRAINS, [[str(tmp_path), "a-{epoch}", 0], [str(tmp_path), "b-{epoch}", 100]])
    assert statuses == [0, 0], said
    kept = [f"a-{number}" for number in (17, 18, 19)] + [f"b-{number}" for number in (117, 118, 119)]
    assert sorted(state.listed(str(tmp_path))) == kept
    assert [number_in(tmp_path / base) for base in kept] == [17, 18, 19, 117, 118, 119]
    assert sorted(path.stem for path in tmp_path.glob("*.index")) == kept
    assert nothing_is_hidden_after_another_write(tmp_path)


@needs_fork
def test_of_two_trainings_of_one_series_one_is_locked_out_in_words_or_both_are_whole(tmp_path):
    statuses, said = run_forks(TRAINS, [[str(tmp_path), "net-{epoch}", first] for first in (0, 100)])
    assert 0 in statuses
    assert statuses.count(1) == said.count("FolderInUseError: Exports named 'net-{epoch}'")
    listed = state.listed(str(tmp_path))
    assert len(listed) == 3
    for base in listed:
        assert f"net-{number_in(tmp_path / base)}" == base
    assert sorted(path.stem for path in tmp_path.glob("*.index")) == sorted(listed)


# Forks

POOL = """
    import multiprocessing

    stopped, goes_on = threading.Event(), threading.Event()
    original = storage.move


    def move(*args):
        stopped.set()
        goes_on.wait()
        return original(*args)


    storage.move = move
    writer = Writer()
    writer.start(export("net", 1))
    writer.start(export("net", 2))
    stopped.wait()  # the thread is in the middle of an export, and holds the folder's lock
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(abs, range(-50, 0))
        goes_on.set()
        found += pool.map(abs, range(-50, 0))
        writer.wait()
    sys.exit(0 if sum(found) == 2550 else 1)
"""


@needs_fork
def test_a_pool_of_forks_neither_waits_for_the_thread_that_writes_nor_disturbs_it(tmp_path):
    statuses, said = run_forks(POOL, [[str(tmp_path)]])
    assert statuses == [0], said
    assert number_in(tmp_path / "net") == 2
    assert nothing_is_hidden_after_another_write(tmp_path)


# Clocks and folders


def write(folder, number, manager):
    manifest = {"number": number, "retention": manager.label()}
    tensors = {"w": np.full([50], number, "float32")}
    write_checkpoint(folder / f"net-{number}", tensors, b"graph %d" % number, manifest)
    manager.add(folder / f"net-{number}")


@pytest.mark.parametrize("times", [[9e8, 8e8, 7e8, 6e8], [5e9, 1.0, 6e9, 2.0], [0.0, 0.0, 0.0, 0.0]])
@pytest.mark.parametrize("options", [{}, {"keep_checkpoint_every_n_hours": 1e9}])
def test_a_clock_that_jumps_between_exports_does_not_change_which_are_the_newest(tmp_path, monkeypatch, times, options):
    manager = CheckpointManager(max_to_keep=2, series=SERIES, **options)
    for number, moment in enumerate(times):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        write(tmp_path, number, manager)
    assert state.listed(str(tmp_path)) == ["net-2", "net-3"]
    # So does the next program, whose clock is another.
    monkeypatch.setattr(time, "time", lambda: 3e8)
    again = CheckpointManager(max_to_keep=2, series=SERIES, **options)
    again.restore(str(tmp_path))
    write(tmp_path, 4, again)
    assert state.listed(str(tmp_path))[-2:] == ["net-3", "net-4"]
    assert [number_in(tmp_path / base) for base in ("net-3", "net-4")] == [3, 4]
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "net-4")


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_folder_that_becomes_a_link_between_two_exports_goes_on_where_the_link_leads(tmp_path):
    folder, manager = tmp_path / "exports", CheckpointManager(max_to_keep=2, series=SERIES)
    folder.mkdir()
    for number in (1, 2):
        write(folder, number, manager)
    os.rename(folder, tmp_path / "large")
    os.symlink(tmp_path / "large", folder)
    for number in (3, 4):
        write(folder, number, manager)
    assert manager.checkpoints == [str(folder / "net-3"), str(folder / "net-4")]
    assert sorted(path.stem for path in (tmp_path / "large").glob("*.index")) == ["net-3", "net-4"]
    assert [number_in(tmp_path / "large" / f"net-{number}") for number in (3, 4)] == [3, 4]


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_folder_that_is_replaced_by_a_link_to_a_strangers_folder_removes_nothing_there(tmp_path):
    folder, other, manager = tmp_path / "exports", tmp_path / "other", CheckpointManager(max_to_keep=1, series=SERIES)
    for place in (folder, other):
        place.mkdir()
    write(other, 1, CheckpointManager(series={"filepath": "other"}))
    (other / "net-1.data-00000-of-00001").write_bytes(b"the user's own")
    before = {path.name: path.read_bytes() for path in other.iterdir() if path.name != "checkpoint"}
    write(folder, 1, manager)
    os.rename(folder, tmp_path / "aside")
    os.symlink(other, folder)
    write(folder, 2, manager)  # net-1 was the one to be removed
    assert before.items() <= {path.name: path.read_bytes() for path in other.iterdir()}.items()
    assert number_in(other / "net-2") == 2
    assert json.loads((tmp_path / "aside" / "net-1.json").read_text())["number"] == 1
