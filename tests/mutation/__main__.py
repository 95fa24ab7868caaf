"""`scripts/mutate`: reads files that were changed at random."""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
BAD = ("raw", "hang", "abort", "touched")


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many mutations")
    parser.add_argument("--start", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one mutation, again")
    parser.add_argument("--kind", action="append", help="only these kinds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seeds", default=".cache/mutation", help="where the unchanged files are kept")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.seeds = os.path.abspath(options.seeds)
    if options.worker is not None:
        return work(options)
    subprocess.run([sys.executable, "-c", f"from mutation.seeds import made; made({options.seeds!r})"], check=True)
    return show(options, gathered(options))


def gathered(options):
    """The rows of all workers: lists of number, kind, reader, class, words. After a Ctrl-C, those that are there."""
    command = [sys.executable, "-W", "ignore", "-m", "mutation", *sys.argv[1:], "--jobs", str(options.jobs), "--worker"]
    workers = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, encoding="utf-8")
        for number in range(1 if options.only is not None else options.jobs)
    ]
    rows = []
    try:
        for worker in workers:
            for line in worker.stdout:
                rows.append(json.loads(line))
                if rows[-1][3] in BAD:
                    print(f"{rows[-1][3]}: {rows[-1]}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print(f"stopped; {len({row[0] for row in rows})} mutations were read", file=sys.stderr)
        return rows
    if any(worker.wait() for worker in workers):
        sys.exit("a worker failed")
    return rows


def work(options):
    """Prints what is found in the mutations of this worker, one JSON list a line."""
    import h5py  # noqa: F401
    import jinja2  # noqa: F401
    import keras  # noqa: F401
    import tf_keras  # noqa: F401

    from mutation.kinds import KINDS
    from mutation.sandbox import tried

    _warm_up(options.seeds)
    kinds = {name: of for name, of in KINDS.items() if not options.kind or name in options.kind}
    numbers = (
        range(options.start + options.worker, options.start + options.count, options.jobs)
        if options.only is None
        else [options.only]
    )
    for row in tried(kinds, options.seeds, options.seed, numbers):
        print(json.dumps(row), flush=True)


def _warm_up(seeds):
    """Imports and reads what each child would again. No op runs: TensorFlow has no threads yet, so it can be forked."""
    import keras_gensynth_callback.lift.adapters.keras3  # noqa: F401
    import keras_gensynth_callback.lift.adapters.tf_keras  # noqa: F401
    from keras_gensynth_callback import write_report

    with tempfile.TemporaryDirectory() as folder:
        for prefix in ("cnn", "lstm"):
            write_report(os.path.join(seeds, prefix), os.path.join(folder, "page.html"))


def show(options, rows):
    """Prints the table, and what is bad; whether anything is."""
    classes = ("ok", "refused", "unforeseen", *BAD)
    counted = collections.Counter((kind, reader, found) for _, kind, reader, found, _ in rows)
    print(f"{'kind':10}{'reader':18}" + "".join(f"{name:>12}" for name in classes))
    for kind, reader in dict.fromkeys((row[1], row[2]) for row in sorted(rows, key=lambda row: row[1:3])):
        print(f"{kind:10}{reader:18}" + "".join(f"{counted[kind, reader, name]:>12}" for name in classes))
    shown = collections.Counter()
    for number, kind, reader, found, words in rows:
        shown[kind, reader, found, words[:60]] += 1
        if options.only is not None or found in (*BAD, "unforeseen") and shown[kind, reader, found, words[:60]] == 1:
            again = f"--seed {options.seed} --only {number}" + "".join(f" --kind {name}" for name in options.kind or ())
            print(f"\n{found}: {kind} read by {reader} ({again})\n  {words[:600]}")
    return any(row[3] in BAD for row in rows)


if __name__ == "__main__":
    began = time.monotonic()
    status = main()
    if "--worker" not in sys.argv:
        print(f"\n{time.monotonic() - began:.0f} s")
    sys.exit(int(bool(status)))
