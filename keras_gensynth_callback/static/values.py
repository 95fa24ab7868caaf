"""What small integer tensors hold, as far as the graph shows it: shapes are made of such.

A value is a NumPy array of objects: ints, and None for what is not known. None has more than `MOST_VALUES` elements.
"""

import numpy as np

from .constants import small_constant

MOST_VALUES = 512
_LARGEST = 2**63 - 1
_INTEGERS = frozenset([3, 4, 5, 6, 9, 17, 22, 23])  # DT_INT32, UINT8, INT16, INT8, INT64, UINT16, UINT32, UINT64


def value_of(node, shapes, values):
    """The value of a node's first output, or None.

    Args:
        node: NodeDef.
        shapes, values: what is known of its data inputs, in their order.
    """
    if node.op == "Const":
        return _constant(node)
    if node.op in ("Shape", "VariableShape"):
        known = shapes[0] is not None and len(shapes[0]) <= MOST_VALUES
        return _array(shapes[0]) if known else None
    if node.op == "Rank":
        return _array(len(shapes[0])) if shapes[0] is not None else None
    if node.op == "Size":
        sizes = shapes[0]
        return _array(_product(sizes)) if sizes is not None and None not in sizes else None
    function = _FUNCTIONS.get(node.op)
    if function is None or not values or any(value is None for value in values):
        return None
    found = function(node, *values)
    return found if found is not None and found.size <= MOST_VALUES else None


def _constant(node):
    if node.attr["dtype"].type not in _INTEGERS:
        return None
    array = small_constant(node, MOST_VALUES)
    return array.astype(object) if array is not None and array.size <= MOST_VALUES else None


def _array(items):
    if not isinstance(items, (list, tuple)):
        return np.array(items, dtype=object)
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found


def _product(sizes):
    count = 1
    for size in sizes:
        count *= size
    return count


def _pointwise(function):
    def apply(node, *values):
        one, other = np.broadcast_arrays(*values[:2])
        if one.size > MOST_VALUES:
            return None
        results = [_bounded(function, a, b) for a, b in zip(one.ravel().tolist(), other.ravel().tolist())]
        return _array(results).reshape(one.shape)

    return apply


def _bounded(function, one, other):
    result = function(one, other) if one is not None and other is not None else None
    return result if result is not None and abs(result) <= _LARGEST else None


def _reduced(function):
    def apply(node, value, axes):
        if value.ndim != 1 or node.attr["keep_dims"].b or axes.size != 1:
            return None
        if None in value.tolist():
            return _array(None)
        result = function(value.tolist())
        return _array(result if abs(result) <= _LARGEST else None)

    return apply


def _concatenated(node, *inputs):
    *parts, axis = inputs
    return np.concatenate(parts) if all(part.ndim == 1 for part in parts) and axis.size == 1 else None


def _packed(node, *parts):
    return _array([part.item() for part in parts]) if all(part.ndim == 0 for part in parts) else None


def _strided(node, value, begin, end, strides):
    """`value[begin:end:stride]` of a vector, or one element of it."""
    masks = [node.attr[name].i for name in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask")]
    bounds = [part.tolist() for part in (begin, end, strides)]
    if value.ndim != 1 or any(len(part) != 1 or part[0] is None for part in bounds) or masks[2] or masks[3]:
        return None
    (start,), (stop,), (step,) = bounds
    if node.attr["shrink_axis_mask"].i & 1:
        return _array(value[start]) if -value.size <= start < value.size else None
    if step == 0:
        return None
    return value[None if masks[0] & 1 else start : None if masks[1] & 1 else stop : step]


def _sliced(node, value, begin, size):
    if value.ndim != 1 or begin.size != 1 or size.size != 1 or None in (begin.item(), size.item()) or begin.item() < 0:
        return None
    return value[begin.item() :] if size.item() == -1 else value[begin.item() : begin.item() + size.item()]


def _gathered(node, value, indices, *axis):
    if value.ndim != 1 or any(index is None or not 0 <= index < value.size for index in indices.ravel().tolist()):
        return None
    return _array([value[index] for index in indices.ravel().tolist()]).reshape(indices.shape)


def _filled(node, dims, value):
    sizes = dims.tolist()
    if dims.ndim != 1 or value.ndim or len(sizes) != 1 or sizes[0] is None or not 0 <= sizes[0] <= MOST_VALUES:
        return None
    return _array([value.item()] * sizes[0])


def _ranged(node, start, limit, delta):
    bounds = [part.item() for part in (start, limit, delta)]
    if None in bounds or bounds[2] == 0:
        return None
    found = range(*bounds)
    return _array(list(found[: MOST_VALUES + 1]))


def _reshaped(node, value, sizes):
    if None in sizes.tolist() or any(size < -1 for size in sizes.tolist()):
        return None
    return value.reshape(sizes.astype(int).tolist())


def _expanded(node, value, axis):
    return value.reshape(1) if value.ndim == 0 and axis.size == 1 else None


def _squeezed(node, value):
    return value.reshape(()) if value.size == 1 else None


def _cast(node, value):
    return value if node.attr["DstT"].type in _INTEGERS and node.attr["SrcT"].type in _INTEGERS else None


def _quotient(one, other):
    return one // other if other else None


def _remainder(one, other):
    return one % other if other else None


_FUNCTIONS = {
    **dict.fromkeys(["Identity", "StopGradient", "PreventGradient", "Enter", "Exit"], lambda node, value: value),
    **dict.fromkeys(["Add", "AddV2"], _pointwise(lambda one, other: one + other)),
    **dict.fromkeys(["FloorDiv", "Div"], _pointwise(_quotient)),
    "Sub": _pointwise(lambda one, other: one - other),
    "Mul": _pointwise(lambda one, other: one * other),
    "FloorMod": _pointwise(_remainder),
    "Maximum": _pointwise(max),
    "Minimum": _pointwise(min),
    "Prod": _reduced(_product),
    "Sum": _reduced(sum),
    "Max": _reduced(max),
    "Min": _reduced(min),
    "Cast": _cast,
    "ConcatV2": _concatenated,
    "ExpandDims": _expanded,
    "Fill": _filled,
    "GatherV2": _gathered,
    "Gather": _gathered,
    "Pack": _packed,
    "Range": _ranged,
    "Reshape": _reshaped,
    "Slice": _sliced,
    "Squeeze": _squeezed,
    "StridedSlice": _strided,
}
