"""Pythons that have Keras 3 on JAX and on Torch, and programs that run there."""

import functools
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BACKENDS = ("jax", "torch")
# The Python of an environment that has them, where the one that runs the tests has not.
NAMED = "KERAS_GENSYNTH_BACKENDS"


class NoBackend(Exception):
    """No Python has a backend."""


@functools.lru_cache(maxsize=None)
def find_python(backend):
    """The Python that has a backend, or raises NoBackend."""
    if importlib.util.find_spec(backend) is not None:
        return sys.executable
    python = os.environ.get(NAMED, "")
    found = os.path.exists(python) and not subprocess.call(
        [python, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({backend!r}) is None)"]
    )
    if not found:
        raise NoBackend(f"No Python with {backend}: `scripts/set-up {backend}` installs it, or name one in {NAMED}.")
    return python


def python_with(backend):
    """The Python that has a backend. Where there is none the test is skipped, or, in CI, fails."""
    try:
        return find_python(backend)
    except NoBackend as error:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        return missing(str(error))


def environ(backend):
    """The environment of a program with Keras on a backend."""
    folders = [ROOT, *(ROOT / "tests" / name for name in ("", "helpers", "companion")), ROOT / "scripts"]
    return dict(
        os.environ,
        KERAS_BACKEND=backend,
        PYTHONPATH=os.pathsep.join(map(str, folders)),
    )


def run(backend, program, *arguments, fails=False, **more):
    """Runs a program with Keras on a backend. Returns what it did: `stdout`, `stderr`, `returncode`."""
    more_environ = dict(
        BACKEND_OF_TEST=backend,
        CUDA_VISIBLE_DEVICES="-1",
        PYTHONWARNINGS="error::UserWarning:keras_gensynth_callback",
    )
    done = subprocess.run(
        [python_with(backend), str(program), *map(str, arguments)],
        env={**environ(backend), **more_environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=1800,
        **more,
    )
    assert fails or done.returncode == 0, done.stdout + done.stderr
    return done
