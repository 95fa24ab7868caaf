"""`run` trains with an unmodified script and exports; nothing else about the script changes."""

import functools
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from find_reader import clean_environ
from kerases import importable
from needs import needs

import keras_gensynth_callback
from keras_gensynth_callback import inspect_checkpoint
from keras_gensynth_callback.checkpoint import read_tensors

pytestmark = needs(tf="newest", reason="the command line is tested beside the newest TensorFlow")

PACKAGE = pathlib.Path(keras_gensynth_callback.__file__).parent

TRAIN = """
import sys
import numpy as np
import {keras} as keras

print("before", sys.argv)
model = keras.Sequential([keras.layers.Dense(1, input_shape=(3,), name="level")])
model.compile("sgd", "mse")
history = model.fit(np.ones((8, 3)), np.ones((8, 1)), 4, 2, 0)
np.save(sys.argv[1], model.get_weights()[0])
print("after", sorted(history.history))
sys.exit(7)
"""


def run(*arguments, before=(), cwd=None, python=sys.executable):
    """Runs `keras-gensynth run` in a process of its own."""
    command = [python, *before, "-m", "keras_gensynth_callback", "run", *map(str, arguments)]
    return finished(command, cwd)


def finished(command, cwd=None, environ=None):
    environ = environ or dict(os.environ, PYTHONPATH=str(PACKAGE.parent), PYTHONIOENCODING="utf-8")
    pipe = subprocess.PIPE
    return subprocess.run(command, cwd=cwd, env=environ, stdout=pipe, stderr=pipe, encoding="utf-8")


@pytest.fixture
def script(tmp_path):
    """Writes a script into a folder with a space and Unicode in its name; returns its path."""
    folder = tmp_path / "scripts of Zoë 中"
    folder.mkdir()

    def write(text):
        (folder / "train.py").write_text(text, encoding="utf-8")
        return folder / "train.py"

    return write


@pytest.mark.parametrize(
    "text",
    [
        "import sys; print(sys.argv, sys.path[0], __name__, __file__, __spec__, sorted(globals()))",
        "import sys; print('tensorflow' in sys.modules, 'click' in sys.modules, 'keras' in sys.modules)",
        "import pickle\nclass Net: pass\nprint(pickle.loads(pickle.dumps(Net())).__class__, 'é中')",
        "def fail():\n    raise ValueError('as it is: é中')\nfail()",
        "import sys; sys.exit(3)",
        "import sys; sys.exit('words')",
        "this is no Python",
        "raise KeyboardInterrupt",
        "import os, sys; print('unflushed', end=''); sys.stdout.flush(); os._exit(5)",
        "import sys; print(sys.stdin.read())",
        "import os; os.environ['X'] = '1'; import sys; sys.excepthook = lambda *a: print('mine', a[0]); 1 / 0",
    ],
)
def test_a_script_without_fit_does_what_it_does_without_us(script, text, tmp_path):
    path = script(text)
    arguments = ["--epochs", "2", "-h", "é 中", "--save-freq=9"]
    plain = finished([sys.executable, str(path), *arguments], tmp_path)
    ours = run("--export-to", "ex/net", path, *arguments, cwd=tmp_path)
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
    said = f"keras-gensynth: the script called no fit, and nothing was exported to {tmp_path / 'ex' / 'net'}\n"
    assert ours.stderr.replace(said, "") == plain.stderr
    assert (said in ours.stderr) == (plain.returncode == 0)  # else what went wrong says enough


def test_each_fit_exports_and_all_else_is_as_without(script, keras_name, tmp_path):
    path = script(TRAIN.format(keras=importable(keras_name)))
    done = run(path, tmp_path / "level.npy", "--export-to", "ex/net-{epoch}", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    before, after = done.stdout.splitlines()
    assert before == f"before {[str(path), str(tmp_path / 'level.npy')]}"
    assert after == "after ['loss']"
    assert sorted(path.name for path in (tmp_path / "ex").glob("*.meta")) == ["net-1.meta", "net-2.meta"]
    exported = read_tensors(tmp_path / "ex" / "net-2")
    np.testing.assert_array_equal(exported["level/kernel"], np.load(tmp_path / "level.npy"))
    assert "keras-gensynth" not in done.stderr


@pytest.mark.parametrize("before", ["tf.compat.v1.disable_eager_execution()", "tf.compat.v1.disable_v2_behavior()"])
@pytest.mark.slow
def test_in_graph_mode_too(script, keras2, before, tmp_path):
    lines = f"import tensorflow as tf\n{before}\n" + TRAIN.format(keras=importable(keras2.__name__.split(".")[0]))
    done = run(script(lines), tmp_path / "level.npy", "--export-to", "ex/net", "--save-freq", "1", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    assert inspect_checkpoint(tmp_path / "ex" / "net")["exported"]["epoch"] == 2


def test_inside_of_tensorflow_1_the_program_behind_it_does_the_same(script, reader, tmp_path):
    path = script(TRAIN.format(keras="tensorflow.keras"))
    options = f'{{"filepath": "{tmp_path / "net"}", "save_freq": "train_end"}}'
    command = [
        reader.python,
        "-W",
        "ignore",
        str(PACKAGE / "run" / "run_script.py"),
        options,
        str(path),
        str(tmp_path / "l.npy"),
    ]
    done = finished(command, environ=clean_environ())  # no path leads to the package
    assert done.returncode == 7, done.stderr
    assert done.stdout.endswith("after ['loss']\n")
    np.testing.assert_array_equal(read_tensors(tmp_path / "net")["level/kernel"], np.load(tmp_path / "l.npy"))


def test_a_second_model_has_a_prefix_of_its_own_and_the_options_are_those_of_the_callback(script, tmp_path):
    text = """
import numpy as np
import keras

class Quiet(keras.callbacks.Callback):
    pass

for units in (1, 2):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
    model.compile("sgd", "mse")
    callbacks = [Quiet()]
    model.fit(np.ones((8, 3)), np.ones((8, units)), epochs=3, verbose=0, callbacks=callbacks)
    assert len(callbacks) == 1
"""
    options = ["--max-to-keep", "1", "--save-freq", "epoch", "--inference", "--verbose", "--input", "?,3:float32"]
    done = run("--export-to", tmp_path / "net-{epoch}", *options, script(text))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in sorted(tmp_path.glob("*.meta"))] == ["net-3-2.meta", "net-3.meta"]
    assert "Epoch 3: saving model to" in done.stdout
    assert inspect_checkpoint(tmp_path / "net-3-2")["parameters"]["total"] == 8
    assert "train" not in inspect_checkpoint(tmp_path / "net-3-2")["signatures"]


def test_ctrl_c_ends_the_script_as_python_does(script):
    path = script("import time; print('ready', flush=True); time.sleep(60)")
    environ = dict(os.environ, PYTHONPATH=str(PACKAGE.parent))
    command = [sys.executable, "-m", "keras_gensynth_callback", "run", "--export-to", "ex/net", str(path)]
    # A test run in the background of a shell ignores the signal, and what it starts would, too.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, preexec_fn=heard) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)  # the process is the script's own
        said = process.communicate()[1].decode()
    assert process.returncode == -signal.SIGINT
    assert f'File "{path}", line 1' in said
    assert "run_script.py" not in said


def test_wrong_arguments_are_told_before_the_script_runs(script, run_command, tmp_path):
    path = script("print('ran')")
    for arguments, words in [
        ([path], "Missing option '--export-to'"),
        (["--export-to", "ex/net", tmp_path / "nope.py"], "There is no script"),
        (["--export-to", "ex/", path], "Add a name to it: 'ex/net'"),
        (["--export-to", "ex/net", "--save-freq", "0", path], "'0' is neither epoch, train_end nor a number"),
        (["--export-to", "ex/net", "--max-to-keep", "0", path], "0 is not in the range x>=1"),
        ([path, "x", "--export-to", "ex/net", "--unknown"], "No such option"),
        (
            ["--export-to", "ex/net", "--target", "1.2", path],
            "'1.2' is not one of '1.4', '1.8', '1.10', '1.12', '1.13', '1.14', '1.15', 'current'",
        ),
        (["--export-to", "ex/net", "--input", "3 x 4", path], "`input` must be a shape and a type"),
        (["--unknown", path], "No such option"),
    ]:
        done = run_command("run", *arguments)
        assert done.exit_code == 2
        assert words in done.stderr
        assert "ran" not in done.stdout


@pytest.mark.parametrize(("ending", "status"), [("raise ValueError('no data')", 1), ("sys.exit('no data')", 1)])
def test_a_script_that_fails_by_itself_is_not_told_that_it_called_no_fit(script, tmp_path, ending, status):
    done = run("--export-to", tmp_path / "net", script(f"import sys\n{ending}\n"))
    assert done.returncode == status
    assert done.stderr.strip().endswith("no data")
    assert "called no fit" not in done.stderr
