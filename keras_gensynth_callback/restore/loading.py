"""The way back: values of a checkpoint, ours or what a TF 1.x program saved from it, into the Keras model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.checkpoint import META, existing_prefix, list_tensors, read_tensors, storage
from keras_gensynth_callback.errors import CheckpointMismatchError, GenSynthExportError, NotBuiltError
from keras_gensynth_callback.graph import node_of
from keras_gensynth_callback.inspection import members, parsed_meta_graph, told_if_damaged
from keras_gensynth_callback.lift import adapter_of, lift, scope_of

from .name_mapping import in_names_of_model

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, Model, Path
    from keras_gensynth_callback.checkpoint import Tensor
    from keras_gensynth_callback.lift import Adapter, Variable

_SHOWN = 12

logger = logging.getLogger("keras_gensynth_callback")


def read_into(model: Model, filepath: Path) -> List[str]:
    """Reads a checkpoint into a Keras model on TensorFlow, as `public.load_checkpoint` says."""
    prefix = existing_prefix(filepath)
    with told_if_damaged(prefix):
        tensors, exported = list_tensors(prefix), _weights_of(prefix)
    adapter = adapter_of(model)
    if not adapter.is_built():
        raise NotBuiltError(
            f"The model `{model.name}` has no weights yet that the checkpoint {prefix!r} could be read into. Call "
            "it once on a batch of "
            "data, or build it with `model.build(input_shape)`, and load then."
        )
    variables = adapter.variables()
    names = in_names_of_model(tensors, {v.name: _shape(v) for v in variables if v.kind == "weight"})
    stored = {name: tensors[there] for name, there in names.items()}
    _refuse_other_architecture(model, prefix, variables, stored, exported)
    if set(stored) - {variable.name for variable in variables}:
        variables = _with_slots_and_metrics(adapter, stored)
        _refuse_other_architecture(model, prefix, variables, stored, exported)
    found = [variable for variable in variables if variable.name in stored]
    # Only now, when their sizes are known to be those of the model.
    with told_if_damaged(prefix):
        values = read_tensors(prefix, [names[variable.name] for variable in found])
    adapter.write([(variable.value, _as_dtype_of(variable.value, values[names[variable.name]])) for variable in found])
    _report_the_rest(model, prefix, variables, stored)
    return sorted(variable.name for variable in found)


def _as_dtype_of(variable: Any, value: np.ndarray) -> np.ndarray:
    dtype = variable.dtype.base_dtype
    return value if dtype == tf.string else value.astype(dtype.as_numpy_dtype)


def _report_the_rest(model: Model, prefix: str, variables: List[Variable], stored: Dict[str, Tensor]) -> None:
    known = {variable.name for variable in variables}
    for names, where in (
        (known - set(stored), f"Kept as they were, since {prefix} does not have them"),
        (set(stored) - known, f"Passed over in {prefix}"),
    ):
        if names:
            logger.info("Model %s. %s: %s", model.name, where, ", ".join(sorted(names)))


def _with_slots_and_metrics(adapter: Adapter, stored: Dict[str, Tensor]) -> List[Variable]:
    """The model's variables, once the optimizer's slots and the metrics' variables exist that the checkpoint has
    values for.
    """
    made = ["metrics/"]  # by a trace alone
    if adapter.is_compiled and adapter.live is not None:
        made.append("training/")
    elif adapter.is_compiled and any(name.startswith("training/") for name in stored):
        with scope_of(adapter.model):
            adapter.build_for_training()
    variables = adapter.variables()
    known = {variable.name for variable in variables}
    if adapter.is_compiled and any(name.startswith(tuple(made)) and name not in known for name in stored):
        try:
            # Keras creates the variables of compiled metrics when they first see data, which a trace is enough for.
            lift(adapter.model)
        except GenSynthExportError:
            return variables  # weights and optimizer can be read all the same
        variables = adapter.variables()
    return variables


def _refuse_other_architecture(
    model: Model, prefix: str, variables: List[Variable], stored: Dict[str, Tensor], exported: List[str]
) -> None:
    expected = {variable.name: _shape(variable) for variable in variables}
    weights = [variable.name for variable in variables if variable.kind == "weight"]
    missing = [f"{name} {expected[name]}: not in the checkpoint" for name in weights if name not in stored]
    other = [
        f"{name}: {expected[name]} in the model, {stored[name].shape} in the checkpoint"
        for name in expected
        if name in stored and stored[name].shape != expected[name]
    ]
    dtypes = {variable.name: variable.value.dtype.base_dtype for variable in variables if variable.name in stored}
    other += [
        f"{name}: {dtype.name} in the model, {stored[name].dtype.name} in the checkpoint"
        for name, dtype in dtypes.items()
        if not _is_convertible(stored[name].dtype, dtype)
    ]
    surplus = [
        f"{name} {stored[name].shape}: not in the model" for name in exported if name in stored and name not in expected
    ]
    differences = missing + other + surplus
    if differences:
        more = f"\n  ... and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise CheckpointMismatchError(
            f"The checkpoint {prefix!r} is of another architecture than the model `{model.name}`; nothing was read. "
            "What differs:\n  "
            + "\n  ".join(differences[:_SHOWN])
            + more
            + "\nBuild the model as it was when it was exported: the same layers, sizes and names. (An export with "
            'graph="inference" has the weights alone that predictions need.)'
        )


def _is_convertible(stored: DType, dtype: DType) -> bool:
    """Whether values of one type, as TensorFlow stores them, have a place in a variable of another one."""
    if tf.string in (stored, dtype):
        return stored == dtype
    is_number = stored.is_floating or stored.is_integer or stored.is_bool
    return is_number and not stored.is_quantized or stored == dtype or stored.is_complex and dtype.is_complex


def _shape(variable: Variable) -> Tuple[int, ...]:
    return tuple(variable.value.shape.as_list())


def _weights_of(prefix: str) -> List[str]:
    """The names of the weights of the model that was exported, from the collection `model_variables`; [] without a
    `.meta`.
    """
    path = prefix + META
    if not storage.exists(path):
        return []
    meta_graph = parsed_meta_graph(path, "remove it: the values are read without it")
    return [node_of(name) for name in members(meta_graph, tf.compat.v1.GraphKeys.MODEL_VARIABLES)]
