"""Runs Python in TensorFlow 1.15.5, or older: the foreign readers, which have neither Keras 3 nor this package."""

import atexit
import json
import os
import signal
import subprocess
import tempfile
import textwrap
import threading

import pytest
from find_reader import ReaderNotFoundError, clean_environ, find_reader

from keras_gensynth_callback.arguments import TARGETS

OLDER_TARGETS = [target for target in TARGETS if target not in ("1.15", "current")]


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

        Each program has a process of its own, forked from one that has imported TensorFlow. The interpreter is isolated
        (`-I`): neither the working directory nor a PYTHONPATH is searched for modules.

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
        with tempfile.TemporaryDirectory() as folder:
            said = {name: os.path.join(folder, name) for name in ("stdout", "stderr")}
            try:
                status = _server(self.python).run(path, [str(arg) for arg in args], said, timeout)
            except TimeoutError:
                raise ReaderFailed(f"The reader was stopped after {timeout} seconds.{_show(said)}") from None
            if status:
                raise ReaderFailed(f"The reader ended with exit status {status}.{_show(said)}")
            return _text_of(said["stdout"])


class _Server:
    """A process that has imported a TensorFlow 1.x, and forks for each program: see `reader_server.py`."""

    def __init__(self, python):
        command = [python, "-I", "-W", "ignore", os.path.join(os.path.dirname(__file__), "reader_server.py")]
        pipe = subprocess.PIPE
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self._errors, env=clean_environ(), encoding="utf-8"
        )
        atexit.register(self.close)

    def run(self, path, args, said, timeout):
        """The exit status of a program; negative where a signal ended it.

        Raises:
            TimeoutError: it took longer than `timeout` seconds, and was killed.
        """
        print(json.dumps({"path": path, "args": args, **said}), file=self._process.stdin, flush=True)
        child = int(self._answer())
        killed = []
        timer = threading.Timer(timeout, lambda: (killed.append(child), os.kill(child, signal.SIGKILL)))
        timer.start()
        try:
            status = int(self._answer())
        except BaseException:  # a Ctrl-C among others; what comes after would read this program's answer
            os.kill(child, signal.SIGKILL)
            self.close()
            raise
        finally:
            timer.cancel()
        if killed:
            raise TimeoutError(path)
        return status

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise ReaderFailed(f"The reader ended by itself.\n{self._errors.read().decode('utf-8', 'replace')}")
        return line

    def close(self):
        """Ends the process."""
        _servers.pop(self._process.args[0], None)
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()
        atexit.unregister(self.close)


_servers = {}


def _server(python):
    """The process of an interpreter, which stays as long as this one."""
    if python not in _servers:
        _servers[python] = _Server(python)
    return _servers[python]


def _text_of(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _show(said):
    return "".join(f"\n--- its {name} ---\n{_text_of(path) or '(nothing)'}" for name, path in said.items())
