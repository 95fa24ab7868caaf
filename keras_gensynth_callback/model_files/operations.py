"""The functions of TensorFlow that a model may call by name: those that only compute.

They are listed in `data/pure_operations.json`, which `scripts/make_pure_operations.py` makes of TensorFlow's tables.
"""

import functools
import json
import os

import tensorflow as tf

_LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "pure_operations.json")
_RAW = ("raw_ops.", "compat.v1.raw_ops.")
# What Keras 2 calls on the composite tensors that stand in its models.
_CLASS_METHODS = {
    "RaggedTensor": (
        "from_nested_row_lengths",
        "from_nested_row_splits",
        "from_nested_value_rowids",
        "from_row_lengths",
        "from_row_limits",
        "from_row_splits",
        "from_row_starts",
        "from_sparse",
        "from_tensor",
        "from_uniform_row_length",
        "from_value_rowids",
    )
}
_ATTRIBUTES = (
    "bounding_shape",
    "dense_shape",
    "dtype",
    "flat_values",
    "indices",
    "merge_dims",
    "nested_row_lengths",
    "nested_row_splits",
    "nested_value_rowids",
    "nrows",
    "row_lengths",
    "row_limits",
    "row_splits",
    "row_starts",
    "shape",
    "to_sparse",
    "to_tensor",
    "value_rowids",
    "values",
    "with_flat_values",
    "with_row_splits_dtype",
    "with_values",
)


@functools.lru_cache(maxsize=None)
def _listed():
    with open(_LIST) as file:
        table = json.load(file)
    return {"functions": frozenset(table["functions"]), "ops": frozenset(table["ops"])}


def function_only_computes(symbol):
    """Whether a function, by its name in TensorFlow's API, does no more than compute."""
    for raw in _RAW:
        if str(symbol).startswith(raw):
            return symbol[len(raw) :] in _listed()["ops"]
    return symbol in _listed()["functions"]


def impure_operation(class_name, config):
    """What a layer of Keras 2 calls that does more than compute, as a str; None where it only computes.

    Args:
        class_name: str, the class of the layer.
        config: dict, its config.
    """
    if class_name in ("TFOpLambda", "SlicingOpLambda"):
        symbol = config.get("function")
        return None if isinstance(symbol, str) and function_only_computes(symbol) else f"tf.{symbol}"
    if class_name == "ClassMethod":
        symbol, method = config.get("cls_symbol"), config.get("method_name")
        known = isinstance(symbol, str) and method in _CLASS_METHODS.get(symbol, ())
        return None if known else f"tf.{symbol}.{method}"
    if class_name in ("InstanceProperty", "InstanceMethod"):
        attribute = config.get("attr_name")
        return None if attribute in _ATTRIBUTES else f"the attribute {attribute!r} of a tensor"
    if class_name == "TensorFlowOpLayer":
        op = _op_of(config.get("node_def"))
        return None if op in _listed()["ops"] else f"the op {op}"
    return None


def _op_of(node_def):
    """The op of a NodeDef as Keras stores it: as JSON, or serialized."""
    if isinstance(node_def, dict):
        return node_def.get("op")
    try:
        return tf.compat.v1.NodeDef.FromString(str(node_def).encode("utf-8")).op
    # Whatever the parser says, it is no op that is known.
    except Exception:
        return repr(node_def)[:80]
