"""One job at a time, at most one waiting, and no failure lost, whoever asks and whenever the interpreter ends."""

import copy
import functools
import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest
from needs import in_tf1

from keras_gensynth_callback.training import one_core
from keras_gensynth_callback.training.export_queue import Export, Exports
from keras_gensynth_callback.training.one_core import OneCore
from keras_gensynth_callback.training.writer_thread import Writer

pytestmark = in_tf1


class Record:
    prefix, size = "net", 1 << 20


class Gate:
    """What `write` is given to: begins when the writer calls it, ends when the test lets it."""

    def __init__(self, error=None):
        self.begun, self.may_end, self.error = threading.Event(), threading.Event(), error
        self.thread = None

    def __call__(self):
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.may_end.wait(60)
        if self.error is not None:
            raise self.error
        return Record()


def export(write, epoch=1, hope=None, committed=lambda export: None):
    return Export(write, f"net-{epoch}", epoch, hope, committed)


def opened(error=None):
    gate = Gate(error)
    gate.may_end.set()
    return gate


def join_threads():
    for thread in [thread for thread in threading.enumerate() if thread.name == "gensynth-export"]:
        thread.join(60)


def test_jobs_run_in_their_order_in_one_thread_that_is_not_the_callers():
    writer, done = Writer(), []
    jobs = [export(opened(), epoch, committed=lambda job: done.append(job)) for epoch in range(5)]
    gates = [job._write for job in jobs]
    for job in jobs:
        writer.start(job)
    writer.wait()
    assert done == jobs == writer.take_finished()
    assert threading.current_thread() not in {gate.thread for gate in gates}
    assert writer.take_finished() == []


def test_a_slot_is_free_while_one_is_written_and_none_waits():
    writer, gates = Writer(), [Gate(), Gate()]
    writer.wait_for_slot()
    writer.start(export(gates[0]))
    assert gates[0].begun.wait(60)
    writer.wait_for_slot()
    writer.start(export(gates[1]))
    third = threading.Thread(target=writer.wait_for_slot)
    third.start()
    third.join(0.2)
    assert third.is_alive(), "with one in hand and one waiting, the third must wait"
    gates[0].may_end.set()
    third.join(60)
    assert not third.is_alive(), "the second is in hand, so that the third may wait"
    assert gates[1].begun.wait(60)
    gates[1].may_end.set()
    writer.wait()


def test_no_thread_is_left_when_there_is_no_work():
    before, writer = threading.active_count(), Writer()
    writer.start(export(opened()))
    writer.wait()
    join_threads()
    assert threading.active_count() == before


def test_a_job_that_waits_for_all_jobs_does_not_wait_for_itself():
    writer = Writer()
    writer.start(export(opened(), committed=lambda job: writer.wait()))
    writer.wait()
    (job,) = writer.take_finished()
    assert job.error is None


def test_a_job_run_now_runs_behind_those_that_were_started():
    writer, order = Writer(), []
    gate = Gate()
    writer.start(export(gate, 1, committed=lambda job: order.append(1)))
    threading.Timer(0.1, gate.may_end.set).start()
    now = opened()
    writer.run(export(now, 2, committed=lambda job: order.append(2)))
    assert order == [1, 2]
    assert now.thread is threading.current_thread()


def test_a_copy_of_a_writer_has_no_jobs():
    writer = Writer()
    writer.run(export(opened()))
    assert copy.deepcopy(writer).take_finished() == []


def write_one(snapshot, error):
    if error is not None:
        raise error
    return Record()


def test_what_was_written_or_has_failed_no_longer_holds_its_snapshot():
    class Snapshot:
        pass

    for error in (None, OSError("disk full")):
        snapshot = Snapshot()
        alive = [True]
        weakref.finalize(snapshot, alive.clear)

        job = export(functools.partial(write_one, snapshot, error))
        del snapshot
        job()
        assert (job.error, alive) == (error, [])


def test_a_failure_that_nobody_asks_for_is_logged(caplog):
    writer = Writer()
    writer.start(export(opened(OSError("disk full")), epoch=3))
    writer.wait()
    join_threads()
    del writer
    gc.collect()
    assert "The export at epoch 3 failed, after training had ended. OSError: disk full" in caplog.text


AT_EXIT = """
import sys, time
from keras_gensynth_callback.training.writer_thread import Writer
from keras_gensynth_callback.training.export_queue import Export

def write():
    time.sleep(0.5)
    open(sys.argv[1], "w").close()
    raise OSError("disk full")

writer = Writer()
writer.start(Export(write, "net", 7, None, print))
{end}
"""


@pytest.mark.parametrize("end", ["", "raise KeyboardInterrupt", "sys.exit(3)", "del writer"])
def test_the_interpreter_ends_when_all_is_written_and_says_what_failed(tmp_path, end):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    command = [sys.executable, "-c", AT_EXIT.format(end=end), str(tmp_path / "written")]
    done = subprocess.run(command, env=dict(os.environ, PYTHONPATH=root), stderr=subprocess.PIPE, text=True)
    assert (tmp_path / "written").exists()
    assert "The export at epoch 7 failed, after training had ended. OSError: disk full" in done.stderr


# Exports


def test_the_first_error_is_raised_and_the_others_are_warnings():
    exports = Exports(True, "raise")
    for epoch in (1, 2):
        exports.start(export(opened(OSError(f"disk full at {epoch}")), epoch))
    with pytest.warns(UserWarning, match="The export at epoch 2 failed. OSError: disk full at 2"):
        with pytest.raises(OSError, match="disk full at 1"):
            exports.settle(wait=True)
    assert exports.settle() is False


def test_it_is_known_whether_the_newest_export_failed():
    exports = Exports(True, "warn")
    exports.start(export(opened(OSError("disk full"))))
    exports.start(export(opened(), 2))
    with pytest.warns(UserWarning, match="disk full"):
        assert exports.settle(wait=True) is False
    exports.start(export(opened(OSError("disk full"))))
    with pytest.warns(UserWarning, match="disk full"):
        assert exports.settle(wait=True) is True


def test_hope_is_the_best_value_on_its_way():
    exports, gate = Exports(True, "raise"), Gate()
    exports.start(export(gate, 1, hope=0.5))
    exports.start(export(opened(), 2))
    assert exports.hope == 0.5
    gate.may_end.set()
    exports.settle(wait=True)
    assert exports.hope is None


def test_an_interrupt_while_training_waits_for_the_files_goes_through():
    exports = Exports(False, "warn")
    exports.start(export(opened(KeyboardInterrupt())))
    with pytest.raises(KeyboardInterrupt):
        exports.settle()


# One core


@pytest.fixture
def one_processor(monkeypatch):
    """A machine with one core, and clocks that the test moves."""
    clocks = {"wall": 0.0, "processor": 0.0}
    monkeypatch.setattr(one_core.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(one_core.time, "perf_counter", lambda: clocks["wall"])
    monkeypatch.setattr(one_core.time, "process_time", lambda: clocks["processor"])
    monkeypatch.setattr(one_core, "seconds_to_copy", lambda size: 0.2)
    return clocks


@pytest.mark.parametrize("waited, aside", [(0.5, True), (0.1, False)])
def test_on_one_core_the_first_export_decides_whether_the_next_are_written_aside(one_processor, waited, aside):
    def write():
        one_processor["wall"] += 1.0 + waited
        one_processor["processor"] += 1.0
        return Record()

    exports, here = Exports(True, "raise"), threading.current_thread()
    threads = []
    for _ in range(3):
        exports.start(export(write, committed=lambda job: threads.append(threading.current_thread())))
        exports.settle(wait=True)
    assert [thread is not here for thread in threads] == [False, aside, aside]


def test_on_one_core_an_export_that_failed_decides_nothing(one_processor):
    core = OneCore()
    core.measure(lambda: 0)
    assert not core.writes_aside
    core.measure(lambda: one_processor.update(wall=5.0) or 1000)
    assert core.writes_aside


def test_the_time_of_a_copy_grows_with_its_size():
    assert one_core.seconds_to_copy(1 << 30) > one_core.seconds_to_copy(1 << 20) > 0


def test_on_several_cores_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(one_core.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(time, "process_time", None)
    exports = Exports(True, "raise")
    gate = opened()
    exports.start(export(gate))
    exports.settle(wait=True)
    assert gate.thread is not threading.current_thread()
