"""Programs that answer lines: a process each, started when it is asked, and anew once it has died."""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import other_backends
from find_reader import clean_environ, find_reader

_FOLDER = Path(__file__).resolve().parent
# Lines after which a process is started anew: what TensorFlow keeps of each graph adds up.
_LINES = 150


class Died(Exception):
    """The process ended, or was ended since it took too long, before it answered."""


class Worker:
    """A program that reads a JSON line and answers with one.

    Args:
        command: list of str.
        environ: dict.
        limit: float, seconds for an answer; generous, since the machine may be busy with other things.
    """

    def __init__(self, command, environ, limit=1800):
        self._command, self._environ, self._limit = command, environ, limit
        self._process, self._errors, self._asked = None, None, 0

    def ask(self, **line):
        """Returns the answer, or raises Died."""
        if self._process is None or self._asked >= _LINES and line:
            self.close()
            self._start()
        late = []
        timer = threading.Timer(self._limit, lambda: (late.append(True), self._process.kill()))
        timer.start()
        try:
            self._asked += 1
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError:
            answer = ""
        finally:
            timer.cancel()
        if answer:
            return json.loads(answer)
        status = self._process.wait()
        self._errors.seek(0)
        tail = self._errors.read()[-1500:]
        self.close()
        raise Died(f"no answer within {self._limit} seconds" if late else f"ended with exit status {status}: {tail}")

    def _start(self):
        self._errors = tempfile.TemporaryFile("w+")
        self._asked = 0
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=self._environ,
            universal_newlines=True,
        )

    def close(self):
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._errors.close()
        self._process = None


def keras_worker(keras_name, backend="tensorflow"):
    """The exporting program of one Keras on one backend."""
    python = sys.executable if backend == "tensorflow" else other_backends.find_python(backend)
    environ = dict(other_backends.environ(backend), OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")
    return Worker([python, "-W", "ignore", "-m", "generated.keras_program", keras_name], environ)


def replay_worker():
    """The replaying program in TensorFlow 1.15."""
    command = [find_reader("1.15"), "-I", "-W", "ignore", str(_FOLDER / "replay_program.py")]
    return Worker(command, clean_environ())
