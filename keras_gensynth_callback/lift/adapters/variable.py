"""A variable of a model: what it is, and which name TensorFlow 1.15 would give it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

# TensorFlow 1.x assigns no uint32 on a CPU; Keras 3.0 keeps the state of its seeds in it.
_WIDER = {tf.uint32: tf.int64}


@dataclass(frozen=True, eq=False, repr=False)
class Variable:
    """A variable of the model and the name it has in the graph.

    Attributes:
        name: str, `conv2d/kernel`.
        value: the tf.Variable.
        own_dtype: its tf.DType.
        dtype: the tf.DType that it has in the graph.
        trainable: bool.
        kind: str, `weight`, `state` (RNG), `metric`, `last` (what a metric without variables gave), `optimizer` or
            `other`.
        initializer: the Keras initializer of a weight, or None.
    """

    name: str
    value: Any
    kind: str
    trainable: bool = False
    initializer: Any = None

    @property
    def own_dtype(self):
        return tf.as_dtype(self.value.dtype).base_dtype

    @property
    def dtype(self):
        return _WIDER.get(self.own_dtype, self.own_dtype)

    @property
    def shape(self):
        """The tf.TensorShape of the value that the variable holds now, all of it known."""
        shape = self.value.shape
        return shape if shape.is_fully_defined() else tf.TensorShape(self.value.read_value().shape)

    def of_graph(self, value):
        """A value of the variable, in the type that it has in the graph."""
        return value if self.dtype == self.own_dtype else np.asarray(value).astype(self.dtype.as_numpy_dtype)

    def __repr__(self):
        return f"<Variable {self.name}: {self.kind}, shape {tuple(self.value.shape)}>"


class LastValue:
    """Zeros, as before the first batch, in the place of a variable: Keras has none.

    Args:
        spec: tf.TensorSpec of the metric.
    """

    def __init__(self, spec):
        self.dtype, self.shape = spec.dtype, spec.shape

    def read_value(self):
        dims = [size or 0 for size in self.shape.as_list()] if self.shape.rank is not None else []
        return tf.make_ndarray(tf.make_tensor_proto(0, self.dtype, dims))


def free_name(name, taken):
    """`name`, or one like it that is not among `taken`, which has names in lower case."""
    candidate, number = name, 0
    while candidate.lower() in taken:
        number += 1
        head, _, tail = name.rpartition("/")
        candidate = f"{head}_{number}/{tail}" if head else f"{name}_{number}"
    return candidate


def slot_name(name, optimizer, references):
    """The name TF 1.15 gives to a slot: `training/Adam/conv2d/kernel/m` of `adam/conv2d_kernel_momentum` or
    `Adam/m/conv2d/kernel`.

    Args:
        name: str, the variable's own name.
        optimizer: str, the optimizer's class name.
        references: dict, the spelling of a variable's name inside of slot names -> the variable's name in the graph.
    """
    rest = name.split("/", 1)[1] if "/" in name else name
    if rest in ("iteration", "iterations"):
        return f"training/{optimizer}/iter"
    for spelled in sorted(references, key=len, reverse=True):
        if rest.startswith(spelled + "_"):
            return f"training/{optimizer}/{references[spelled]}/{_slot(rest[len(spelled) + 1 :], optimizer)}"
        if rest.endswith("/" + spelled):
            return f"training/{optimizer}/{references[spelled]}/{_slot(rest[: -len(spelled) - 1], optimizer)}"
    return f"training/{optimizer}/{rest}"


def _slot(slot, optimizer):
    if "Adam" in optimizer:
        return {"momentum": "m", "velocity": "v"}.get(slot, slot)
    return {"m": "momentum"}.get(slot, slot) if optimizer == "SGD" else slot
