"""What writing costs a training, against the ways to write that Keras, TensorFlow and Orbax have.

All ways take turns in one process, on one model: each saves once and then trains some steps, as does a turn in which
nothing is saved. What is printed are medians over the rounds, and ratios of them. Peak memory is measured in a process
for each way.
"""

import argparse
import collections
import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.saving import MODELS, OURS, WAYS, bytes_of, compiled, emptied, state_of
from keras_gensynth_callback import export_checkpoint

Row = collections.namedtuple("Row", ["stall", "durable", "lost", "size", "peak", "first_peak"])


def sync(folder):
    """Flushes what was written to the disk; what flushed itself takes no time any more."""
    for path, _, files in os.walk(folder):
        for name in files:
            descriptor = os.open(os.path.join(path, name), os.O_RDWR)
            os.fsync(descriptor)
            os.close(descriptor)


def seconds(task, *arguments):
    started = time.perf_counter()
    task(*arguments)
    return time.perf_counter() - started


def turn(way, folder, train, steps):
    """One turn: seconds that the save took, and the save and the steps with whatever is written beside them."""
    stall = seconds(way.save)
    whole = stall + seconds(train, steps) + seconds(way.finish)
    sync(folder)
    return stall, whole


def durable(way, folder):
    """Seconds from the save until all is on the disk, when nothing is trained meanwhile."""
    return seconds(way.save) + seconds(way.finish) + seconds(sync, folder)


def measure(name, rounds, steps, root):
    """dict, name of a way -> Row; and the size of the training's state in bytes and the seconds of a step."""
    model, train = compiled(name)
    folders = {way: emptied(os.path.join(root, name, str(index))) for index, way in enumerate(WAYS)}
    there = {way: WAYS[way](model, folders[way]) for way in WAYS}
    for way in there:
        durable(there[way], folders[way])
    alone, turns = [], {way: [] for way in there}
    for number in range(rounds):
        alone.append(seconds(train, steps))
        for way in list(there) if number % 2 else reversed(list(there)):
            turns[way].append((*turn(there[way], folders[way], train, steps), durable(there[way], folders[way])))
    rows = {}
    for way, columns in turns.items():
        stall, whole, on_disk = (statistics.median(column) for column in zip(*columns))
        peaks = peaks_of(name, way)
        rows[way] = Row(stall, on_disk, whole - statistics.median(alone), size_of(folders[way]), *peaks)
    return rows, bytes_of(model), len(state_of(model)), statistics.median(alone) / steps


def size_of(folder):
    return sum(os.path.getsize(os.path.join(path, file)) for path, _, files in os.walk(folder) for file in files)


def peaks_of(name, way):
    """Bytes of memory above training alone: of later saves, and of the first."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.memory", name, way]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [int(value) for value in printed.split()[-2:]]


def report(name, rows, state, variables, step):
    """Prints a table."""
    print(f"\n{name}: {state / 1e6:.1f} MB in {variables} variables, a step takes {1e3 * step:.0f} ms\n")
    columns = ["way", "stall", "durable after", "training lost", "MB", "peak memory (the first), states"]
    print(f"| {' | '.join(columns)} | stall, ours to its | lost, ours to its |")
    print("| --- " * (len(columns) + 2) + "|")
    ours = rows[OURS]
    for way, row in rows.items():
        cells = [
            way,
            f"{1e3 * row.stall:.1f} ms",
            f"{1e3 * row.durable:.0f} ms",
            f"{1e3 * row.lost:.0f} ms",
            f"{row.size / 1e6:.1f}",
            f"{row.peak / state:.2f} ({row.first_peak / state:.2f})",
            f"1/{row.stall / ours.stall:.1f}",
            f"{ours.lost / row.lost:.2f}" if row.lost > 0 else "-",
        ]
        print(f"| {' | '.join(cells)} |")
    print(f"\nBytes of ours: {ours.size / state:.4f} of the state.", flush=True)


def first_exports(name, root, rounds=3):
    """Prints what the first export of a model costs, graph and all, against Keras's own `model.export`."""
    model, _ = compiled(name)
    tasks = {
        "trainable": lambda: export_checkpoint(model, os.path.join(root, "first", "trainable")),
        "inference": lambda: export_checkpoint(model, os.path.join(root, "first", "inference"), graph="inference"),
        "model.export": lambda: model.export(os.path.join(root, "first", "saved_model"), verbose=False),
    }
    taken = {task: [] for task in tasks}
    for number in range(rounds):
        for task in list(tasks) if number % 2 else reversed(list(tasks)):
            taken[task].append(seconds(tasks[task]))
    times = {task: statistics.median(values) for task, values in taken.items()}
    print(f"\n{name}, exported for the first time:", end=" ")
    print(", ".join(f"{task} {time:.2f} s ({time / times['model.export']:.2f})" for task, time in times.items()))


def draw(results, path):
    """A plot of stall, training lost and peak memory, ours and theirs, into a file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = {"stall": "stall, s", "lost": "training lost, s", "peak": "peak memory, states"}
    figure, axes = pyplot.subplots(len(results), 3, figsize=(11, 0.6 + 2.4 * len(results)), squeeze=False)
    for line, (name, (rows, state, *_)) in zip(axes, results.items()):
        for axis, (field, title) in zip(line, titles.items()):
            values = [getattr(row, field) / (state if field == "peak" else 1) for row in rows.values()]
            axis.barh(list(rows), values, color=["#0b7285" if way.startswith(OURS) else "#adb5bd" for way in rows])
            axis.invert_yaxis()
            axis.set_title(f"{name}: {title}", fontsize=9, loc="left")
            axis.tick_params(labelsize=8, labelleft=field == "stall")
            axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(prog="benchmarks/write", description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", choices=[*MODELS, []], help="which models; all if none is named")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="how many steps are trained after each save")
    parser.add_argument("--plot", metavar="FILE", help="draws a plot into a file, .png or .svg")
    options = parser.parse_args()
    results = {}
    for name in options.models or MODELS:
        with tempfile.TemporaryDirectory() as root:
            results[name] = measure(name, options.rounds, options.steps, root)
            report(name, *results[name])
            if name == "resnet50":
                first_exports(name, root)
    if options.plot:
        draw(results, options.plot)


if __name__ == "__main__":
    main()
