"""Finds or makes Pythons that have an older TensorFlow: the foreign readers of the tests and of the demo.

    python scripts/find_reader.py                  prints the path of the one with TensorFlow 1.15; makes the
                                                   environment first where it is missing
    python scripts/find_reader.py 1.13 1.14 1.15   the same for each of these versions, a line each; or 1.4, 1.8,
                                                   1.10, 1.12

An interpreter that already has TensorFlow 1.15 can be named in the environment variable KERAS_GENSYNTH_READER, those
with 1.14 and 1.13 in KERAS_GENSYNTH_READER_1_14 and KERAS_GENSYNTH_READER_1_13, and so on. Otherwise a Python 3.7 (3.6
for 1.12 and older) is looked for on the PATH, among pyenv's versions and through uv, and a virtual environment is made
for it in `.cache/tf115` (`tf114`, `tf113`, ...), once.

Only the standard library is used, so that any Python from 3.7 on can run this file.
"""

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache"
REQUIREMENTS = {
    "1.4": ("tensorflow==1.4.1", "protobuf<3.18", "numpy<1.17"),
    "1.8": ("tensorflow==1.8.0", "protobuf<3.18", "numpy<1.17"),
    "1.10": ("tensorflow==1.10.1", "protobuf<3.18", "numpy<1.17"),
    "1.12": ("tensorflow==1.12.3", "protobuf<3.18", "numpy<1.17"),
    "1.13": ("tensorflow==1.13.2", "protobuf<3.21", "numpy<1.17"),
    "1.14": ("tensorflow==1.14.0", "protobuf<3.21", "numpy<1.17"),
    "1.15": ("tensorflow==1.15.5", "protobuf<3.21", "numpy<1.19"),
}
# The oldest have wheels for Python 3.6 alone.
PYTHONS = {"1.4": "3.6", "1.8": "3.6", "1.10": "3.6", "1.12": "3.6"}
# Names what was installed and is written last, so an environment that was left half made is not taken for a whole one.
STAMP = "installed.txt"


class ReaderNotFoundError(RuntimeError):
    """There is no Python with the TensorFlow that was asked for; the message says how to get one."""


def clean_environ():
    """Returns the environment variables without those that lead one Python to another one's packages or behaviour."""
    # TensorFlow 2 sets TF2_BEHAVIOR when it is imported, and TensorFlow 1.15 would turn eager mode on by it.
    leaks = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "TF2_BEHAVIOR")
    environ = {name: value for name, value in os.environ.items() if name not in leaks}
    environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return environ


def override(version):
    """The environment variable that may name the reader of a version."""
    return "KERAS_GENSYNTH_READER" + ("" if version == "1.15" else "_" + version.replace(".", "_"))


def find_reader(version="1.15"):
    """Returns the path of a Python that has TensorFlow `version`. Installs nothing.

    Args:
        version: str, a key of `REQUIREMENTS`.

    Raises:
        ReaderNotFoundError: there is none yet.
    """
    named = os.environ.get(override(version))
    if named:
        return _check_named(named, version)
    folder = _environment(version)
    python, stamp = folder / "bin" / "python", folder / STAMP
    if python.exists() and stamp.exists() and stamp.read_text() == _stamp_text(version):
        return str(python)
    raise ReaderNotFoundError(
        "No TensorFlow {} was found in {}. {}".format(version, _relative(folder), _how_to(version))
    )


def make_reader(version="1.15"):
    """Returns the path of a Python that has TensorFlow `version`; makes its environment where it is missing.

    Args:
        version: str, a key of `REQUIREMENTS`.

    Raises:
        ReaderNotFoundError: there is no Python 3.7, or TensorFlow could not be installed for it.
    """
    try:
        return find_reader(version)
    except ReaderNotFoundError:
        if os.environ.get(override(version)):
            raise
    folder, requirements = _environment(version), REQUIREMENTS[version]
    python = find_python(_python_of(version))
    if python is None:
        message = "No Python {} was found on the PATH, among pyenv's versions or through uv. ".format(
            _python_of(version)
        )
        raise ReaderNotFoundError(message + _how_to(version))
    print("Making an environment with {} in {} (once).".format(requirements[0], _relative(folder)), file=sys.stderr)
    shutil.rmtree(str(folder), ignore_errors=True)
    _install([python, "-m", "venv", str(folder)], requirements[0])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if version in PYTHONS:  # whose own pip takes packages that are for other Pythons
        _install(pip + ["--upgrade", "pip<22", "wheel<0.38", "setuptools<60"], requirements[0])
    _install(pip + list(requirements), requirements[0])
    (folder / STAMP).write_text(_stamp_text(version))
    return find_reader(version)


def find_python(version):
    """Returns the path of a Python that can make virtual environments, or None.

    Args:
        version: str, "3.7".
    """
    # Run, not only looked for: pyenv puts a `python3.7` on the PATH that fails unless 3.7 is selected.
    probe = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for python in _candidates(version):
        if _output([python, "-c", probe]) == version:
            return python
    return None


def _environment(version):
    return CACHE / ("tf" + version.replace(".", ""))


def _python_of(version):
    return PYTHONS.get(version, "3.7")


def _how_to(version):
    command = "python scripts/find_reader.py" + ("" if version == "1.15" else " " + version)
    return (
        "Install Python {0} (for example `pyenv install {0}` or `uv python install {0}`) and run `{1}`, or name a "
        "Python that has TensorFlow {2} in {3}.".format(_python_of(version), command, version, override(version))
    )


def _candidates(version):
    on_path = shutil.which("python" + version)
    if on_path:
        yield on_path
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for python in sorted(glob.glob(os.path.join(glob.escape(root), "versions", version + ".*", "bin", "python"))):
        yield python
    uv = shutil.which("uv")
    if uv:
        _output([uv, "python", "install", version])
        found = _output([uv, "python", "find", "--no-project", version])
        if found:
            yield found


def _check_named(python, version):
    found = _output([python, "-W", "ignore", "-c", "import tensorflow; print(tensorflow.__version__)"])
    if found.startswith(version + "."):
        return python
    found = "TensorFlow " + found if found else "no TensorFlow that can be imported"
    raise ReaderNotFoundError(
        "{} is {!r}, which has {}; expected TensorFlow {}. Unset it, or name another Python.".format(
            override(version), python, found, version
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


def _install(command, what):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environ(), universal_newlines=True
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-5:])
        raise ReaderNotFoundError("{} could not be installed: `{}` failed:\n{}".format(what, " ".join(command), tail))


def _stamp_text(version):
    return "\n".join(REQUIREMENTS[version]) + "\n"


def _relative(path):
    return os.path.relpath(str(path))


def _main(versions):
    missing = []
    for version in versions or ["1.15"]:
        if version not in REQUIREMENTS:
            sys.exit("Unknown version {!r}. Expected some of {}.".format(version, ", ".join(sorted(REQUIREMENTS))))
        try:
            print(make_reader(version))
        except ReaderNotFoundError as error:
            missing.append(str(error))
    if missing:
        sys.exit("\n".join(missing))


if __name__ == "__main__":
    _main(sys.argv[1:])
