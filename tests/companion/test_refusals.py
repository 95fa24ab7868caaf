"""What cannot be exported from JAX or Torch is refused before training, in words; and what happens when a process
ends.
"""

import json
import os
import pathlib
import signal
import time

import other_backends
import pytest
from needs import outside_matrix

pytestmark = outside_matrix(reason="runs programs in a Python with JAX or Torch")

HERE = pathlib.Path(__file__).parent
FUNCTIONS = {"jax": ("jax.numpy.exp", "jax.random.normal"), "torch": ("torch.exp", "torch.randn")}


@pytest.fixture(scope="module", params=other_backends.BACKENDS)
def refused(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    other_backends.run(request.param, HERE / "refused_program.py", root)
    return request.param, json.loads((root / "facts.json").read_text())


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("calls", ["`level` of class Exponential calls `{0}` in `own_exp`", "own_layers.py", "`keras.ops`"]),
        ("constant", ["`level` of class ConstantNoise calls `{1}` in `noise`", "own_layers.py"]),
        ("loss", ["`own_loss`", "calls `{0}` in `own_exp`"]),
        ("step", ["class OwnStep of the model `net` has a `train_step` of its own", "`compute_loss`"]),
        ("config", ["The model `net`", "made again from its configuration", "level/kernel (3, 2)", "`get_config`"]),
        ("local", ["`local_class.<locals>.Hidden` of the module `own_layers`", "at the top of a module"]),
    ],
)
def test_a_model_is_refused_before_its_first_step(refused, case, words):
    backend, facts = refused
    name, said, untouched = facts[case]
    assert name == "UnsupportedModelError" and untouched
    for word in words:
        assert word.format(*FUNCTIONS[backend]) in said, said


def test_what_is_called_before_the_model_is_goes_along(refused):
    assert os.path.exists(refused[1]["beforehand"] + ".meta")


def test_an_own_step_of_training_is_no_matter_in_inference(refused):
    assert os.path.exists(refused[1]["inference"] + ".meta")


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Of one backend: the processes are the same with the other."""
    root = tmp_path_factory.mktemp("ended")
    done = other_backends.run("jax", HERE / "ended_program.py", root, fails=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return json.loads((root / "facts.json").read_text())


def test_an_interrupt_is_for_the_program_alone(ended):
    assert ended["survives an interrupt"]


def test_a_companion_that_ended_is_an_error_with_the_way_out(ended):
    name, said, another = ended["error"]
    assert name == "CompanionError" and another
    assert "has ended with status -9" in said and "Begin the training or the export again" in said


def test_training_goes_on_where_that_is_asked_for_and_the_next_export_has_another_companion(ended):
    assert any("status -9" in words and "training goes on" in words for words in ended["warned"])
    assert ended["exported after that"][-1] == "net-2-4"


def test_a_companion_ends_with_the_program(ended):
    deadline = time.monotonic() + 60
    while _runs(ended["companion"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(ended["companion"])


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody waited for is dead as well.
    status = pathlib.Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
