"""Runs the coverage suite and writes docs/COVERAGE.md: see `scripts/coverage --help`."""

import argparse
import gc
import os
import subprocess
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

from find_reader import clean_environ, find_reader

from breadth import catalogue, results, table

_ROOT = Path(__file__).resolve().parent.parent.parent

_BY_DEFAULT = [kind for kind in catalogue.KINDS if kind != "applications"]


def main():
    options = _options()
    if options.keras == "both":
        runs = [subprocess.Popen([*_this_program(), "--keras", name, *_inner(options)]) for name in catalogue.KERASES]
        failed = any([run.wait() for run in runs])
    else:
        failed = _run(options)
    if options.write:
        table.write_document(options.out)
    return 1 if failed else 0


def _options():
    parser = argparse.ArgumentParser(prog="scripts/coverage", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="classes or functions; all of the kinds if not given")
    parser.add_argument("--keras", choices=[*catalogue.KERASES, "both"], default="both")
    parser.add_argument("--kind", action="append", choices=catalogue.KINDS, help="default: all but applications")
    parser.add_argument("--out", type=Path, default=_ROOT / ".cache" / "coverage", help="folder of the results (JSON)")
    parser.add_argument("--resume", action="store_true", help="rows that have a result there are not run again")
    parser.add_argument("--write", action="store_true", help="write docs/COVERAGE.md from all results there")
    return parser.parse_args()


def _this_program():
    return [sys.executable, "-m", "breadth"]


def _inner(options):
    inner = ["--out", str(options.out)]
    inner += [part for kind in options.kind or () for part in ("--kind", kind)]
    inner += ["--resume"] if options.resume else []
    return inner + options.names


def _run(options):
    if options.keras == "tf_keras":
        # Some of its layers look for `tf.keras` and expect it to be themselves, as where it is used as such.
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    from breadth.suite import Suite

    rows = catalogue.rows(options.keras, options.kind or _BY_DEFAULT)
    rows = [row for row in rows if not options.names or {row.name, *row.aliases} & set(options.names)]
    unknown = set(options.names) - {name for row in rows for name in (row.name, *row.aliases)}
    if unknown:
        print(f"{options.keras} has none of the kinds asked for named {', '.join(sorted(unknown))}", file=sys.stderr)
    store = results.Store(options.out)
    if options.resume:
        rows = [row for row in rows if not store.has(options.keras, row)]
    _make_fast()
    claims, broken, done = table.claims(), [], []
    for result in Suite(options.keras, find_reader(), clean_environ()).run(rows):
        store.keep(result)
        done.append(result)
        print(results.line(result), flush=True)
        if not results.holds(result) and claims.get(results.key(result)):
            broken.append(result["name"])
    print(results.totals(done))
    if broken:
        print(f"docs/COVERAGE.md claims these as yes: {', '.join(broken)}", file=sys.stderr)
    return bool(broken)


def _make_fast():
    import tensorflow as tf

    # Four processes share the cores, and the models are tiny.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # Keras collects garbage whenever it clears a session; what has been imported need not be looked through.
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
