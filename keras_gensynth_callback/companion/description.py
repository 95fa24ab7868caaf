"""What another process makes the same model of: its configuration, and what no configuration says. All as JSON."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import types
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Tuple

import numpy as np

from keras_gensynth_callback.errors import UnsupportedModelError
from keras_gensynth_callback.kerases import of_framework

from . import keras_privates

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Model, Nest
    from keras_gensynth_callback.options import ExportOptions

# Groups of variables: what the model holds, its metrics, its optimizers.
GROUPS = ("weights", "metrics", "optimizer")


def settings_of_keras() -> Dict[str, Any]:
    """What a program may set in Keras, and layers and functions ask for; nothing where it has not imported Keras."""
    if "keras" not in sys.modules:
        return {}
    config = sys.modules["keras"].config
    return {
        "floatx": config.floatx(),
        "epsilon": config.epsilon(),
        "image_data_format": config.image_data_format(),
        "dtype_policy": config.dtype_policy().name,
    }


def described(model: Model) -> Dict[str, Any]:
    """A model: its configuration, the names of its layers, and whether they are trained.

    Raises:
        UnsupportedModelError: the configuration cannot be had.
    """
    with keras_privates.without_tensorflow(), keras_privates.noted_objects() as written:
        config = _configuration(model)
    layers = keras_privates.layers_of(model)
    return {
        "config": config,
        "layers": [layer.name for layer in layers],
        "trainable": [bool(layer.trainable) for layer in layers],
        "objects": _places(model, written),
        "variables": {
            name: [[variable.path, list(variable.shape)] for variable in variables]
            for name, variables in variables_of(model).items()
        },
    }


def _places(model: Model, written: List[Any]) -> Dict[str, List[str]]:
    """Where the classes and functions are defined that are none of Keras's: dict, name for Keras -> module and name."""
    keras = sys.modules["keras"]
    found: Dict[str, List[str]] = {}
    for value in [value if isinstance(value, types.FunctionType) else type(value) for value in written]:
        place = [value.__module__, value.__qualname__]
        name = keras.saving.get_registered_name(value)
        if of_framework(value) or place[0] == "builtins" or "<lambda>" in place[1]:
            continue
        if found.setdefault(name, place) != place:
            raise UnsupportedModelError(
                f"The model `{model.name}` holds two classes or functions that Keras knows by the name {name!r}: "
                f"{'.'.join(found[name])} and {'.'.join(place)}. By it the process that exports the model finds them. "
                "Give one of them another name, or register it under one: `keras.saving.register_keras_serializable`."
            )
    return found


def _configuration(model: Model) -> Dict[str, Any]:
    keras = sys.modules["keras"]
    try:
        config = keras.saving.serialize_keras_object(model)
        return keras_privates.of_any_backend(json.loads(json.dumps(config)))
    except Exception as error:
        raise UnsupportedModelError(
            f"The model `{model.name}` of class {type(model).__name__} runs on the backend {keras.config.backend()!r}, "
            "and is exported by another process, which makes it again from its configuration. It gives none: "
            f"{type(error).__name__}: {error} Expected: a model that `keras.saving.serialize_keras_object` can write "
            "down. Give its class, and those of its layers, a `get_config` that returns what `__init__` takes."
        ) from error


def variables_of(model: Model) -> Dict[str, List[Any]]:
    """The Keras variables of a model, each once: dict, group -> list, in an order that is the same in any process."""
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    optimizers = [variable for optimizer in _optimizers(model) for variable in optimizer.variables]
    others = {id(variable) for variable in [*metrics, *optimizers]}
    weights = [variable for variable in model.variables if id(variable) not in others]
    return {name: _once(group) for name, group in zip(GROUPS, (weights, metrics, optimizers))}


def _optimizers(model: Model) -> List[Any]:
    held = [value for value in vars(model).values() if hasattr(value, "apply_gradients")]
    return _once([value for value in [getattr(model, "optimizer", None), *held] if hasattr(value, "variables")])


def _once(values: List[Any]) -> List[Any]:
    return list({id(value): value for value in values}.values())


def values_of(variables: List[Any]) -> List[np.ndarray]:
    """The values of Keras variables, in the memory that they lie in where NumPy can see it."""
    return [np.asarray(variable.__array__()) for variable in variables]


def flat(groups: Dict[str, List[Any]]) -> List[Any]:
    """All members of groups, in order."""
    return list(itertools.chain.from_iterable(groups[name] for name in GROUPS))


def of_options(options: ExportOptions) -> Dict[str, Any]:
    """ExportOptions as JSON."""
    found = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return dict(found, input_signature=of_nest(options.input_signature))


def of_nest(nest: Nest) -> Any:
    """A nest of what has a shape and a type, as JSON; `companion_program.nests` reads it."""
    if nest is None:
        return None
    if isinstance(nest, dict):
        return {"dict": [[key, of_nest(value)] for key, value in nest.items()]}
    if isinstance(nest, (list, tuple)) and not hasattr(nest, "dtype"):
        return {"list" if isinstance(nest, list) else "tuple": [of_nest(value) for value in nest]}
    return {"shape": [None if size is None else int(size) for size in nest.shape], "dtype": _dtype(nest.dtype)}


def _dtype(dtype: Any) -> str:
    """The name of a type of NumPy, JAX, Torch or TensorFlow."""
    return getattr(dtype, "name", None) or str(dtype).split(".")[-1]


def spec_of_batch(model: Model, batch: Any) -> Any:
    """The shapes and types of a batch that `fit` was given, as `of_nest` writes them, with open sizes where the model
    has them.
    """
    if isinstance(batch, list):  # as a DataLoader of Torch gives it, and Keras takes it
        batch = tuple(batch)
    x, *rest = batch if isinstance(batch, tuple) else (batch,)
    opened = _opened(of_nest(x), _structure(model, "input"))
    others = [_opened(of_nest(part), _structure(model, "output")) for part in rest]
    return {"tuple": [opened, *others]} if isinstance(batch, tuple) else opened


def _structure(model: Model, what: str) -> List[Tuple[Any, ...]]:
    try:
        tensors = getattr(model, f"{what}s", None)
    except ValueError:
        return []
    return [tuple(tensor.shape) for tensor in tensors or []]


def _opened(described_nest: Any, shapes: List[Tuple[Any, ...]]) -> Any:
    """A described nest without the sizes that are those of this batch alone."""
    leaves = list(_leaves(described_nest))
    matching = shapes if len(shapes) == len(leaves) else [()] * len(leaves)
    for leaf, shape in zip(leaves, matching):
        sizes = list(leaf["shape"])
        for axis in range(len(sizes)):
            if axis == 0 or axis < len(shape) and shape[axis] is None:
                sizes[axis] = None
        leaf["shape"] = sizes
    return described_nest


def _leaves(described_nest: Any) -> Iterator[Dict[str, Any]]:
    if described_nest is None:
        return
    if "shape" in described_nest:
        yield described_nest
        return
    for kind in ("list", "tuple", "dict"):
        for member in described_nest.get(kind, ()):
            yield from _leaves(member[1] if kind == "dict" else member)
