"""What Keras 3 has no public name for, and the side that trains needs: the one module here with its private names.

Seen in Keras 3.15.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Iterator, List

# Of no other name: keras/src/trainers/trainer.py, keras/src/backend/*/trainer.py.
STEPS = ("train_step", "test_step", "predict_step")


class _NotThere:
    available = False


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """Inside of the block Keras does not import TensorFlow to find that an object is none of its.

    `serialize_keras_object` asks a lazy module, which imports TensorFlow when it is asked
    (keras/src/saving/serialization_lib.py, `tf.available`).
    """
    module: Any = sys.modules["keras.src.saving.serialization_lib"]
    if "tensorflow" in sys.modules or not hasattr(module, "tf"):
        yield
        return
    kept, module.tf = module.tf, _NotThere()
    try:
        yield
    finally:
        module.tf = kept


@contextlib.contextmanager
def noted_objects() -> Iterator[List[Any]]:
    """The objects and functions that are serialized inside of the block, in a list. Keras writes down the name of a
    function, and not the module that it is of (keras/src/saving/serialization_lib.py, `_get_class_or_fn_config`).
    """
    module: Any = sys.modules["keras.src.saving.serialization_lib"]
    found: List[Any] = []
    kept = module._get_class_or_fn_config

    def noting(value: Any) -> Any:
        found.append(value)
        return kept(value)

    module._get_class_or_fn_config = noting
    try:
        yield found
    finally:
        module._get_class_or_fn_config = kept


def of_any_backend(config: Any) -> Any:
    """A configuration with Keras's own name for the optimizers that it has for Torch alone, and makes where one asks
    for `keras.optimizers.Adam` (keras/src/backend/torch/optimizers).
    """
    if isinstance(config, list):
        return [of_any_backend(value) for value in config]
    if not isinstance(config, dict):
        return config
    config = {key: of_any_backend(value) for key, value in config.items()}
    if str(config.get("module")).startswith("keras.src.backend.torch.optimizers"):
        return dict(config, module="keras.optimizers", registered_name=None)
    return config


def layers_of(model: Any) -> List[Any]:
    """The model and all layers in it, at any depth; outer ones first."""
    return list(model._flatten_layers())


def is_away(variable: Any) -> bool:
    """Whether `fit` of JAX has taken the value out of a variable, as it does between two steps
    (keras/src/backend/jax/trainer.py, `_purge_model_variables`).
    """
    return getattr(variable, "_value", variable) is None


def put_back(model: Any, state: Any) -> None:
    """Gives the variables the values that `fit` of JAX took out of them for a step that never came."""
    names = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
    model._jax_state, model._jax_state_synced = dict(zip(names, state)), False
    model.jax_state_sync()


def was_replaced(model: Any, method: str) -> bool:
    """Whether the class of a model, or one between it and Keras's own, has a method of its own."""
    own = getattr(sys.modules["keras.src.trainers.trainer"].Trainer, method, None)
    backend = getattr(sys.modules["keras"].Model, method, None)
    return getattr(type(model), method) not in (own, backend)
