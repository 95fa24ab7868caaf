"""Shapes of what rearranges, cuts, joins and draws tensors, and of what reads variables and arrays."""


def _product(sizes):
    count = 1
    for size in sizes:
        count *= size
    return count


def _reshaped(step):
    sizes, shape = step.vector(1), step.shapes[0]
    if sizes is None:
        count = step.shapes[1][0] if step.shapes[1] else None
        return [[None] * count if count is not None and count <= 254 else None]
    if -1 in sizes:
        place, others = sizes.index(-1), [size for size in sizes if size != -1]
        known = shape is not None and None not in shape and None not in others and 0 not in others
        sizes[place] = _product(shape) // _product(others) if known else None
    elif shape is not None and None not in shape and sizes.count(None) == 1:
        others = [size for size in sizes if size is not None]
        sizes[sizes.index(None)] = _product(shape) // _product(others) if 0 not in others else None
    return [sizes]


def _of_sizes(step):
    sizes = step.vector(0)
    if sizes is None:
        count = step.shapes[0][0] if step.shapes[0] else None
        return [[None] * count if count is not None and count <= 254 else None]
    return [sizes]


def _of_second(step):
    sizes = step.vector(1)
    return [sizes]


def _rank(step):
    return [[len(step.shapes[0]) if step.shapes[0] is not None else None]]


def _ranks(step):
    return [[len(shape) if shape is not None else None] for shape in step.shapes]


def _joined(step):
    axis = step.vector(len(step.shapes) - 1)
    shapes = [shape for shape in step.shapes[:-1] if shape is not None]
    if not shapes:
        return [None]
    rank = len(shapes[0])
    if axis is None or axis[0] is None:
        return [[None] * rank]
    axis = axis[0] % rank
    if len(shapes) < len(step.shapes) - 1:
        shapes.append([None] * rank)
    result = [next((shape[i] for shape in shapes if shape[i] is not None), None) for i in range(rank)]
    sizes = [shape[axis] for shape in shapes]
    result[axis] = None if None in sizes else sum(sizes)
    return [result]


def _packed(step):
    known = next((shape for shape in step.shapes if shape is not None), None)
    if known is None:
        return [None]
    axis = step.node.attr["axis"].i
    axis = axis + len(known) + 1 if axis < 0 else axis
    sizes = [
        next((shape[i] for shape in step.shapes if shape and shape[i] is not None), None) for i in range(len(known))
    ]
    return [[*sizes[:axis], len(step.shapes), *sizes[axis:]]]


def _unpacked(step):
    count = step.node.attr["num"].i
    shape = step.shapes[0]
    if shape is None or count > 65536:
        return [None]
    axis = step.node.attr["axis"].i % len(shape)
    return [shape[:axis] + shape[axis + 1 :]] * count


def _split(step):
    axis, shape, count = step.vector(0), step.shapes[1], step.node.attr["num_split"].i
    if shape is None or count > 65536:
        return [None]
    if axis is None or axis[0] is None:
        return [[None] * len(shape)] * count
    axis = axis[0] % len(shape)
    part = list(shape)
    part[axis] = None if shape[axis] is None else shape[axis] // count
    return [part] * count


def _split_by_sizes(step):
    shape, sizes, axis, count = step.shapes[0], step.vector(1), step.vector(2), step.node.attr["num_split"].i
    if shape is None or count > 65536:
        return [None]
    if axis is None or axis[0] is None or sizes is None:
        return [[None] * len(shape)] * count
    axis, parts = axis[0] % len(shape), []
    for size in sizes:
        rest = [other for other in sizes if other != -1]
        if size == -1:
            size = None if shape[axis] is None or None in rest else shape[axis] - sum(rest)
        parts.append([*shape[:axis], size, *shape[axis + 1 :]])
    return parts


def _strided(step):
    """`x[begin:end:strides]` with all masks but `ellipsis_mask` in more than one place."""
    shape = step.shapes[0]
    count = step.shapes[1][0] if step.shapes[1] else None
    if shape is None or count is None or count > 508:
        return [None]
    bounds = [step.vector(index) or [None] * count for index in (1, 2, 3)]
    masks = {name: step.node.attr[name].i for name in _MASKS}
    has = lambda name, bit: bool(masks[name] >> bit & 1)  # noqa: E731
    takes = sum(not has("new_axis_mask", bit) and not has("ellipsis_mask", bit) for bit in range(count))
    result, axis = [], 0
    for bit in range(count):
        if has("ellipsis_mask", bit):
            stop = axis + len(shape) - takes
            result.extend(shape[axis:stop])
            axis = stop
        elif has("new_axis_mask", bit):
            result.append(1)
        else:
            if not has("shrink_axis_mask", bit):
                begin, end, stride = (part[bit] for part in bounds)
                begin = "open" if has("begin_mask", bit) else begin
                end = "open" if has("end_mask", bit) else end
                result.append(_length(shape[axis], begin, end, stride))
            axis += 1
    return [result + shape[axis:]]


_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


def _length(size, begin, end, stride):
    if size is None or None in (begin, end, stride) or not stride:
        return size if (begin, end, stride) == ("open", "open", 1) else None
    return len(range(size)[None if begin == "open" else begin : None if end == "open" else end : stride])


def _sliced(step):
    shape, begin, size = step.shapes[0], step.vector(1), step.vector(2)
    if size is None:
        return [None if shape is None else [None] * len(shape)]
    result = []
    for axis, length in enumerate(size):
        if length == -1:
            known = shape is not None and begin is not None and None not in (shape[axis], begin[axis])
            length = shape[axis] - begin[axis] if known else None
        result.append(length)
    return [result]


def _transposed(step):
    shape, order = step.shapes[0], step.vector(1)
    if order is None:
        return [None if shape is None else [None] * len(shape)]
    if shape is None:
        return [[None] * len(order)]
    return [[None if axis is None else shape[axis] for axis in order]]


def _tiled(step):
    shape, times = step.shapes[0], step.vector(1)
    if shape is None:
        return [None]
    times = times or [None] * len(shape)
    return [[None if None in pair else pair[0] * pair[1] for pair in zip(shape, times)]]


def _padded(step):
    shape, pads = step.shapes[0], step.vector(1)
    if shape is None:
        return [None]
    pads = pads or [None] * (2 * len(shape))
    around = [pads[2 * axis : 2 * axis + 2] for axis in range(len(shape))]
    return [[None if None in (size, *pair) else size + sum(pair) for size, pair in zip(shape, around)]]


def _expanded(step):
    shape, axis = step.shapes[0], step.vector(1)
    if shape is None:
        return [None]
    if axis is None or axis[0] is None:
        return [[None] * (len(shape) + 1)]
    axis = axis[0] + len(shape) + 1 if axis[0] < 0 else axis[0]
    return [[*shape[:axis], 1, *shape[axis:]]]


def _squeezed(step):
    shape = step.shapes[0]
    if shape is None:
        return [None]
    axes = {axis % len(shape) for axis in step.ints("squeeze_dims")}
    if not axes and None in shape:
        return [None]
    return [[size for axis, size in enumerate(shape) if (axis not in axes if axes else size != 1)]]


def _gathered(step):
    shape, indices = step.shapes[0], step.shapes[1]
    axis = step.vector(2) if len(step.shapes) > 2 else [0]
    if shape is None or indices is None or axis is None or axis[0] is None:
        return [None]
    axis, batch = axis[0] % len(shape), step.node.attr["batch_dims"].i
    batch = batch + len(indices) if batch < 0 else batch
    return [[*shape[:axis], *indices[batch:], *shape[axis + 1 :]]]


def _gathered_at(step):
    shape, indices = step.held if step.node.op == "ResourceGatherNd" else step.shapes[0], step.shapes[1]
    if shape is None or not indices or indices[-1] is None:
        return [None]
    return [[*indices[:-1], *shape[indices[-1] :]]]


def _gathered_from_variable(step):
    if step.held is None or step.shapes[1] is None:
        return [None]
    batch = step.node.attr["batch_dims"].i
    return [[*step.shapes[1], *step.held[1 + batch :]]]


def _held(step):
    return [step.held]


def _rows_of_array(step):
    if step.held is not None:
        return [[(step.shapes[1] or [None])[0], *step.held]]
    return [_of_elements(step, "element_shape")]


def _joined_rows_of_array(step):
    held = step.held
    return [[None, *held[1:]] if held else None, [None]]


def _of_elements(step, name):
    shape = step.node.attr[name].shape
    if shape.unknown_rank or name not in step.node.attr:
        return None
    return [None, *(None if dimension.size < 0 else dimension.size for dimension in shape.dim)]


def _array(step):
    return [[2], []]


def _scalar(step):
    return [[]]


def _ranged(step):
    bounds = [step.vector(index) for index in range(3)]
    known = all(bound is not None and bound[0] is not None for bound in bounds)
    return [[len(range(*(bound[0] for bound in bounds))) if known and bounds[2][0] else None]]


def _one_hot(step):
    shape, depth = step.shapes[0], step.vector(1)
    if shape is None:
        return [None]
    axis = step.node.attr["axis"].i if "axis" in step.node.attr else -1
    axis = len(shape) if axis == -1 else axis
    return [[*shape[:axis], depth[0] if depth else None, *shape[axis:]]]


def _top(step):
    shape, count = step.shapes[0], step.vector(1)
    if not shape:
        return [None, None]
    found = [*shape[:-1], count[0] if count else None]
    return [found, found]


def _in_top(step):
    return [step.shapes[1]]


def _looked_up(step):
    return [step.shapes[1]]


def _diagonal(step):
    shape = step.shapes[0]
    return [[*shape, shape[-1]] if shape else None]


def _segments(step):
    data, ids, count = step.shapes[0], step.shapes[1], step.vector(2)
    if data is None or ids is None:
        return [None]
    return [[count[0] if count else None, *data[len(ids) :]]]


def _scattered(step):
    return [step.vector(2)]


def _stitched(step):
    count = step.node.attr["N"].i
    indices = [step.vector(index) for index in range(count)]
    data, places = step.shapes[count], step.shapes[0]
    inner = [] if data is None or places is None else data[len(places) :]
    if None in indices or any(None in part for part in indices):
        return [[None, *inner]]
    return [[max(max(part, default=-1) for part in indices) + 1, *inner]]


def _where(step):
    return [[None, len(step.shapes[0]) if step.shapes[0] is not None else None]]


_DRAWN = (
    "RandomUniform RandomStandardNormal TruncatedNormal RandomUniformInt ParameterizedTruncatedNormal"
    " StatelessRandomUniform StatelessRandomNormal StatelessTruncatedNormal StatelessRandomUniformInt"
    " StatelessRandomUniformFullInt StatelessRandomUniformV2 StatelessRandomNormalV2 StatelessTruncatedNormalV2"
    " StatelessRandomUniformIntV2 StatelessRandomUniformFullIntV2"
).split()

FUNCTIONS = {
    **dict.fromkeys([*_DRAWN, "Fill", "Empty"], _of_sizes),
    "Reshape": _reshaped,
    "BroadcastTo": _of_second,
    **dict.fromkeys(["Shape", "VariableShape"], _rank),
    "ShapeN": _ranks,
    "ConcatV2": _joined,
    "Pack": _packed,
    "Unpack": _unpacked,
    "Split": _split,
    "SplitV": _split_by_sizes,
    "StridedSlice": _strided,
    "Slice": _sliced,
    **dict.fromkeys(["Transpose", "ConjugateTranspose"], _transposed),
    "Tile": _tiled,
    **dict.fromkeys(["Pad", "PadV2", "MirrorPad"], _padded),
    "ExpandDims": _expanded,
    "Squeeze": _squeezed,
    **dict.fromkeys(["Gather", "GatherV2"], _gathered),
    **dict.fromkeys(["GatherNd", "ResourceGatherNd"], _gathered_at),
    "ResourceGather": _gathered_from_variable,
    **dict.fromkeys(["ReadVariableOp", "TensorArrayReadV3"], _held),
    "VarHandleOp": _scalar,
    "TensorArrayV3": _array,
    "TensorArrayGradV3": _array,
    **dict.fromkeys(["TensorArrayWriteV3", "TensorArrayScatterV3", "TensorArraySplitV3"], _scalar),
    "TensorArrayGatherV3": _rows_of_array,
    "TensorArrayConcatV3": _joined_rows_of_array,
    "Range": _ranged,
    "OneHot": _one_hot,
    "TopKV2": _top,
    "InTopKV2": _in_top,
    "LookupTableFindV2": _looked_up,
    "MatrixDiag": _diagonal,
    **dict.fromkeys(["UnsortedSegmentSum", "UnsortedSegmentMax", "UnsortedSegmentMin"], _segments),
    "ScatterNd": _scattered,
    "Where": _where,
    **dict.fromkeys(["DynamicStitch", "ParallelDynamicStitch"], _stitched),
    "StridedSliceGrad": _of_sizes,
}
