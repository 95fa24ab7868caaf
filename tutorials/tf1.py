"""Cells of the notebooks that run in TensorFlow 1.15: `%load_ext tf1`, and `%%tf1` as the first line of such a cell.

Each runs in a process of its own, which has neither Keras 3 nor this package, in the folder of the notebook. Where
there is no TensorFlow 1.15, and no Python 3.7 to make an environment for it, the installed TensorFlow runs it in its v1
mode.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from IPython.core.error import UsageError

sys.path.append(str(Path(__file__).resolve().parent.parent / "scripts"))
from find_reader import ReaderNotFoundError, clean_environ, make_reader  # noqa: E402


def load_ipython_extension(shell):
    """What `%load_ext tf1` calls."""
    shell.register_magic_function(tf1, "cell")


def tf1(line, cell):
    """Runs a cell as a program of its own, and shows what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "cell.py"
        program.write_text(cell, encoding="utf-8")
        command = [_python(), "-I", "-W", "ignore", program]
        done = subprocess.run(command, env=clean_environ(), capture_output=True, encoding="utf-8")
    print(done.stdout, end="")
    if done.returncode:
        raise UsageError(f"The program ended with exit status {done.returncode}:\n{done.stderr}")


def _python():
    try:
        return make_reader()
    except ReaderNotFoundError as error:
        print(f"{error} Here it runs in the v1 mode of the installed TensorFlow.")
        return sys.executable
