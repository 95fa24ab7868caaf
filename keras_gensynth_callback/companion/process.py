"""The process beside a program, in which Keras runs on TensorFlow: started when it is first needed, and asked one
thing at a time. It ends when its standard input does: with the program, however that ends.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import itertools
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import warnings
import weakref
from typing import Any, Deque, Dict, Optional

from keras_gensynth_callback import errors
from keras_gensynth_callback._util import forks
from keras_gensynth_callback.errors import CompanionError, GenSynthExportError
from keras_gensynth_callback.kerases import backend_of_program

from .areas import SharedMemory
from .description import settings_of_keras

_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "companion_program", "program.py")
_LAST_WORDS = 2000  # characters
_PATIENCE = 10  # seconds until a process is ended that should end by itself

logger = logging.getLogger("keras_gensynth_callback")
_lock = threading.Lock()
_running: Optional["Companion"] = None


@forks.in_child
def _forget_the_parents() -> None:
    global _running, _lock
    _running, _lock = None, threading.Lock()


def running_companion() -> "Companion":
    """The companion of this program, started now if there is none that runs.

    Raises:
        CompanionError: it cannot be started.
    """
    global _running
    with _lock:
        if _running is None or _running.is_known_dead:
            _running = Companion()
        return _running


@atexit.register
def _end_with_the_program() -> None:
    if _running is not None:
        _running.end()


class Companion:
    """A process that answers questions.

    Attributes:
        memory: SharedMemory.
        is_known_dead: whether a question was not answered any more.
        pid: int.
    """

    def __init__(self) -> None:
        self.memory, self.is_known_dead = SharedMemory(), False
        self._words, self._said_at_start = tempfile.TemporaryFile(), 0
        self._lock, self._numbers = threading.Lock(), itertools.count()
        self._forgotten: Deque[int] = collections.deque()
        # Its GPU, if it has one, is the training's.
        environment = dict(
            os.environ, KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu", PYTHONUNBUFFERED="1"
        )
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            self._process = subprocess.Popen(
                [sys.executable, _PROGRAM, *map(str, self.memory.descriptors)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                pass_fds=self.memory.descriptors,
                env=environment,
            )
        except OSError as error:
            raise CompanionError(
                f"The process that exports models of this backend cannot be started by {sys.executable!r}: {error}. "
                f"{_WAY_OUT}"
            ) from error
        assert self._process.stdin is not None
        for file in (self._words, self._process.stdout):
            weakref.finalize(self, file.close)  # type: ignore[union-attr]
        # A fork of this program would keep it from ending with the program.
        forks.keep_file(self._process.stdin)
        self.pid = self._process.pid
        self.call(
            "begin",
            path=sys.path,
            arguments=sys.argv,
            main=_main_module(),
            keras=settings_of_keras(),
            backend=backend_of_program(),
        )
        # TensorFlow tells of the machine that it is on.
        self._said_at_start = os.fstat(self._words.fileno()).st_size

    def call(self, what: str, **arguments: Any) -> Any:
        """Asks for something and waits for the answer.

        Args:
            what: name of a function of `companion_program.answers`.
            **arguments: what JSON has.

        Raises:
            CompanionError: the process has ended.
            GenSynthExportError: another of its subclasses, as the process answered.
        """
        with self._lock:
            number = next(self._numbers)
            answer = self._asked(
                {
                    "number": number,
                    "what": what,
                    "arguments": arguments,
                    "folder": _folder(),
                    "forget": [self._forgotten.popleft() for _ in range(len(self._forgotten))],
                }
            )
        for name, words in answer["warnings"]:
            warnings.warn(words, _category(name), stacklevel=2)
        for level, words in answer["logs"]:
            logger.log(level, "%s", words)
        if "error" in answer:
            raise _error(**answer["error"])
        return answer["result"]

    def end(self) -> int:
        """Ends the process, if it runs, and returns its status."""
        process = self._process
        with contextlib.suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]
        try:
            return process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def forget(self, number: int) -> None:
        """A model is needed no more: told with the next question, whichever thread finds it out."""
        self._forgotten.append(number)

    def _asked(self, question: Dict[str, Any]) -> Dict[str, Any]:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            for line in process.stdout:
                answer = json.loads(line)
                # Others belong to questions whose asker was interrupted.
                if answer["number"] == question["number"]:
                    return answer
        except (OSError, ValueError):  # a broken pipe; a line that ends in the middle
            pass
        self.is_known_dead = True
        raise CompanionError(
            f"The process {self.pid}, which exports models of this backend, has ended with status "
            f"{self.end()} before it answered.{self._last_words()} {_WAY_OUT}"
        )

    def _last_words(self) -> str:
        self._words.seek(self._said_at_start)
        said = self._words.read().decode(errors="replace").strip()
        return f" The last that it said: {said[-_LAST_WORDS:]}\n" if said else ""


_WAY_OUT = (
    "Look whether it ran out of memory, or was ended by somebody. Begin the training or the export again: a new "
    "process is started for it; with on_error='warn' training goes on, and the next export starts one."
)


def _folder() -> Optional[str]:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _main_module() -> Dict[str, Optional[str]]:
    """How the other process finds what the program's own module defines: by its name, or by its file."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    path = getattr(main, "__file__", None)
    return {"name": None if spec is None else spec.name, "file": path and os.path.abspath(path)}


def _category(name: str) -> type:
    found = getattr(__import__("builtins"), name, UserWarning)
    return found if isinstance(found, type) and issubclass(found, Warning) else UserWarning


def _error(name: str, words: str) -> GenSynthExportError:
    cls = getattr(errors, name)
    error = cls.__new__(cls)
    error.args = (words,)
    return error
