"""The logs of a training as plain Python, and their values in words."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

import numpy as np


def plain_logs(logs: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """A copy of the logs in plain Python: floats, and nested lists of floats for vectors."""
    return {key: _plain(value) for key, value in (logs or {}).items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "numpy"):
        value = value.numpy()
    array = np.asarray(value)
    return array.astype("float64").tolist() if array.dtype.kind in "biufV" else array.tolist()  # V: bfloat16


def one_number(value: Any) -> Optional[float]:
    """The float that a value of plain logs is, or that a list in them holds as its only element; None for others."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, float) else None


def numbers_alone(logs: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """What of plain logs is numbers: floats, and lists of them."""
    return {str(key): value for key, value in (logs or {}).items() if _is_numeric(value)}


def _is_numeric(value: Any) -> bool:
    return all(map(_is_numeric, value)) if isinstance(value, list) else isinstance(value, float)


def described(value: Any) -> str:
    """A value of plain logs in words, for messages: its number, or how many it has."""
    if isinstance(value, list):
        return f"an array of shape {np.shape(value)}"
    return f"{value!r} of type {type(value).__name__}"


def five_digits(value: Optional[float]) -> str:
    """A value as Keras prints it; None as None."""
    return "None" if value is None else f"{value:.5f}"
