"""Finds or makes a Python that has TensorFlow 1.15.5: the foreign reader of the tests and of the demo.

    python scripts/find_reader.py          prints its path; makes the environment first where it is missing

An interpreter that already has TensorFlow 1.15 can be named in the environment variable KERAS_GENSYNTH_READER.
Otherwise a Python 3.7 is looked for on the PATH, among pyenv's versions and through uv, and a virtual environment
with TensorFlow 1.15.5 is made for it in `.cache/tf115`, once.

Only the standard library is used, so that any Python from 3.7 on can run this file.
"""

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

OVERRIDE = "KERAS_GENSYNTH_READER"
REQUIREMENTS = ("tensorflow==1.15.5", "protobuf<3.21", "numpy<1.19")
ENVIRONMENT = Path(__file__).resolve().parent.parent / ".cache" / "tf115"
# Names what was installed and is written last, so an environment that was left half made is not taken for a whole one.
STAMP = "installed.txt"

HOW_TO = (
    "Install Python 3.7 (for example `pyenv install 3.7` or `uv python install 3.7`) and run "
    "`python scripts/find_reader.py`, or name a Python that has TensorFlow 1.15 in " + OVERRIDE + "."
)


class ReaderNotFoundError(RuntimeError):
    """There is no Python with TensorFlow 1.15; the message says how to get one."""


def clean_environ():
    """Returns the environment variables without those that lead one Python to another one's packages or behaviour."""
    # TensorFlow 2 sets TF2_BEHAVIOR when it is imported, and TensorFlow 1.15 would turn eager mode on by it.
    leaks = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "TF2_BEHAVIOR")
    environ = {name: value for name, value in os.environ.items() if name not in leaks}
    environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return environ


def find_reader():
    """Returns the path of a Python that has TensorFlow 1.15. Installs nothing.

    Raises:
        ReaderNotFoundError: there is none yet.
    """
    named = os.environ.get(OVERRIDE)
    if named:
        return _check_named(named)
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / STAMP
    if python.exists() and stamp.exists() and stamp.read_text() == _stamp_text():
        return str(python)
    raise ReaderNotFoundError("No TensorFlow 1.15 was found in " + _relative(ENVIRONMENT) + ". " + HOW_TO)


def make_reader():
    """Returns the path of a Python that has TensorFlow 1.15; makes its environment where it is missing.

    Raises:
        ReaderNotFoundError: there is no Python 3.7, or TensorFlow 1.15.5 could not be installed for it.
    """
    try:
        return find_reader()
    except ReaderNotFoundError:
        if os.environ.get(OVERRIDE):
            raise
    python37 = find_python37()
    print("Making an environment with TensorFlow 1.15.5 in " + _relative(ENVIRONMENT) + " (once).", file=sys.stderr)
    shutil.rmtree(str(ENVIRONMENT), ignore_errors=True)
    _install([python37, "-m", "venv", str(ENVIRONMENT)])
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _install(pip + list(REQUIREMENTS))
    (ENVIRONMENT / STAMP).write_text(_stamp_text())
    return find_reader()


def find_python37():
    """Returns the path of a Python 3.7 that can make virtual environments.

    Raises:
        ReaderNotFoundError: there is none.
    """
    # Run, not only looked for: pyenv puts a `python3.7` on the PATH that fails unless 3.7 is selected.
    probe = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for python in _candidates():
        if _output([python, "-c", probe]) == "3.7":
            return python
    raise ReaderNotFoundError("No Python 3.7 was found on the PATH, among pyenv's versions or through uv. " + HOW_TO)


def _candidates():
    on_path = shutil.which("python3.7")
    if on_path:
        yield on_path
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for python in sorted(glob.glob(os.path.join(glob.escape(root), "versions", "3.7*", "bin", "python"))):
        yield python
    uv = shutil.which("uv")
    if uv:
        _output([uv, "python", "install", "3.7"])
        found = _output([uv, "python", "find", "--no-project", "3.7"])
        if found:
            yield found


def _check_named(python):
    version = _output([python, "-W", "ignore", "-c", "import tensorflow; print(tensorflow.__version__)"])
    if version.startswith("1.15."):
        return python
    found = "TensorFlow " + version if version else "no TensorFlow that can be imported"
    raise ReaderNotFoundError(
        "{} is {!r}, which has {}; expected TensorFlow 1.15. Unset it, or name another Python.".format(
            OVERRIDE, python, found
        )
    )


def _output(command):
    """Returns what a command prints, or "" where it cannot be run or fails."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environ(), universal_newlines=True
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _install(command):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environ(), universal_newlines=True
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-5:])
        raise ReaderNotFoundError(
            "TensorFlow 1.15.5 could not be installed: `{}` failed:\n{}".format(" ".join(command), tail)
        )


def _stamp_text():
    return "\n".join(REQUIREMENTS) + "\n"


def _relative(path):
    return os.path.relpath(str(path))


if __name__ == "__main__":
    try:
        print(make_reader())
    except ReaderNotFoundError as error:
        sys.exit(str(error))
