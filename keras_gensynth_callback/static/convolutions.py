"""Shapes of what slides a window over images."""


def _after_window(size, window, stride, dilation, padding, pads):
    """The size along one axis behind a window; None where it is not known."""
    if size is None or window is None:
        return None
    covered = (window - 1) * dilation + 1
    if padding == b"SAME":
        return -(-size // stride)
    return (size + sum(pads) - covered) // stride + 1


def _axes(step, rank):
    """The axes of the image, and that of its channels."""
    if step.node.attr["data_format"].s.startswith(b"NC"):
        return list(range(2, rank)), 1
    return list(range(1, rank - 1)), rank - 1


def _slid(step, rank, windows, channels):
    """The shape behind a window over the first input; `windows` are its sizes along the image's axes."""
    shape = step.shapes[0] if step.shapes[0] is not None else [None] * rank
    axes, channel_axis = _axes(step, rank)
    strides = step.ints("strides")
    dilations = step.ints("dilations") or [1] * rank
    explicit = step.ints("explicit_paddings") or [0] * 2 * rank
    result, padding = [shape[0]] + [None] * (rank - 1), step.node.attr["padding"].s
    for axis, window in zip(axes, windows):
        pads = explicit[2 * axis : 2 * axis + 2]
        result[axis] = _after_window(shape[axis], window, strides[axis], dilations[axis], padding, pads)
    result[channel_axis] = channels
    return [result]


def _convolved(rank):
    def function(step):
        kernel = step.shapes[1] if step.shapes[1] is not None else [None] * rank
        return _slid(step, rank, kernel[: rank - 2], kernel[-1])

    return function


def _convolved_by_channel(step):
    kernel = step.shapes[1] if step.shapes[1] is not None else [None] * 4
    depth, multiplier = kernel[2:]
    channels = None if depth is None or multiplier is None else depth * multiplier
    return _slid(step, 4, kernel[:2], channels)


def _pooled(rank):
    def function(step):
        axes, channel_axis = _axes(step, rank)
        sizes = step.ints("ksize")
        shape = step.shapes[0] if step.shapes[0] is not None else [None] * rank
        return _slid(step, rank, [sizes[axis] for axis in axes], shape[channel_axis])

    return function


def _of_sizes(index, rank):
    """The result has the shape that an input holds."""

    def function(step):
        sizes = step.vector(index)
        return [[None] * rank if sizes is None else sizes]

    return function


def _back_to_images(step):
    """The sizes of images that `Conv2DBackpropInput` is given may have no more than height and width."""
    sizes, kernel, gradient = step.vector(0), step.shapes[1], step.shapes[2]
    if sizes is None or len(sizes) != 2:
        return [[None] * 4 if sizes is None else sizes]
    return [[gradient[0] if gradient else None, *sizes, kernel[2] if kernel else None]]


def _resized(step):
    shape, sizes = step.shapes[0] or [None] * 4, step.vector(1) or [None] * 2
    return [[shape[0], *sizes, shape[3]]]


def _to_batch(step):
    shape, block = step.shapes[0], step.vector(1)
    pads = step.vector(2) or [None] * (2 * len(block))
    result = list(shape)
    for index, size in enumerate(block):
        around = pads[2 * index : 2 * index + 2]
        whole = None if None in (shape[index + 1], size, *around) else shape[index + 1] + sum(around)
        result[index + 1] = None if whole is None else whole // size
        result[0] = None if None in (result[0], size) else result[0] * size
    return [result]


def _from_batch(step):
    shape, block = step.shapes[0], step.vector(1)
    crops = step.vector(2) or [None] * (2 * len(block))
    result = list(shape)
    for index, size in enumerate(block):
        around = crops[2 * index : 2 * index + 2]
        result[index + 1] = None if None in (shape[index + 1], size, *around) else shape[index + 1] * size - sum(around)
        result[0] = None if None in (result[0], size) else result[0] // size
    return [result]


def _blocks(step):
    """`SpaceToDepth` and `DepthToSpace`."""
    shape, size = list(step.shapes[0]), step.node.attr["block_size"].i
    axes, channels = _axes(step, 4)
    to_depth = step.node.op == "SpaceToDepth"
    for axis in [*axes, channels, channels]:
        grows = to_depth == (axis == channels)
        if shape[axis] is not None:
            shape[axis] = shape[axis] * size if grows else shape[axis] // size
    return [shape]


FUNCTIONS = {
    "Conv2D": _convolved(4),
    "Conv3D": _convolved(5),
    "DepthwiseConv2dNative": _convolved_by_channel,
    **dict.fromkeys(["MaxPool", "AvgPool"], _pooled(4)),
    **dict.fromkeys(["MaxPool3D", "AvgPool3D"], _pooled(5)),
    "Conv2DBackpropInput": _back_to_images,
    "DepthwiseConv2dNativeBackpropInput": _of_sizes(0, 4),
    "Conv3DBackpropInputV2": _of_sizes(0, 5),
    "AvgPoolGrad": _of_sizes(0, 4),
    "AvgPool3DGrad": _of_sizes(0, 5),
    "Conv2DBackpropFilter": _of_sizes(1, 4),
    "DepthwiseConv2dNativeBackpropFilter": _of_sizes(1, 4),
    "Conv3DBackpropFilterV2": _of_sizes(1, 5),
    **dict.fromkeys(
        "ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea ResizeNearestNeighborGrad".split(), _resized
    ),
    "SpaceToBatchND": _to_batch,
    "BatchToSpaceND": _from_batch,
    **dict.fromkeys(["SpaceToDepth", "DepthToSpace"], _blocks),
}
