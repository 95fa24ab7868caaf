"""A program of its own: answers the questions of its parent, until its standard input ends.

    python program.py DESCRIPTOR...

The descriptors are those of the files that both processes map into memory. What is printed here goes to the standard
error, since the answers have the standard output.
"""

import contextlib
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import warnings


def main(descriptors):
    """Answers until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the parent
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    faulthandler.enable()  # its words are the last that the parent hears
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    waiting = Waiting(questions)
    first = waiting.next()
    # Until now only the standard library is there.
    sys.path[:], sys.argv[:] = first["arguments"]["path"], first["arguments"]["arguments"]
    from keras_gensynth_callback.companion_program.answers import Answers
    from keras_gensynth_callback.errors import DefectError, GenSynthExportError

    answering, question = Answers(descriptors), first
    while question is not None:
        answer = {"number": question["number"]}
        with _heard(answer):
            try:
                if question["folder"] is not None:
                    os.chdir(question["folder"])
                answering.forget(question["forget"])
                answer["result"] = getattr(answering, question["what"])(**question["arguments"])
            except GenSynthExportError as error:
                answer["error"] = {"name": type(error).__name__, "words": str(error)}
            except Exception as error:
                words = (
                    f"The export by another process failed at {question['what']!r}: {type(error).__name__}: {error}."
                )
                answer["error"] = {"name": "DefectError", "words": str(DefectError(words))}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        question = waiting.next()


class Waiting:
    """Questions as they come. When there will be no more, the parent has ended, and so does this process, whatever it
    is at: no reader ever sees half an export.
    """

    def __init__(self, file):
        self._file, self._questions, self._change = file, [], threading.Condition()
        threading.Thread(target=self._read, name="questions", daemon=True).start()

    def _read(self):
        for line in self._file:
            with self._change:
                self._questions.append(json.loads(line))
                self._change.notify()
        os._exit(0)

    def next(self):
        """The next question."""
        with self._change:
            self._change.wait_for(lambda: self._questions)
            return self._questions.pop(0)


class _Kept(logging.Handler):
    def __init__(self, records):
        super().__init__()
        self._records = records

    def emit(self, record):
        self._records.append([record.levelno, record.getMessage()])


@contextlib.contextmanager
def _heard(answer):
    """What is warned of and logged inside goes into the answer."""
    answer["warnings"], answer["logs"] = [], []
    handler = _Kept(answer["logs"])
    logger = logging.getLogger("keras_gensynth_callback")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        logger.removeHandler(handler)
        answer["warnings"] = [
            [warning.category.__name__, str(warning.message)]
            for warning in caught
            if "keras_gensynth_callback" in warning.filename
        ]


if __name__ == "__main__":
    main([int(descriptor) for descriptor in sys.argv[1:]])
