"""What the process does around the thread that writes: no thread to be had, a fork, another working directory."""

import logging
import os
import threading

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from needs import needs

from keras_gensynth_callback import GenSynthExportCallback
from keras_gensynth_callback.checkpoint import changed_files, claim, lock, read_manifest, state, write_checkpoint
from keras_gensynth_callback.errors import CheckpointWriteError
from keras_gensynth_callback.training.export_queue import Export, Exports
from keras_gensynth_callback.training.writer_thread import Writer

pytestmark = needs(both=True, reason="trains a model of tf_keras")

X = np.ones((4, 3), "float32")


class Record:
    prefix, size = "net", 1


def export(write, epoch=1):
    return Export(write, f"net-{epoch}", epoch, None, lambda job: None)


def fit(callbacks, epochs=2):
    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], epochs=epochs, verbose=0, callbacks=callbacks)


@pytest.fixture
def no_threads(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_where_no_thread_can_be_started_the_export_is_written_now(no_threads, caplog):
    exports, threads = Exports(True, "raise"), []
    for epoch in (1, 2):
        exports.wait_for_slot()
        exports.start(export(lambda: threads.append(threading.current_thread()) or Record(), epoch))
        exports.settle(wait=True)
    assert threads == [threading.main_thread()] * 2
    assert caplog.text.count("No thread can be started (can't start new thread)") == 2


def test_a_ctrl_c_while_the_thread_is_started_leaves_a_writer_that_works(monkeypatch):
    def interrupted(thread):
        raise KeyboardInterrupt

    exports, done = Exports(True, "raise"), []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            exports.start(export(lambda: done.append(1) or Record()))
    exports.start(export(lambda: done.append(2) or Record(), 2))
    exports.settle(wait=True)
    assert done == [2]
    assert exports.hope is None


def test_a_training_without_threads_writes_all_its_exports(tmp_path, monkeypatch):
    export, start = GenSynthExportCallback(tmp_path / "net-{epoch}"), threading.Thread.start

    def refuse(thread):
        if thread.name == "gensynth-export":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    fit([export])
    assert [os.path.basename(prefix) for prefix in export.checkpoints] == ["net-1", "net-2"]


# Forks


def in_a_fork(task):
    """Runs a task in a fork of this process; whether it ended well."""
    pid = os.fork()
    if not pid:
        try:
            os._exit(0 if task() else 1)
        finally:
            os._exit(2)
    return os.waitpid(pid, 0)[1] == 0


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:os.fork:RuntimeWarning")
def test_a_fork_waits_for_nothing_that_its_parent_writes():
    writer, may_end = Writer(), threading.Event()
    writer.start(export(lambda: may_end.wait(60) and Record()))

    def task():
        writer.wait()
        writer.wait_for_slot()
        return writer.take_finished() == []

    assert in_a_fork(task)
    may_end.set()
    writer.wait()
    assert len(writer.take_finished()) == 1


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:os.fork:RuntimeWarning")
def test_a_fork_neither_holds_nor_breaks_the_locks_of_its_parent(tmp_path):
    folder, held, may_end = str(tmp_path), threading.Event(), threading.Event()
    (tmp_path / "scratch").mkdir()

    def hold():
        with lock.locked(folder), lock.held(f"{folder}/scratch"):
            held.set()
            may_end.wait(60)

    thread = threading.Thread(target=hold)
    claimed = claim(folder, "net")
    thread.start()
    held.wait(60)

    def task():
        return lock.is_held(f"{folder}/scratch") and not lock._flock(os.open(folder, os.O_RDONLY), wait=False)

    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:  # lives on while its parent lets its locks go
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    assert in_a_fork(task)
    may_end.set()
    thread.join()
    del claimed
    # A process that was killed says nothing to its locks: the descriptors of its forks must not keep them.
    assert not lock.is_held(f"{folder}/scratch")
    assert lock._flock(os.open(folder, os.O_RDONLY), wait=False)
    os.close(writing)
    os.waitpid(pid, 0)


# The working directory


class Moves(tf_keras.callbacks.Callback):
    """A callback of the user's that changes the working directory."""

    def __init__(self, folder):
        super().__init__()
        self._folder = folder

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            os.chdir(self._folder)


@pytest.mark.parametrize("folder", ["exports", "."])
def test_a_relative_filepath_means_the_working_directory_in_which_fit_begins(tmp_path, monkeypatch, folder):
    for name in ("home", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "home")
    told = []
    template = os.path.join(folder, "net-{epoch}") if folder != "." else "net-{epoch}"
    export = GenSynthExportCallback(template, max_to_keep=2, on_export=lambda record: told.append(record.prefix))
    fit([Moves(tmp_path / "elsewhere"), export], epochs=3)
    home = tmp_path / "home" / folder
    assert os.listdir(tmp_path / "elsewhere") == []
    assert state.listed(str(home)) == ["net-2", "net-3"]
    assert export.checkpoints == [os.path.join(tmp_path / "home", template.format(epoch=epoch)) for epoch in (2, 3)]
    assert told[-1] == export.latest_checkpoint
    for prefix in export.checkpoints:
        assert changed_files(prefix, read_manifest(prefix)) == []
    os.chdir(tmp_path / "home")
    assert export.latest_checkpoint == template.format(epoch=3)
    assert 'model_checkpoint_path: "net-3"' in (home / "checkpoint").read_text()


def test_a_working_directory_that_was_removed_is_an_error_before_training(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(CheckpointWriteError, match="is relative to the working directory, which is not there any more"):
        fit([GenSynthExportCallback("net")])


def test_a_folder_that_becomes_a_link_while_training_goes_on_is_followed(tmp_path):
    """As a user does who moves exports to a larger disk."""

    class Move(tf_keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                export.wait_until_finished()
                os.rename(tmp_path / "exports", tmp_path / "large")
                (tmp_path / "large" / "mine").write_text("mine")
                os.symlink(tmp_path / "large", tmp_path / "exports")

    export = GenSynthExportCallback(tmp_path / "exports" / "net-{epoch}", max_to_keep=1)
    fit([Move(), export], epochs=3)
    assert sorted(path.name for path in (tmp_path / "large").glob("*.index")) == ["net-3.index"]
    assert (tmp_path / "large" / "mine").read_text() == "mine"
    assert tf.train.latest_checkpoint(tmp_path / "exports") == str(tmp_path / "exports" / "net-3")


# What the file layer says


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), tf.errors.UnavailableError(None, None, "x")]
)
@pytest.mark.parametrize("name", ["is_folder", "list_folder", "size", "kind"])
def test_errors_of_looking_are_errors_of_writing(tmp_path, monkeypatch, name, error):
    from keras_gensynth_callback.checkpoint import storage

    def failing(path):
        raise error

    write_checkpoint(tmp_path / "net", {"w": np.ones(1)}, b"graph", {})
    monkeypatch.setattr(storage, name, failing)
    with pytest.raises(CheckpointWriteError):
        write_checkpoint(tmp_path / "net", {"w": np.ones(1)}, b"graph", {})
    if name in ("is_folder", "list_folder"):
        with pytest.raises(CheckpointWriteError):
            fit([GenSynthExportCallback(tmp_path / "net")])


def test_nothing_is_said_to_the_log_by_a_training_that_goes_well(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "keras_gensynth_callback"):
        fit([GenSynthExportCallback(tmp_path / "net-{epoch}", max_to_keep=1)])
    assert not caplog.records
