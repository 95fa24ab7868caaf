"""What the ops do with channels: which have a `data_format`, and which do not care where the channels stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, NamedTuple

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef


class Formatted(NamedTuple):
    """An op with `data_format`: inputs and outputs that hold channels; inputs that hold the shape of one, or a number
    for each of its axes.
    """

    images: List[int]
    results: List[int]
    sizes: List[int]


_FORWARD, _OF_KERNEL, _OF_IMAGES = Formatted([0], [0], []), Formatted([0, 2], [], []), Formatted([2], [0], [0])
FORMATTED = {
    "Conv2D": _FORWARD,
    "Conv2DBackpropFilter": _OF_KERNEL,
    "Conv2DBackpropInput": _OF_IMAGES,
    "Conv3D": _FORWARD,
    "Conv3DBackpropFilterV2": _OF_KERNEL,
    "Conv3DBackpropInputV2": _OF_IMAGES,
    "DepthwiseConv2dNative": _FORWARD,
    "DepthwiseConv2dNativeBackpropFilter": _OF_KERNEL,
    "DepthwiseConv2dNativeBackpropInput": _OF_IMAGES,
    "MaxPool": _FORWARD,
    "MaxPoolV2": Formatted([0], [0], [1, 2]),
    "MaxPoolGrad": Formatted([0, 1, 2], [0], []),
    "MaxPoolGradV2": Formatted([0, 1, 2], [0], [3, 4]),
    "MaxPoolGradGrad": Formatted([0, 1, 2], [0], []),
    "MaxPoolGradGradV2": Formatted([0, 1, 2], [0], [3, 4]),
    "MaxPool3D": _FORWARD,
    "MaxPool3DGrad": Formatted([0, 1, 2], [0], []),
    "MaxPool3DGradGrad": Formatted([0, 1, 2], [0], []),
    "AvgPool": _FORWARD,
    "AvgPoolGrad": Formatted([1], [0], [0]),
    "AvgPool3D": _FORWARD,
    "AvgPool3DGrad": Formatted([1], [0], [0]),
    "BiasAdd": _FORWARD,
    "BiasAddGrad": Formatted([0], [], []),
    "FusedBatchNorm": _FORWARD,
    "FusedBatchNormV2": _FORWARD,
    "FusedBatchNormV3": _FORWARD,
    "FusedBatchNormGrad": Formatted([0, 1], [0], []),
    "FusedBatchNormGradV2": Formatted([0, 1], [0], []),
    "FusedBatchNormGradV3": Formatted([0, 1], [0], []),
    "SpaceToDepth": _FORWARD,
    "DepthToSpace": _FORWARD,
}
CHANNELS_LAST = {b"NCHW": b"NHWC", b"NCDHW": b"NDHWC"}
# Attributes with a number, or with two (`explicit_paddings`), for each axis.
BY_AXIS = ("strides", "dilations", "ksize", "explicit_paddings")
# Of any rank: it says nothing of it.
ANY_RANK = frozenset(["BiasAdd", "BiasAddGrad"])

# One number for each number of all inputs, which are broadcast.
ELEMENTWISE = frozenset(
    """
    Abs Add AddN AddV2 Cast Ceil CheckNumerics Cos Div DivNoNan Elu EluGrad Equal Erf Erfc Exp Expm1 Floor FloorDiv
    FloorMod Greater GreaterEqual Identity Inv InvGrad IsFinite IsInf IsNan LeakyRelu LeakyReluGrad Less LessEqual Log
    Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Neg NotEqual OnesLike Pow PreventGradient
    RealDiv Reciprocal ReciprocalGrad Relu Relu6 Relu6Grad ReluGrad Rint Round Rsqrt RsqrtGrad Select SelectV2 Selu
    SeluGrad Sigmoid SigmoidGrad Sign Sin Snapshot Softplus SoftplusGrad Softsign SoftsignGrad Sqrt SqrtGrad Square
    SquaredDifference StopGradient Sub Tanh TanhGrad TruncateDiv Xdivy Xlogy ZerosLike
    """.split()
)
# A condition of one number a row chooses rows, which stay where they are.
CHOOSES_ROWS = frozenset(["Select"])
REDUCTIONS = frozenset(["All", "Any", "Max", "Mean", "Min", "Prod", "Sum"])
PADDING = frozenset(["Pad", "PadV2", "MirrorPad", "MirrorPadGrad"])
# Which input of what fills a shape is the shape.
FILLS = {"Fill": 0, "BroadcastTo": 1}
SHAPES = frozenset(["Shape", "ShapeN"])


def has_channels_first(node: NodeDef) -> bool:
    """Whether a NodeDef has a `data_format` with channels in front."""
    return node.op in FORMATTED and "data_format" in node.attr and node.attr["data_format"].s in CHANNELS_LAST


def to_last(rank: int) -> List[int]:
    """The order of axes that puts the channels, axis 1, behind the others."""
    return [0, *range(2, rank), 1]


def to_first(rank: int) -> List[int]:
    """The order that puts them back; also where each axis of channels in front is when they are last."""
    return [0, rank - 1, *range(1, rank - 1)]
