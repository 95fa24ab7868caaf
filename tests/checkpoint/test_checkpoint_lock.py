"""Two processes on one folder take turns, and two trainings of one series are told apart."""

import copy
import os
import subprocess
import sys
import textwrap

import pytest
import tensorflow as tf
from needs import in_tf1

from keras_gensynth_callback.checkpoint import claim, lock
from keras_gensynth_callback.errors import CheckpointWriteError, FolderInUseError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

pytestmark = [in_tf1, pytest.mark.skipif(lock.fcntl is None, reason="there are no locks of this kind")]


class Other:
    """A process that holds what its program takes until it is told to end."""

    def __init__(self, program, *args):
        code = "import sys\nfrom keras_gensynth_callback.checkpoint import lock\n" + textwrap.dedent(program)
        command = [sys.executable, "-W", "ignore", "-c", code] + [str(arg) for arg in args]
        environ = dict(os.environ, PYTHONPATH=ROOT)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout.readline() == "taken\n"

    def end(self, kill=False):
        if kill:
            self.process.kill()
        self.process.communicate("\n")


CLAIMS = """
    held = lock.claim(sys.argv[1], "net-{epoch}")
    print("taken", flush=True)
    sys.stdin.readline()
"""
LOCKS = """
    with lock.locked(sys.argv[1]):
        print("taken", flush=True)
        sys.stdin.readline()
        open(sys.argv[1] + "/order", "w").write("first")
"""


@pytest.fixture
def other(tmp_path):
    process = Other(CLAIMS, tmp_path)
    yield process
    process.end()


def test_a_series_that_another_process_writes_is_refused_by_its_name_and_number(tmp_path, other):
    with pytest.raises(FolderInUseError) as caught:
        claim(str(tmp_path), "net-{epoch}")
    said = str(caught.value)
    assert f"Exports named 'net-{{epoch}}' in the folder {str(tmp_path)!r} are written by another training" in said
    assert f", process {other.process.pid}, at this moment" in said
    assert "Wait until it has ended, or choose another `filepath`." in said
    assert isinstance(caught.value, CheckpointWriteError)


def test_another_series_in_the_same_folder_is_free(tmp_path, other):
    assert claim(str(tmp_path), "best")


@pytest.mark.parametrize("kill", [False, True])
def test_what_a_process_had_is_free_once_it_ended(tmp_path, kill):
    Other(CLAIMS, tmp_path).end(kill)
    held = claim(str(tmp_path), "net-{epoch}")
    assert len(os.listdir(tmp_path)) == 1
    del held
    assert os.listdir(tmp_path) == []


def test_within_a_process_a_claim_is_shared_and_lasts_as_long_as_anybody_has_it(tmp_path):
    one = claim(str(tmp_path), "net")
    other, another = claim(str(tmp_path), "net"), copy.deepcopy(one)
    assert one is other is another
    del one, other
    assert len(os.listdir(tmp_path)) == 1
    del another
    assert os.listdir(tmp_path) == []


def test_a_fork_that_ends_gives_nothing_up(tmp_path):
    held = claim(str(tmp_path), "net-{epoch}")
    pid = os.fork()
    if not pid:
        del held
        os._exit(0)
    os.waitpid(pid, 0)
    assert len(os.listdir(tmp_path)) == 1
    code = f"from keras_gensynth_callback.checkpoint import claim\nclaim({str(tmp_path)!r}, 'net-{{epoch}}')"
    command, environ = [sys.executable, "-W", "ignore", "-c", code], dict(os.environ, PYTHONPATH=ROOT)
    done = subprocess.run(command, env=environ, stderr=subprocess.PIPE, text=True)
    assert f"written by another training, process {os.getpid()}," in done.stderr


def test_changes_of_the_state_wait_for_those_of_another_process(tmp_path):
    other = Other(LOCKS, tmp_path)
    other.process.stdin.write("\n")
    other.process.stdin.flush()
    with lock.locked(str(tmp_path)):
        assert (tmp_path / "order").read_text() == "first"
        with lock.locked(str(tmp_path)):
            assert tf.io.gfile.exists(str(tmp_path / "order"))
    other.end()


def test_a_folder_that_is_not_there_and_a_store_lock_nobody_out(tmp_path):
    with lock.locked(str(tmp_path / "missing")), lock.locked("ram://exports"):
        assert claim("ram://exports", "net") is not None
