"""Puts each public function of keras.ops and TensorFlow into a layer, exports, replays, compares."""

import argparse
import importlib
import os
import re
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

from breadth.table import plain
from find_reader import find_reader
from reader import Reader

from functions import MODULES, calls, trying

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "FUNCTIONS.md"
_INTRO = """# Functions

Each public function of these modules that takes tensors is called in a layer with a weight, with arguments that it
takes; the model is trained a step, exported, and replayed in TensorFlow 1.15.5: prediction, loss, and the weights after
`train_op`. This page is written by `scripts/functions --write`.

- **right**: the numbers agree within 1e-5 (prediction) and 1e-4 (loss, weights) of the largest.
- **refused**: an error before training that says why.
- **not a model**: Keras itself does not train it.
- **not called**: no arguments of the script's fit it.
"""


def main():
    parser = argparse.ArgumentParser(prog="scripts/functions", description=__doc__)
    parser.add_argument("modules", nargs="*", default=MODULES, metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--only", metavar="PATTERN", default="", help="regular expression, looked for in names")
    parser.add_argument("--write", action="store_true", help="write docs/FUNCTIONS.md")
    options = parser.parse_args()
    reader, found = Reader(find_reader()), {}
    for module in options.modules:
        known = {name: each for name, each in calls.functions(_module(module)).items() if re.search(options.only, name)}
        found[module] = []
        for each in trying.tried(_new(known), reader):
            found[module].append(each)
            if each.outcome != trying.RIGHT:
                print(f"{each.outcome:12} {module}.{each.name}({each.call}) {each.why[:300]}", flush=True)
    print(_table(found))
    if options.write:
        PAGE.write_text(_page(found))
    return any(each.outcome in trying.FAULTS for every in found.values() for each in every)


def _module(name):
    package, _, rest = name.replace("tf", "tensorflow", 1).partition(".") if name.startswith("tf") else (name, "", "")
    module = importlib.import_module(package)
    for part in filter(None, rest.split(".")):
        module = getattr(module, part)
    return module


_SEEN = set()


def _new(known):
    """Without what stands in an earlier module under the same name: `tf.abs` is `tf.math.abs`."""
    fresh = {name: function for name, function in known.items() if function not in _SEEN}
    _SEEN.update(fresh.values())
    return fresh


def _table(found):
    lines = ["| module | functions | " + " | ".join(trying.OUTCOMES) + " |"]
    lines.append("|---|" + "---|" * (len(trying.OUTCOMES) + 1))
    for module, every in [*found.items(), ("all", sum(found.values(), []))]:
        counts = [sum(each.outcome == outcome for each in every) for outcome in trying.OUTCOMES]
        lines.append(f"| `{module}` | {len(every)} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _page(found):
    import keras
    import tensorflow as tf

    parts = [_INTRO, f"Seen with Keras {keras.__version__} in TensorFlow {tf.__version__}.\n", _table(found)]
    for outcome in trying.OUTCOMES[1:]:
        every = [(module, each) for module, all_ in found.items() for each in all_ if each.outcome == outcome]
        if every and outcome == trying.NOT_CALLED:
            parts.append(f"\n## {outcome.capitalize()}\n\n" + ", ".join(f"`{m}.{each.name}`" for m, each in every))
        elif every:
            lines = [f"- `{m}.{each.name}` ({each.call}): {plain(each.why)}" for m, each in every]
            parts.append(f"\n## {outcome.capitalize()}\n\n" + "\n".join(lines))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
