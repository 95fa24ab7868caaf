"""The attributes of a node, compared with what the target's op has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional, Tuple

from keras_gensynth_callback.graph import COLOCATION, type_name

if TYPE_CHECKING:
    from keras_gensynth_callback._types import AttrDef, AttrValue, NodeDef, OpDef


def fit_attributes(
    node: NodeDef, definition: OpDef, writer: Optional[OpDef], note: Callable[[str, Tuple[str, str]], None]
) -> Optional[str]:
    """Drops what the target does not know and need not know.

    Args:
        node: NodeDef, edited.
        definition: OpDef of the target.
        writer: OpDef of the TensorFlow that wrote the node, or None.
        note: takes the name of a rule, and op and name of the node that it changed.

    Returns:
        str, what of it the target cannot do, or None.
    """
    known = {attr.name: attr for attr in definition.attr}
    for name in list(node.attr):
        if name == COLOCATION:
            continue
        if name.startswith("_"):
            rule = "drop_custom_gradient" if name == "_gradient_op_type" else "drop_private_attributes"
            note(rule, (node.op, node.name))
            del node.attr[name]
        elif name not in known:
            if not _is_default(name, node.attr[name], writer):
                return f"it has the attribute {name}={_show(node.attr[name])}, which is unknown there"
            note("drop_default_attributes", (node.op, node.name))
            del node.attr[name]
        else:
            found = _forbidden(node.attr[name], known[name])
            if found:
                return found
    return _missing(node, definition)


# They say something to people, devices or the optimiser of graphs, and change no number.
HINTS = frozenset(
    ["debug_name", "allowed_devices", "validate_shape", "metadata", "grad_a", "grad_b", "grad_x", "grad_y"]
)


def _is_default(name: str, value: AttrValue, writer: Optional[OpDef]) -> bool:
    """Whether the op does the same without the attribute."""
    if name in HINTS:
        return True
    defaults = {attr.name: attr.default_value for attr in writer.attr} if writer else {}
    return name in defaults and defaults[name] == value


def _forbidden(value: AttrValue, attr: AttrDef) -> Optional[str]:
    kind = value.WhichOneof("value")
    if attr.HasField("allowed_values"):
        allowed = attr.allowed_values.list
        if kind == "type" and value.type not in allowed.type or kind == "s" and value.s not in allowed.s:
            return f"its attribute {attr.name} is {_show(value)}, expected {_show(attr.allowed_values)}"
        if kind == "list" and (set(value.list.type) - set(allowed.type) or set(value.list.s) - set(allowed.s)):
            return f"its attribute {attr.name} is {_show(value)}, expected some of {_show(attr.allowed_values)}"
    if attr.has_minimum and kind == "i" and value.i < attr.minimum:
        return f"its attribute {attr.name} is {value.i}, expected at least {attr.minimum}"
    return None


def _missing(node: NodeDef, definition: OpDef) -> Optional[str]:
    for attr in definition.attr:
        if attr.name not in node.attr and not attr.HasField("default_value"):
            return f"it lacks the attribute {attr.name}"
    return None


def _show(value: AttrValue) -> str:
    kind = value.WhichOneof("value")
    if kind == "type":
        return type_name(value.type)
    if kind == "s":
        return value.s.decode(errors="replace")
    if kind == "list":
        items = [type_name(item) for item in value.list.type]
        items += [item.decode(errors="replace") for item in value.list.s]
        return ", ".join(items or [*map(str, [*value.list.i, *value.list.f, *value.list.b])])
    if kind in ("tensor", "func"):
        return f"a {kind}"
    return str(getattr(value, kind)) if kind else "nothing"
