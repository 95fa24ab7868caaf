"""Virtual environments that are made once: in `.cache/versions` one for each row."""

import os
import shutil
import subprocess
from pathlib import Path

from find_reader import clean_environ, find_python

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "versions"
ALSO = ["wrapt>=1.11", "pytest>=7", 'importlib_metadata; python_version < "3.8"', "setuptools<81"]


class NoEnvironmentError(RuntimeError):
    """An environment could not be made; the message says why."""


def python_of(row):
    """The path of a Python with what a row names; its environment is made where it is missing.

    Raises:
        NoEnvironmentError: there is no such Python, or something could not be installed.
    """
    return python_in(CACHE / row.tensorflow, row.python, [*row.requirements, *ALSO])


def python_in(folder, version, requirements):
    """The path of a Python in an environment in `folder`, which is made where it is missing or holds something else.

    Args:
        folder: pathlib.Path.
        version: str, "3.11".
        requirements: list of str, what is installed.

    Raises:
        NoEnvironmentError: there is no such Python, or something could not be installed.
    """
    python, stamp, text = folder / "bin" / "python", folder / "installed.txt", "\n".join(requirements)
    if not stamp.exists() or stamp.read_text() != text:
        shutil.rmtree(folder, ignore_errors=True)
        base = find_python(version)
        if base is None:
            raise NoEnvironmentError(f"no Python {version} on the PATH, among pyenv's versions or through uv")
        for command in _commands(base, folder, python, requirements):
            _run(command)
        stamp.write_text(text)
    return str(python)


def _commands(base, folder, python, requirements):
    uv = shutil.which("uv")  # where it is there, since it links files instead of copying them
    if uv:
        yield [uv, "venv", "--quiet", "--python", base, str(folder)]
        yield [uv, "pip", "install", "--quiet", "--python", str(python), *requirements]
    else:
        yield [base, "-m", "venv", str(folder)]
        yield [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]


def _run(command):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environ(), encoding="utf-8"
    )
    if done.returncode:
        tail = " ".join(done.stdout.split())[-400:]
        raise NoEnvironmentError(f"`{os.path.basename(command[0])}` could not install what the row names: {tail}")
