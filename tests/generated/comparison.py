"""The numbers of TensorFlow 1.15 against those of Keras, with the bounds that the package promises."""

import numpy as np

BOUNDS = {
    "predict": 1e-5,
    "evaluate": 1e-5,
    "weighted": 1e-5,
    "gradient": 1e-4,
    "training": 1e-5,
    "after": 1e-5,
    "trained": 1e-4,
}
# Where Keras's own numbers move by more when its weights move by one rounding error: so many times that movement.
MOVEMENTS = 10
# A weight that moves further than this of itself, when it starts one rounding error off, is noise in Keras itself.
NOISE = 1e-2
STANDARD_ERRORS = 6.0


def complaints(wanted, facts, got, replayed, moved=None):
    """What falls short: list of lines, each `<what>: <by how much>`.

    Args:
        wanted, facts: what Keras said, from `witness`.
        got, replayed: what TensorFlow 1.15 said, from `replay_program`.
        moved: dict, how far Keras's own numbers move, by name; without it nothing is allowed for that.
    """
    found = ["%s: %s" % item for item in replayed["errors"].items()]
    found += ["structure: " + problem for problem in replayed["structure"]]
    found += ["agreement: " + problem for problem in replayed["changed"]]
    for kind in BOUNDS:
        if kind in ("predict", "evaluate", "weighted", "gradient") and facts["random_inference"]:
            continue
        found += _kind(kind, wanted, facts, got, replayed, moved or {})
    return found + _phases(wanted, facts, got, replayed)


def _kind(kind, wanted, facts, got, replayed, moved):
    stage = {
        "gradient": "differentiate",
        "training": "update",
        "after": "update",
        "trained": "train",
        "weighted": "evaluate",
    }.get(kind, kind)
    if stage in replayed["errors"] or "load" in replayed["errors"]:
        return []
    names = [name for name in wanted if name.startswith(kind + "/")]
    if kind == "training":
        names = [name for i, name in enumerate(names) if not facts["random"][i]]
    if kind == "after" and not facts["exact"]:
        names = []
    largest = max([np.abs(wanted[name]).max(initial=0) for name in names] + [0.0]) if kind == "gradient" else None
    return [
        line for name in names for line in _one(name, kind, wanted[name], got.get(name), moved.get(name, 0.0), largest)
    ]


def _one(name, kind, wanted, got, moved, largest):
    if got is None:
        if kind == "gradient" and not np.abs(wanted).max(initial=0):
            return []
        return [f"{name}: not there"]
    wanted, got = np.asarray(wanted, "f8"), np.asarray(got, "f8")
    if wanted.shape != got.shape:
        return [f"{name}: has the shape {got.shape}, in Keras {wanted.shape}"]
    if not wanted.size:
        return []
    scale = max(np.abs(wanted).max() if largest is None else largest, 1e-6)
    if kind == "trained" and moved / scale > NOISE:
        return []
    apart = float(np.abs(got - wanted).max()) / scale
    bound = max(BOUNDS[kind], MOVEMENTS * moved / scale)
    # Not-a-number is not within any bound.
    return [] if apart <= bound else [f"{name}: differs by {apart:.2g} of the largest value, allowed is {bound:.1g}"]


def _phases(wanted, facts, got, replayed):
    """States in inference, steps that are counted, and what is random."""
    found = []
    for name in [name for name in got if name.startswith("before/")]:
        if not np.array_equal(got[name], got[name.replace("before", "start")]):
            found.append(f"{name}: update_ops change a state in inference")
    states = [len([n for n in numbers if n.startswith("before/")]) for numbers in (wanted, got)]
    if "update" not in replayed["errors"] and "load" not in replayed["errors"] and states[0] != states[1]:
        found.append("states: there are %d, in Keras %d" % (states[1], states[0]))
    if replayed.get("steps", 3) != 3:
        found.append("global_step: counts %d of 3 steps" % replayed["steps"])
    if replayed.get("random_inference") and not facts["random_inference"]:
        found.append("random: it is random in inference")
    for i, (here, there) in enumerate(zip(replayed.get("random", []), facts["random"])):
        if here != there:
            found.append(f"random: output {i} is random in training: {here}, in Keras: {there}")
        elif there:
            found += _distribution(i, wanted, got)
    return found


def _distribution(i, wanted, got):
    calm = wanted[f"inference/{i}"].reshape(1, -1).astype("f8")
    ours, theirs = (_statistics(numbers[f"draws/{i}"], calm) for numbers in (got, wanted))
    found = []
    for name in ours:
        a, b = theirs[name], ours[name]
        floor = 1e-5 * max(np.abs(a).max(), np.abs(b).max(), 1e-6)
        error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)) + floor
        if not abs(a.mean() - b.mean()) <= STANDARD_ERRORS * error:
            found.append(f"random: {name} of output {i} is {b.mean():.4g}, in Keras {a.mean():.4g}")
    return found


def _statistics(runs, calm):
    runs = runs.reshape(len(runs), -1).astype("f8")
    return {
        "the share of zeros": (runs == 0).mean(1),
        "the distance from inference": np.abs(runs - calm).mean(1),
        "the mean": runs.mean(1),
        "the standard deviation": runs.std(1),
    }
