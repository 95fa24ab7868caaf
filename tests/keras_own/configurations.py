"""A configuration: a class of Keras, what it is made with, and what it is called with; and equal ones found."""

import collections
import inspect
import json

import keras
import numpy as np
import tensorflow as tf

# What `**kwargs` of a constructor takes, with the defaults.
_ALWAYS = {
    "optimizers": {
        "weight_decay": None,
        "clipnorm": None,
        "clipvalue": None,
        "global_clipnorm": None,
        "use_ema": False,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": None,
        "loss_scale_factor": None,
        "gradient_accumulation_steps": None,
    }
}


class Configuration:
    """What a test of Keras makes.

    Attributes:
        kind: one of `keras_own.KINDS`.
        cls: the class.
        inputs: for a layer, a structure of `Array`; for a loss or metric, the arrays of its first call; or None.
        call_kwargs: dict, further arguments of the call of a layer.
        where: str, the test; `module` is the path of its module.
    """

    def __init__(self, kind, cls, kwargs, where, inputs=None, call_kwargs=None, module=None):
        self.kind, self.cls, self.where, self.module = kind, cls, where, module
        self.inputs, self.call_kwargs = inputs, dict(call_kwargs or {})
        self._kwargs, self.plain = kwargs, _plain(kwargs)

    def __getstate__(self):
        # What can be made anew need not be kept: layers cannot.
        return {**vars(self), "_kwargs": self._kwargs if self.plain is None else None}

    @property
    def name(self):
        return self.cls.__name__

    def kwargs(self):
        """The arguments, made anew where they can be written as JSON: a layer among them must not be shared."""
        return (
            dict(self._kwargs)
            if self.plain is None
            else keras.saving.deserialize_keras_object(self.plain, safe_mode=False)
        )

    def described(self):
        """JSON-able: what makes this configuration differ from others."""
        return {
            "kind": self.kind,
            "class": f"{self.cls.__module__}.{self.cls.__qualname__}",
            "kwargs": self.plain if self.plain is not None else {k: _said(v) for k, v in self._kwargs.items()},
            "inputs": tf.nest.map_structure(_said, self.inputs),
            "call_kwargs": {k: tf.nest.map_structure(_said, v) for k, v in self.call_kwargs.items()},
        }

    def key(self):
        """Equal for configurations that differ by names or by arguments that are the default alone."""
        described = self.described()
        defaults = {name: _said(p.default) for name, p in inspect.signature(self.cls.__init__).parameters.items()}
        kwargs = {**_ALWAYS.get(self.kind, {}), **defaults, **described["kwargs"]}
        kwargs = {k: _default_type(v) if k == "dtype" else v for k, v in kwargs.items() if k != "name"}
        return json.dumps({**described, "kwargs": kwargs}, sort_keys=True, default=str)

    def __str__(self):
        said = {k: v for k, v in self.described().items() if k in ("kwargs", "inputs", "call_kwargs") and v}
        return f"{self.kind} {self.name} {json.dumps(said, default=str)}"


class Array:
    """An input of a layer: its values, one of `dense`, `sparse` and `ragged`, and whether they are only examples."""

    def __init__(self, values, form="dense", drawn=False):
        self.values, self.form, self.drawn = np.asarray(values), form, drawn

    def __str__(self):
        more = "" if self.form == "dense" else f" {self.form}"
        return f"{self.values.dtype}{list(self.values.shape)}{more}"


def distinct(configurations):
    """The configurations without those that are equal to an earlier one."""
    found = {}
    for configuration in configurations:
        found.setdefault(configuration.key(), configuration)
    return list(found.values())


def class_by_class(configurations):
    """In another order: one of each class, then a second one of each, and so on, so that faults show early. Layers that
    work on images with loops, which take ten times as long as others, come last.
    """
    turns, seen = [], collections.Counter()
    for configuration in configurations:
        slow = "image_preprocessing" in str(configuration.module)
        turns.append(((slow, seen[configuration.cls]), configuration))
        seen[configuration.cls] += 1
    return [configuration for _, configuration in sorted(turns, key=lambda turn: turn[0])]


def bound_arguments(function, args, kwargs):
    """The arguments of a call of a bound method by name; what `**kwargs` took stands among them."""
    signature = inspect.signature(function)
    found = {}
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            raise TypeError(f"takes *{name}")
        found.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
    return found


def _default_type(dtype):
    """None for the type that Keras computes in anyway."""
    name = dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype
    return None if name == "float32" else dtype


def _plain(kwargs):
    """`kwargs` as JSON-able values from which Keras makes them again; or None."""
    try:
        plain = json.loads(json.dumps(keras.saving.serialize_keras_object(kwargs)))
        keras.saving.deserialize_keras_object(plain, safe_mode=False)
        return plain
    except Exception:
        return None


def _said(value):
    if isinstance(value, np.ndarray):
        return str(Array(value))
    if isinstance(value, (Array, bool, int, float, str, type(None))):
        return str(value) if isinstance(value, Array) else value
    if tf.is_tensor(value):
        return f"{value.dtype.name}{value.shape}"
    return getattr(value, "__qualname__", type(value).__qualname__)
