"""What Keras says of a case: its numbers, and how far they move when its weights move by one rounding error."""

import numpy as np

from .backends import backend_of, is_keras3
from .building import BATCH

# A half of float32's distance between neighbours, twice: each weight moves to a neighbour.
ROUNDING = 1.2e-7
RUNS = 12


class Witness:
    """Asks a case for its numbers.

    Args:
        keras: a Keras module.
        case: Case, trained.
    """

    def __init__(self, keras, case):
        self.keras, self.case, self.model = keras, case, case.model
        self.backend = backend_of(keras)
        self.first = self.backend.map(self._first, (case.x, case.y, case.sample_weight))
        held = [*self._state(), *self.model.trainable_variables]
        held += [*self.model.variables, *_optimizer_variables(self.model)]
        # Seeds move on, so that what is random differs each time.
        self.held = list({id(v): v for v in held if "seed_generator" not in getattr(v, "path", v.name)}.values())
        self.start = self._arrays(self.held)

    def numbers(self):
        """Returns a dict of arrays and one of facts."""
        self.backend.ask_directly(self.model)
        found = self._calm()
        again = self._outputs(False)
        facts = {"random_inference": not _same(again, self._outputs(False))}
        # Keras 3 weighs the mean of a loss without reduction by the size of the batch, tf_keras each element.
        facts["weighs_elements"] = not is_keras3(self.keras)
        before = self._arrays(self._state())
        found.update(_named("before", before))
        draws = [self._in_training() for _ in range(3)]
        facts["random"] = [
            not _same(*pair) for pair in zip(zip(draws[0][0], draws[0][0]), zip(draws[1][0], draws[2][0]))
        ]
        states = [state for _, state in draws]
        facts["exact"] = not any(facts["random"]) and all(_same(states[0], state) for state in states[1:])
        found.update(_named("after", states[0]))
        found.update(_named("training", draws[0][0]))
        if any(facts["random"]):
            found.update(_named("inference", again))
            for _ in range(RUNS - 3):
                draws.append(self._in_training())
            found.update(_named("draws", [np.stack(values) for values in zip(*(outputs for outputs, _ in draws))]))
        if facts["exact"]:
            found.update(self._stepped())
        self._restore()
        facts["metrics"] = sorted(name.split("/", 1)[1] for name in found if name.startswith("evaluate/"))
        facts["metric_variables"] = sum(len(m.variables) for m in self.model.metrics)
        facts["trainable"] = [list(v.shape) for v in self.model.trainable_variables]
        return found, facts

    def movements(self, found, facts):
        """How far each of the numbers moves: dict, name -> the largest difference that was seen."""
        moved = {}
        for seed in (5, 6):
            self._restore()
            self._shake(seed)
            shaken = self._calm()
            outputs, state = self._in_training(restore=False)
            self._restore()
            self._shake(seed)
            shaken.update(_named("training", outputs))
            shaken.update(_named("after", state))
            if facts["exact"]:
                shaken.update(self._stepped(restore=False))
            for name, value in shaken.items():
                moved[name] = max(moved.get(name, 0.0), _largest_difference(value, found[name]))
        self._restore()
        return moved

    def _calm(self):
        """Predictions, evaluation and gradients in inference."""
        case, model = self.case, self.model
        found = _named("predict", flat(model.predict(case.x, batch_size=BATCH, verbose=0)))
        said = model.evaluate(case.x, case.y, batch_size=BATCH, verbose=0, return_dict=True)
        found.update({f"evaluate/{name}": np.asarray(value) for name, value in said.items()})
        if case.sample_weight is not None:
            said = model.evaluate(
                case.x, case.y, sample_weight=case.sample_weight, batch_size=BATCH, verbose=0, return_dict=True
            )
            found.update({f"weighted/{name}": np.asarray(value) for name, value in said.items()})
        found.update(self._gradients())
        return found

    def _gradients(self):
        gradients = self.backend.gradients(self.model, *self.first[:2])
        return {f"gradient/{i}": value for i, value in enumerate(gradients) if value is not None}

    def _in_training(self, restore=True):
        """Outputs and states after a batch in the training phase."""
        outputs = self._outputs(True)
        if self.case.recipe.get("train_step") == "twice":
            self._outputs(True)
        state = self._arrays(self._state())
        if restore:
            self._restore()
        return outputs, state

    def _outputs(self, training):
        return self._arrays(flat(self.model(self.first[0], training=training)))

    def _stepped(self, restore=True):
        """The weights after three steps."""
        if restore:
            self._restore()
        x, y, sample_weight = self.first
        more = {} if self.case.class_weight is None else {"class_weight": self.case.class_weight}
        for _ in range(3):
            self.model.train_on_batch(x, y, sample_weight=sample_weight, **more)
        return _named("trained", self._arrays(self.model.trainable_variables))

    def _state(self):
        metrics = {id(v) for metric in self.model.metrics for v in metric.variables}
        held = [v for v in self.model.non_trainable_variables if hasattr(v, "value") and id(v) not in metrics]
        return [v for v, value in zip(held, self._arrays(held)) if value.dtype.kind == "f"]

    def _arrays(self, values):
        return [self.backend.array(value) for value in values]

    def _first(self, values):
        return None if values is None else self.backend.tensor(values[:BATCH])

    def _restore(self):
        for v, value in zip(self.held, self.start):
            v.assign(np.array(value))  # JAX may take the memory of what it is given

    def _shake(self, seed):
        noise = np.random.RandomState(seed)
        for v in self.model.trainable_variables:
            value = self.backend.array(v)
            v.assign((value * (1 + ROUNDING * noise.choice([-1, 1], value.shape))).astype(value.dtype))


def flat(values):
    """Outputs in the order of the model; those of a dict by the order of their names."""
    if isinstance(values, dict):
        return [values[name] for name in sorted(values)]
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _optimizer_variables(model):
    variables = model.optimizer.variables
    return variables() if callable(variables) else variables


def _named(kind, arrays):
    return {f"{kind}/{i}": np.asarray(a) for i, a in enumerate(arrays)}


def _same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other))


def _largest_difference(one, other):
    if np.size(one) == 0 or np.shape(one) != np.shape(other):
        return 0.0
    difference = np.abs(np.asarray(one, "f8") - np.asarray(other, "f8"))
    return float(np.nanmax(difference, initial=0.0))
