"""Whether what stands in a `.json` file beside a checkpoint is a manifest: the types of all that is read from it."""

from __future__ import annotations

from typing import Callable, Optional

from .state import is_plain

# Whether a value is what a field holds.
_Fits = Callable[[object], bool]

_LARGEST = 2**63
_NOT_IN_JSON = ("NaN", "Infinity", "-Infinity")


def fault_of(manifest: object) -> Optional[str]:
    """What is wrong with a manifest, in words; None where nothing is. Fields that are missing or unknown are let be.

    Args:
        manifest: what the JSON says.
    """
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return "it has no table 'files'"
    for name, record in manifest["files"].items():
        if not is_plain(name):
            return f"'files' names {name[:80]!r}, which is no file of its folder"
        if not (isinstance(record, dict) and _is_count(record.get("size")) and _is_text(record.get("sha256"))):
            return f"'files' has no size and SHA-256 of {name!r}"
    for field, fits in _FIELDS.items():
        if field in manifest and not fits(manifest[field]):
            return f"its field {field!r} is {str(manifest[field])[:80]}"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and not (isinstance(value, int) and abs(value) >= _LARGEST)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _is_logged(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_logged, value))
    return _is_number(value) or isinstance(value, str) and value in _NOT_IN_JSON


def _or_none(fits: _Fits) -> _Fits:
    return lambda value: value is None or fits(value)


def _list_of(fits: _Fits) -> _Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _table_of(fits: _Fits) -> _Fits:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


def _record_of(**fields: _Fits) -> _Fits:
    return lambda value: (
        isinstance(value, dict) and all(name in value and fits(value[name]) for name, fits in fields.items())
    )


_FIELDS = {
    "writer": _table_of(_is_text),
    "target": _is_text,
    "graph": _is_text,
    "model": _record_of(name=_is_text),
    "epoch": _or_none(_is_count),
    "batch": _or_none(_is_count),
    "logs": _table_of(_is_logged),
    "tensors": _table_of(lambda value: True),
    "collections": _table_of(_is_count),
    "nodes": _is_count,
    "parameters": _table_of(_is_count),
    "rewritten": _list_of(_record_of(rule=_is_text, op=_is_text, nodes=_list_of(_is_text))),
    "not_carried_over": _list_of(_is_text),
    "retention": _table_of(lambda value: _is_text(value) or isinstance(value, bool) or _is_number(value)),
}
