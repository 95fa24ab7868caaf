"""What a row has to hold: the numbers of TensorFlow 1.15 against those of Keras, one verdict a column."""

import numpy as np

COLUMNS = ("export", "predict", "evaluate", "gradients", "training", "states", "train steps", "random")
BOUND, LOOSE = 1e-5, 1e-4
# Keras's own numbers are moved three times; what another program's roundings do is a fourth draw of the same kind, and
# would lie beyond the furthest of the three one time in four.
SPREAD = 3.0
# The same for a model of few layers, whose weights are moved by one rounding error each.
MOVEMENTS = 10.0
# Each of four statistics of a random layer is compared with Keras's: so many standard errors may lie between them.
STANDARD_ERRORS = 6.0


def verdicts(wanted, facts, got, replayed):
    """Compares one row.

    Args:
        wanted, facts: what Keras said, from `keras_side`.
        got, replayed: what TensorFlow 1.15 said, from `replay`: numbers and facts.

    Returns:
        dict, column -> None where it holds, "–" where it does not apply, or str, what is wrong.
    """
    row = _Row(wanted, facts, got, replayed)
    checks = {
        "export": row.loads,
        "predict": row.predict,
        "evaluate": row.evaluate,
        "gradients": row.gradients,
        "training": row.training,
        "states": row.states,
        "train steps": row.train_steps,
        "random": row.random,
    }
    held = ("export", "predict") if facts.get("inference alone") else COLUMNS
    return {column: checks[column]() if column in held else "–" for column in COLUMNS}


class _Row:
    def __init__(self, wanted, facts, got, replayed):
        self.wanted, self.got, self.facts, self.replayed = wanted, got, facts, replayed
        self.errors = replayed.get("errors", {})

    def loads(self):
        return self.errors.get("load")

    def _failed(self, stage):
        return self.errors.get("load") or self.errors.get(stage)

    def predict(self):
        if self.facts["random_inference"]:
            return self._failed("predict") or "–"
        return self._failed("predict") or self._compared("predict", self._bound(BOUND, "predict")) or self._calm()

    def _calm(self):
        return "it is random in inference, and in Keras it is not" if self.replayed["random_inference"] else None

    def evaluate(self):
        return self._failed("evaluate") or (
            "–" if self.facts["random_inference"] else self._compared("evaluate", self._bound(BOUND, "evaluate"))
        )

    def gradients(self):
        failed = self._failed("differentiate")
        if failed:
            return failed
        phases = [] if self.facts["random_inference"] else ["inference"]
        phases += [] if self.facts["random"] else ["training"]
        return next(filter(None, map(self._gradients, phases)), None)

    def _gradients(self, phase):
        kind = f"gradient/{phase}"
        wanted, got = self._of(self.wanted, kind), self._of(self.got, kind)
        missing = sorted(set(wanted) - set(got))
        if missing:
            names = ", ".join(self.replayed["variables"][int(name.rpartition("/")[2])] for name in missing)
            return f"tf.gradients gives None for {names}"
        more = [name for name in set(got) - set(wanted) if np.abs(got[name]).max(initial=0)]
        if more:
            return f"there is a gradient that Keras does not give: {sorted(more)}"
        largest = max([np.abs(value).max(initial=0) for value in wanted.values()] + [1e-6])
        return _worst(
            {name: _apart(value, got[name], largest) for name, value in wanted.items()}, self._bound(LOOSE, kind)
        )

    def _bound(self, bound, kind):
        """The bound, or how far Keras's own numbers move when inputs or weights do by roundings."""
        moved = [self.wanted.get(f"{name}/{kind}", 0.0) for name in ("sensitivity", "movement")]
        return max(bound, SPREAD * float(moved[0]), MOVEMENTS * float(moved[1]))

    def training(self):
        if self.facts["random"]:
            return self._failed("update") or "–"
        return self._failed("update") or self._compared("training", self._bound(BOUND, "training"))

    def states(self):
        if self._failed("update"):
            return self._failed("update")
        if self.replayed.get("moved in inference"):
            return f"in inference a layer changes weights: {self.replayed['moved in inference']}"
        before = self._of(self.wanted, "before")
        if not before:
            return "–"
        moved = [name for name, value in before.items() if not np.array_equal(value, self.got.get(name))]
        if moved:
            return f"in inference a layer's state moves: {moved}"
        return None if self.facts["random"] else self._compared("after", self._bound(BOUND, "after"))

    def train_steps(self):
        if self._failed("train"):
            return self._failed("train")
        if self.replayed["steps"] != 3:
            return f"global_step counts {self.replayed['steps']} of 3 steps"
        return None if self.facts["random"] else self._compared("trained", self._bound(LOOSE, "trained"))

    def random(self):
        if not self.facts["random"]:
            return "–"
        if self._failed("draw"):
            return self._failed("draw")
        wanted, got = self.wanted["random/training"], self.got["random/training"]
        if all(np.array_equal(got[0], other) for other in got[1:]):
            return "all steps in training draw the same numbers"
        calm = self.wanted["random/inference"]
        problems = [
            f"{name}: {b.mean():.4g}, in Keras {a.mean():.4g}"
            for name, a, b in zip(_STATISTICS, _statistics(wanted, calm), _statistics(got, calm))
            if abs(a.mean() - b.mean()) > STANDARD_ERRORS * _standard_error(a, b)
        ]
        return "; ".join(problems) or None

    @staticmethod
    def _of(numbers, kind):
        return {name: value for name, value in numbers.items() if name.startswith(kind + "/")}

    def _compared(self, kind, bound):
        wanted = self._of(self.wanted, kind)
        missing = set(wanted) - set(self.got)
        if missing or (not wanted and kind != "after"):
            return f"not there: {sorted(missing) or kind}"
        errors = {}
        for name, value in wanted.items():
            if value.shape != self.got[name].shape:
                return f"{name} has the shape {self.got[name].shape}, in Keras {value.shape}"
            errors[name] = _apart(value, self.got[name], max(np.abs(_finite(value)).max(initial=0), 1e-6))
        return _worst(errors, bound)


_STATISTICS = ("share of zeros", "share of changed values", "mean", "standard deviation")


def _statistics(runs, calm):
    """For each run: the share of zeros and of values that differ from inference, mean and standard deviation."""
    runs = runs.reshape(len(runs), -1).astype("f8")
    calm = calm.reshape(1, -1).astype("f8")
    changed = np.abs(runs - calm) > 1e-4 * np.abs(calm).max()
    return (runs == 0).mean(1), changed.mean(1), runs.mean(1), runs.std(1)


def _standard_error(a, b):
    # The floor stands for rounding where all runs agree.
    floor = 1e-5 * max(np.abs(a).max(), np.abs(b).max(), 1e-6)
    return np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)) + floor


def _finite(value):
    return value[np.isfinite(value)] if value.dtype.kind == "f" else value


def _apart(wanted, got, largest):
    """The largest difference, relative to `largest`; not-a-numbers and infinities have to be at the same places."""
    wanted, got = np.asarray(wanted, "f8"), np.asarray(got, "f8")
    same = (wanted == got) | (np.isnan(wanted) & np.isnan(got))
    if wanted.shape != got.shape or not np.isfinite(np.where(same, 0.0, got - wanted)).all():
        return np.inf
    return np.abs(np.where(same, 0.0, got - wanted)).max(initial=0) / largest


def _worst(errors, bound):
    name = max(errors, key=errors.get, default=None)
    if name is None or errors[name] <= bound:
        return None
    return f"{name} differs by {errors[name]:.2g} of the largest value, allowed is {bound:.0e}"
