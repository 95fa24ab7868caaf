"""Measures exports against the graphs that TensorFlow 1.15's own tf.keras makes of the same models.

    python -m benchmarks.graph [--rounds N] [--folder FOLDER] [MODEL...]

prints a table: how many nodes each graph has, and how long each takes in one process of TensorFlow 1.15, for a
prediction, for the gradients of the loss, and for a training step with Adam.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import models

HERE = Path(__file__).resolve().parent
KERASES = ("keras", "tf_keras")
TIMED = ("prediction", "gradients", "train step")


def main(arguments=None):
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or scratch
        reader = _output(sys.executable, HERE.parent / "scripts" / "find_reader.py").strip().splitlines()[-1]
        _run(reader, HERE / "native.py", folder, *options.models)
        for keras in KERASES:
            _run(sys.executable, "-m", "benchmarks.exported", folder, keras, *options.models)
            _run(reader, HERE / "side_by_side.py", folder, keras, options.rounds, *options.models)
        measured = {keras: json.loads(Path(folder, keras + ".json").read_text()) for keras in KERASES}
    print(_versions(reader))
    print(table(measured))


def table(measured):
    """A Markdown table of what `side_by_side.py` wrote: dict, Keras -> dict, model -> measurements."""
    head = ["model", "exported from", "nodes, forward", "nodes, model", *TIMED]
    rows = [head, ["---"] * len(head)]
    for keras, found in measured.items():
        rows += [[name, keras, *_cells(facts)] for name, facts in found.items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cells(facts):
    for part in ("forward", "model"):
        ours, native = (sum(facts["nodes"][side][part].values()) for side in ("ours", "native"))
        yield f"{ours} / {native} = {ours / native:.2f}"
    for label in TIMED:
        seconds = facts["seconds"].get(label)
        yield f"{seconds['ratio']:.2f} ({1e3 * seconds['ours']:.0f} ms)" if seconds else ""


def _versions(reader):
    import tensorflow as tf

    versions = [f"TensorFlow {tf.__version__}"]
    for keras in KERASES:
        versions.append(f"{keras} {__import__(keras).__version__}")
    native = _output(reader, "-W", "ignore", "-c", "import tensorflow as tf; print(tf.__version__)").strip()
    return f"Exported with {', '.join(versions)}; run in TensorFlow {native}, {os.cpu_count()} cores.\n"


def _options(arguments):
    parser = argparse.ArgumentParser(prog="benchmarks/run", description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(models.ALL)}; all, if none is named")
    parser.add_argument("--rounds", type=int, default=10, help="how often each graph runs; 0: count nodes alone")
    parser.add_argument("--folder", help="keep the graphs and measurements here")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.models) - set(models.ALL))
    if unknown:
        parser.error(f"there is no model {', '.join(unknown)}; there are {', '.join(models.ALL)}")
    return options


def _environ():
    environ = {name: value for name, value in os.environ.items() if name != "TF2_BEHAVIOR"}
    return {**environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}


def _run(*command):
    subprocess.run([str(part) for part in command], check=True, env=_environ(), cwd=str(HERE.parent))


def _output(*command):
    return subprocess.check_output([str(part) for part in command], env=_environ(), text=True)


if __name__ == "__main__":
    main()
