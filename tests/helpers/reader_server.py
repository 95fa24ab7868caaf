"""Runs in a TensorFlow 1.x: imports it once, and runs each program that is asked for in a process forked from this one.

Reads a line of JSON a program from stdin: its path, its arguments, and the files for what it prints. Answers with two
lines: the number of the process, and its exit status. A program finds what it would in an interpreter of its own, but
that the modules below are imported already; no session was opened before the fork, so that no thread is missing.
"""

import json
import os
import runpy
import sys
import traceback

import numpy  # noqa: F401
import tensorflow  # noqa: F401


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints is no answer
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            run(**asked)
        print(child, file=answers, flush=True)
        print(exit_status(os.waitpid(child, 0)[1]), file=answers, flush=True)


def run(path, args, stdout, stderr):
    """Runs a program as `python PATH ARGS...` would, and ends the process."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT, 0o600), 1)
        os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT, 0o600), 2)
        sys.argv = [path, *args]
        runpy.run_path(path, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def exit_status(status):
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    main()
