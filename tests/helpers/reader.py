"""Runs Python in TensorFlow 1.15.5, or older: the foreign readers, which have neither Keras 3 nor this package."""

import os
import subprocess
import tempfile
import textwrap

import pytest
from find_reader import ReaderNotFoundError, clean_environ, find_reader


class ReaderFailed(AssertionError):
    """What ran in the reader ended with an error; the message holds all that it printed."""


def reader_of(version):
    """The Reader of a TensorFlow version. Where it is missing the test is skipped, or, in CI, fails."""
    try:
        return Reader(find_reader(version), version)
    except ReaderNotFoundError as error:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing(str(error))


class Reader:
    """A Python interpreter that has TensorFlow 1.x.

    Args:
        python: str, the path of the interpreter.
        version: str, "1.15", "1.14" and so on.
    """

    def __init__(self, python, version="1.15"):
        self.python, self.version = python, version

    def run(self, code, *args, timeout=600):
        """Runs a program in the reader and returns what it prints to stdout.

        The interpreter is isolated (`-I`): neither the working directory nor a PYTHONPATH is searched for modules.

        Args:
            code: str, Python source (may be indented as a whole); or a `pathlib.Path`, a file with Python source.
            *args: what the program finds in `sys.argv[1:]`.
            timeout: float, seconds.

        Raises:
            ReaderFailed: the program failed or took too long.
        """
        if isinstance(code, os.PathLike):
            return self._run_file(os.fspath(code), args, timeout)
        with tempfile.TemporaryDirectory() as folder:
            # A file rather than `-c`, so that a traceback shows the line that failed.
            path = os.path.join(folder, "program.py")
            with open(path, "w", encoding="utf-8") as f:
                f.write(textwrap.dedent(code))
            return self._run_file(path, args, timeout)

    def _run_file(self, path, args, timeout):
        command = [self.python, "-I", "-W", "ignore", path] + [str(arg) for arg in args]
        pipe = subprocess.PIPE
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                timeout=timeout,
                env=clean_environ(),
                encoding="utf-8",
                errors="replace",
            )
        except subprocess.TimeoutExpired as error:
            raise ReaderFailed(f"The reader was stopped after {timeout} seconds.{_show(error)}") from None
        if done.returncode:
            raise ReaderFailed(f"The reader ended with exit status {done.returncode}.{_show(done)}")
        return done.stdout


def _show(done):
    parts = []
    for name in ("stdout", "stderr"):
        text = getattr(done, name) or "(nothing)"
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        parts.append(f"\n--- its {name} ---\n{text}")
    return "".join(parts)
