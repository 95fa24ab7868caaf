"""`scripts/fuzz`: seeds become models, which are exported, replayed in TensorFlow 1.15 and compared with Keras."""

import argparse
import json
import os
import queue
import sys
import threading
import time
from collections import Counter

from other_backends import NoBackend, find_python

from .backends import NAMES, drawn_for
from .oracle import OUTCOMES, Oracle
from .recipes import recipe as recipe_of
from .shrinking import shrink


def _seeds(text):
    first, _, last = text.partition(":")
    return range(int(first), int(last or first) + 1)


def _arguments():
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=range(1, 61), help="which ones, as 1:300 (default 1:60)")
    parser.add_argument("--seed", type=int, help="one alone")
    parser.add_argument("--keras", nargs="+", choices=("keras", "tf_keras"), default=["keras"])
    parser.add_argument(
        "--backend", choices=NAMES, default="tensorflow", help="what Keras 3 runs on (default tensorflow)"
    )
    parser.add_argument("--recipe", help="a recipe as JSON instead of seeds, with --seed for its numbers")
    parser.add_argument("--show", action="store_true", help="print the recipes and run nothing")
    parser.add_argument("--no-shrink", action="store_true", help="leave failing recipes as they are")
    parser.add_argument("--tries", type=int, default=60, help="runs to shrink a recipe with (default 60)")
    parser.add_argument("--trace", action="store_true", help="print the tracebacks of failures")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="pairs of processes (default: one a CPU)")
    arguments = parser.parse_args()
    if arguments.backend != "tensorflow":
        if arguments.keras != ["keras"]:
            parser.error("tf_keras runs on TensorFlow only")
        try:
            find_python(arguments.backend)
        except NoBackend as error:
            parser.error(str(error))
    return arguments


def _examine(oracle, seed, recipe, arguments):
    """Runs one seed; returns its result and the smallest recipe that fails like it."""
    started = time.time()
    result = oracle(recipe, seed)
    result.took = time.time() - started
    result.smallest = None
    if result.failed and not arguments.no_shrink:
        kind = result.kind()
        result.smallest = shrink(recipe, lambda other: oracle(other, seed).kind() == kind, arguments.tries)
    return result


def _line(keras, seed, result, arguments):
    title = keras if arguments.backend == "tensorflow" else arguments.backend
    text = f"{result.outcome:11} {title} {seed}  ({result.took:.1f} s, {result.nodes or '-'} nodes)"
    for line in result.lines[:6]:
        text += "\n            " + " ".join(line.split())[:400]
    if len(result.lines) > 6:
        text += f"\n            and {len(result.lines) - 6} more"
    if result.smallest is not None:
        options = f"--keras {keras} --backend {arguments.backend} --seed {seed}"
        command = f"scripts/fuzz {options} --recipe '{json.dumps(result.smallest)}'"
        text += f"\n            smallest: {command}"
    if arguments.trace and result.trace:
        text += "\n" + result.trace
    return text


def _work(waiting, done, arguments):
    oracles = {}
    try:
        for keras, seed, recipe in iter(waiting.get_nowait, None):
            if keras not in oracles:
                for other in oracles.values():
                    other.close()
                oracles = {keras: Oracle(keras, arguments.backend)}
            done.put((keras, seed, _examine(oracles[keras], seed, recipe, arguments)))
    except queue.Empty:
        pass
    except Exception as error:
        done.put(error)
    finally:
        for oracle in oracles.values():
            oracle.close()
        done.put(None)


def _run(tasks, arguments):
    """Yields (keras, seed, result) as they end."""
    waiting, done = queue.Queue(), queue.Queue()
    for task in tasks:
        waiting.put(task)
    jobs = max(1, min(arguments.jobs, len(tasks)))
    for _ in range(jobs):
        threading.Thread(target=_work, args=(waiting, done, arguments), daemon=True).start()
    while jobs:
        item = done.get()
        if isinstance(item, Exception):
            raise item
        if item is None:
            jobs -= 1
        else:
            yield item


def main():
    arguments = _arguments()
    seeds = arguments.seeds if arguments.seed is None else [arguments.seed]
    given = json.loads(arguments.recipe) if arguments.recipe else None
    recipes = {seed: given or drawn_for(arguments.backend, recipe_of(seed)) for seed in seeds}
    if arguments.show:
        for seed in seeds:
            print(seed, json.dumps(recipes[seed]))
        return 0
    started, counts = time.time(), {keras: Counter() for keras in arguments.keras}
    tasks = [(keras, seed, recipes[seed]) for keras in arguments.keras for seed in seeds]
    seconds = Counter()
    for keras, seed, result in _run(tasks, arguments):
        counts[keras][result.outcome] += 1
        seconds.update(result.seconds)
        print(_line(keras, seed, result, arguments), flush=True)
    print(f"\n{'':10}" + "".join(f"{outcome:>13}" for outcome in OUTCOMES))
    for keras, found in counts.items():
        print(f"{keras:10}" + "".join(f"{found[outcome]:>13}" for outcome in OUTCOMES))
    parts = ", ".join(f"{part} {value:.0f} s" for part, value in seconds.items())
    print(f"\n{len(tasks)} in {time.time() - started:.0f} s ({parts})")
    failed = sum(n for found in counts.values() for outcome, n in found.items() if outcome not in ("ok", "invalid"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
