"""What Keras says of a batch, with the model, its metrics, optimizer and seeds afterwards as they were before.

The model's own Python runs as in `fit`, without what a trace for TensorFlow 1.x exchanges in it.
"""

import contextlib
import random
from typing import Dict

import numpy as np
import tensorflow as tf

from .adapters import restored_lists
from .steps import flat_logs

# One rounding error of each type.
_ROUNDING = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-23}
_NUMBERS = "fciub"


class KerasNumbers:
    """Runs the steps of a model on one batch.

    Args:
        adapter: Adapter of an eager model that trains on one device.
        lifted: Lifted of the model.
        serving, batch: what `predict_step` and the other steps are fed with, as nests of arrays.
    """

    def __init__(self, adapter, lifted, serving, batch):
        self._adapter, self._lifted = adapter, lifted
        self._data = tf.nest.map_structure(tf.convert_to_tensor, (serving, batch))
        types = {getattr(layer, "compute_dtype", None) for layer in adapter.layers()}
        self._rounding = next(error for name, error in _ROUNDING.items() if name in types or name == "float32")
        variables = adapter.variables()
        self._variables = [variable.value for variable in variables]
        self._seeds = {id(v.value) for v in variables if v.kind == "state" and v.own_dtype.is_integer}
        self._values = [np.array(variable.numpy()) for variable in self._variables]

    def found(self):
        """What can be compared: dict, name -> (array, how far it moves with a rounding error of the weights)."""
        with _undisturbed(self._adapter):
            try:
                tasks = self._that_run(self._compiled())
                once, again = self._once(tasks), self._once(tasks, seeds=1)
                moved = [self._once(tasks, sign) for sign in (1, -1)]
            finally:
                self._put_back()
        same = [name for name in once if _equal(once[name], again[name])]
        return {name: (once[name], max(_distance(once[name], other[name]) for other in moved)) for name in same}

    def _compiled(self):
        """The steps, traced once each: as Keras runs them."""
        (serving, batch), steps = self._data, self._adapter.steps
        tasks = [(self._predictions("predictions"), lambda: steps.predict_step((serving,)))]
        if self._lifted.learning_phase is None:
            return [(name, tf.function(task, autograph=False)) for name, task in tasks]
        if self._lifted.inputs == self._lifted.step_inputs:
            inputs = batch[0]
            tasks.append(
                (self._predictions("predictions in training"), lambda: self._adapter.forward_in_training(inputs))
            )
        if self._lifted.metrics:
            tasks.append((_metrics, lambda: flat_logs(steps.test_step(batch))))
        if self._lifted.train_op:
            tasks.append((self._trained, lambda: flat_logs(steps.train_step(batch)) and None))
        return [(name, tf.function(task, autograph=False)) for name, task in tasks]

    def _that_run(self, tasks):
        """The tasks that Keras itself can do on this machine. It must predict; what it may not be able to do is, for
        example, the gradient of a convolution with channels in front on a CPU."""
        able = tasks[:1]
        self._once(able)
        for task in tasks[1:]:
            with contextlib.suppress(tf.errors.OpError):
                self._once([task])
                able.append(task)
        return able

    def _predictions(self, title):
        names = list(self._lifted.outputs)
        return lambda result: {f"{title}/{name}": leaf for name, leaf in zip(names, tf.nest.flatten(result))}

    def _trained(self, _):
        before = {id(variable): value for variable, value in zip(self._variables, self._start)}
        found = {}
        for variable in self._lifted.variables:
            if variable.trainable:
                found[f"trained/{variable.name}"] = variable.value.numpy() - before[id(variable.value)]
        return found

    def _once(self, tasks, sign=0, seeds=0):
        """The numbers of all tasks, each begun with the same values; where there is a sign, with weights rounded in
        its direction, and with seeds that are so much further."""
        numbers: Dict[str, np.ndarray] = {}
        for named, task in tasks:
            self._put_back(sign, seeds)
            self._adapter.reset_metrics()
            numbers.update((name, np.array(value)) for name, value in named(task()).items())
        return numbers

    def _put_back(self, sign=0, seeds=0):
        self._start = []
        trainable = {id(variable.value) for variable in self._lifted.variables if variable.trainable}
        for index, (variable, value) in enumerate(zip(self._variables, self._values)):
            if sign and id(variable) in trainable and value.dtype.kind == "f":
                signs = np.random.RandomState(index).choice([-sign, sign], value.shape)
                value = (value * (1 + self._rounding * signs)).astype(value.dtype)
            variable.assign(value + value.dtype.type(seeds) if id(variable) in self._seeds else value)
            self._start.append(value)


def _metrics(logs):
    return {f"metrics/{name}": value for name, value in logs.items() if tf.is_tensor(value)}


def _equal(one, other):
    return one.dtype.kind in _NUMBERS and np.array_equal(np.nan_to_num(one), np.nan_to_num(other))


def _distance(one, other):
    if not one.size:
        return 0.0
    return float(np.max(np.abs(np.nan_to_num(one.astype("float64")) - np.nan_to_num(other.astype("float64")))))


@contextlib.contextmanager
def _undisturbed(adapter):
    """What Keras and Python remember of a run is put back."""
    python, numpy = random.getstate(), np.random.get_state()
    keeps = restored_lists(list(adapter.layers()), ("_losses", "_loss_ids", "_eager_losses"))
    try:
        with keeps, adapter.seeds_kept():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
