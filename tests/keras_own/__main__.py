"""Puts what Keras's own tests make into small models, exports, replays, compares: see `scripts/keras_tests --help`."""

import argparse
import concurrent.futures
import gc
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

from find_reader import clean_environ, find_reader

from keras_own import outcomes, page

_ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.part is not None:
        _run(options)
        return 0
    if not (options.resume or options.kept):
        for pattern in ("*.json", "noted-*", "count-*"):
            for old in options.out.glob(pattern):
                old.unlink()
    if not options.kept and _any_fails(options):
        return 2
    if options.list:
        return 0
    found = outcomes.sort(outcomes.Outcome(**json.loads(path.read_text())) for path in options.out.glob("*.json"))
    print(outcomes.table(found))
    if options.write:
        page.write(found, sum(int(path.read_text()) for path in options.out.glob("count-*")))
    return 1 if any(each.outcome in outcomes.FAULTS for each in found) else 0


def _options():
    parser = argparse.ArgumentParser(prog="scripts/keras_tests", description=__doc__)
    parser.add_argument("--only", metavar="PATTERN", help="regular expression, looked for in kind, class and test")
    parser.add_argument("--modules", metavar="PART", default="", help="test modules whose path holds this")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the configurations")
    parser.add_argument(
        "--resume", action="store_true", help="those that have a result in the folder are not run again"
    )
    parser.add_argument("--kept", action="store_true", help="nothing is run; what the folder holds is told")
    parser.add_argument("--list", action="store_true", help="what is noted; nothing is exported")
    parser.add_argument("--trace", action="store_true", help="with the traceback of what is not right")
    parser.add_argument(
        "--out", type=Path, default=_ROOT / ".cache" / "keras_tests", help="folder of the results (JSON)"
    )
    parser.add_argument("--write", action="store_true", help="write the section of docs/COVERAGE.md")
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _any_fails(options):
    """Runs all parts, at the same time; returns whether one of them could not be run."""
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as threads:
        return any(list(threads.map(lambda number: _part(options, number), range(options.jobs))))


def _part(options, number):
    """Runs a part in a process of its own, until it ends by itself: what ends the process is an outcome, too."""
    command = [sys.executable, "-W", "ignore", "-m", "keras_own", *sys.argv[1:], "--part", str(number)]
    status = subprocess.call(command)
    while status and _noted_as_crashed(options, number, status):
        status = subprocess.call(command)
    return status


def _noted_as_crashed(options, number, status):
    """Whether a configuration was being run; it has a result then, so that it is not run again."""
    running = _running(options, number)
    if not running.exists():
        return False
    file, told = json.loads(running.read_text())
    running.unlink()
    told = outcomes.Outcome(**told)._replace(outcome=outcomes.CRASHED, why=f"the process ended with status {status}")
    Path(file).write_text(json.dumps(told._asdict(), indent=1))
    print(outcomes.line(told), flush=True)
    return True


def _running(options, number):
    return options.out / f"running-{number}"


def _run(options):
    """Runs every so many-th of the configurations, and keeps what came of each in a file."""
    import keras
    from breadth.catalogue import Row
    from breadth.suite import Suite

    from keras_own import cases, configurations, recording

    _make_fast()
    said = re.sub("[^0-9A-Za-z]", "-", options.modules)
    kept = options.out / f"noted-{keras.__version__}-{said}-{options.part}.pickle"
    found = configurations.distinct(recording.recorded_once(recording.modules(options.modules), kept))
    pattern = re.compile(options.only or "")
    found = [c for c in found if pattern.search(f"{c.kind} {c.name} {c.where}")]
    found = configurations.class_by_class(found)[options.part :: options.jobs]
    gc.freeze()
    if options.list:
        print("\n".join(map(str, found)))
        return
    files = {each: options.out / f"{hashlib.sha256(each.key().encode()).hexdigest()[:16]}.json" for each in found}
    known, found = len(found), [each for each in found if not files[each].exists()]
    (options.out / f"count-{options.part}").write_text(str(known))
    print(f"{known} configurations, {len(found)} of them to be run", flush=True)

    def case_of(row):
        each = row.object
        begun = outcomes.Outcome(each.kind, each.name, str(each), each.where, outcomes.CRASHED, "", "", "")
        _running(options, options.part).write_text(json.dumps([str(files[each]), begun._asdict()]))
        return cases.case

    suite = Suite("keras", find_reader(), clean_environ(), recipe_of=case_of)
    for result in suite.run([Row(each.kind, str(number), [], each) for number, each in enumerate(found)]):
        told = outcomes.outcome(found[int(result["name"])], result)
        files[found[int(result["name"])]].write_text(json.dumps(told._asdict(), indent=1))
        if told.outcome != outcomes.RIGHT:
            print(outcomes.line(told), flush=True)
            if options.trace:
                print(told.trace, flush=True)
    _running(options, options.part).unlink(missing_ok=True)


def _make_fast():
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
