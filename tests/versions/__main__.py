"""`scripts/versions`: each minor version of TensorFlow as a writer; the results are kept, and become a table."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time

from find_reader import clean_environ, make_reader

from . import table
from .comparison import REPOSITORY, YES, compared
from .environments import CACHE, NoEnvironmentError, python_of
from .rows import ROWS

RESULTS = CACHE / "results"
WRITER = REPOSITORY / "tests" / "versions" / "writer.py"
LIMIT = 1800


def _arguments():
    names = [name for row in ROWS for name in (row.tensorflow, *row.names())]
    parser = argparse.ArgumentParser(prog="scripts/versions", description=__doc__)
    parser.add_argument(
        "versions", nargs="*", default=names, metavar="VERSION", help="which ones, as 2.10 or 2.10-tf.keras-graph (all)"
    )
    parser.add_argument("--resume", action="store_true", help="leave out what has a result")
    parser.add_argument("--kept", action="store_true", help="run nothing; take the results that there are")
    parser.add_argument("--write", action="store_true", help="write the table into docs/kerases.md")
    parser.add_argument("--list", action="store_true", help="print what would be run, and run nothing")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.versions) - set(names))
    if unknown:
        parser.error(f"no such version: {', '.join(unknown)}; there are {', '.join(names)}")
    return arguments


def _ways(asked):
    """The ways that are asked for, in the order of the question: name, Row, module of Keras, mode."""
    known = {name: (row, *way) for row in ROWS for name, way in zip(row.names(), row.ways)}
    names = [name for asked_for in asked for name in known if asked_for in (name, known[name][0].tensorflow)]
    return [(name, *known[name]) for name in dict.fromkeys(names)]


def _run(row, keras, mode):
    """What came out of one way, as it is kept."""
    folder = tempfile.mkdtemp(prefix="versions")
    environ = dict(clean_environ(), TF_USE_LEGACY_KERAS="0")
    try:
        python = python_of(row)
        command = [python, "-W", "ignore", str(WRITER), str(REPOSITORY), keras, mode, folder]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, encoding="utf-8", timeout=LIMIT
        )
        if done.returncode:
            return {"failed": done.stdout[-3000:]}
        with open(folder + "/said.json") as file:
            return {**json.load(file), "cells": compared(folder)}
    except (NoEnvironmentError, RuntimeError, subprocess.TimeoutExpired) as error:
        return {"failed": str(error)}
    finally:
        shutil.rmtree(folder)


def _show(name, result, seconds):
    cells = result.get("cells", {"all": result.get("failed", "").strip()[-300:]})
    wrong = {column: said for column, said in cells.items() if not table.is_right(said)}
    outcome = "not whole" if wrong else "whole" if set(cells.values()) == {YES} else "refused"
    print(f"{outcome:10} {name}  ({seconds:.0f} s)", flush=True)
    for column, said in wrong.items():
        print(f"           {column}: {said}", flush=True)


def main():
    arguments = _arguments()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, row, keras, mode in [] if arguments.kept else _ways(arguments.versions):
        kept = RESULTS / f"{name}.json"
        if arguments.resume and kept.exists():
            continue
        if arguments.list:
            print(name)
            continue
        make_reader()
        started = time.time()
        result = _run(row, keras, mode)
        kept.write_text(json.dumps(result, indent=1))
        _show(name, result, time.time() - started)
    results = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    if arguments.write:
        table.write(results)
    return 0 if arguments.list or table.whole(results, arguments.versions) else 1


if __name__ == "__main__":
    sys.exit(main())
