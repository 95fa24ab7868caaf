"""Shapes of what works element by element, reduces, or hands its input on."""

_AS_FIRST = (
    "Abs Acos Acosh AddN Angle Asin Asinh Atan Atanh BesselI0e BesselI1e BiasAdd BiasAddV1 Bucketize Cast Ceil"
    " CheckNumerics ClipByValue Conj Cos Cosh Cumprod Cumsum DataFormatVecPermute DebugGradientIdentity Digamma Elu Erf"
    " Erfc Erfinv Exit Exp Expm1 FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel"
    " Floor Identity Imag Inv Invert IsFinite IsInf IsNan LeakyRelu Lgamma LogSoftmax Log Log1p LogicalNot LRN"
    " MatrixBandPart Ndtri Neg NextIteration OnesLike PlaceholderWithDefault PreventGradient QuantizeAndDequantizeV2"
    " QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 RandomShuffle Real Reciprocal RefExit RefIdentity"
    " RefNextIteration Relu Relu6 ReverseV2 ReverseSequence Rint Roll Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax"
    " Softplus Softsign Sqrt Square StopGradient Tan Tanh ZerosLike MatrixDiagSetDiag MatrixSetDiag MatrixSetDiagV2"
    " MatrixSetDiagV3 Print PrintV2 Snapshot TensorScatterUpdate TensorScatterAdd TensorScatterSub MatrixInverse"
    " Cholesky FFT IFFT FFT2D IFFT2D"
    # gradients
    " ReluGrad Relu6Grad EluGrad SeluGrad SigmoidGrad TanhGrad SqrtGrad RsqrtGrad ReciprocalGrad InvGrad LeakyReluGrad"
    " SoftplusGrad SoftsignGrad MaxPoolGrad MaxPool3DGrad LRNGrad FakeQuantWithMinMaxArgsGradient"
    # what goes on under the name of a reference
    " Assign AssignAdd AssignSub ScatterUpdate ScatterAdd ScatterSub"
).split()
_BROADCAST = (
    "Add AddV2 ApproximateEqual Atan2 BitwiseAnd BitwiseOr BitwiseXor Div DivNoNan Equal FloorDiv FloorMod Greater"
    " GreaterEqual Igamma Igammac LeftShift Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mod Mul MulNoNan"
    " NextAfter NotEqual Polygamma Pow RealDiv RightShift SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py"
    " Xlogy Zeta Complex"
).split()
_REDUCTIONS = "Mean Sum Max Min Prod All Any EuclideanNorm".split()
_NORMALIZATIONS = "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3".split()
_NORMALIZATION_GRADIENTS = "FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3".split()


def broadcast(*shapes):
    """The shape that tensors of these shapes are brought to; None if not even the rank is known."""
    if None in shapes:
        return None
    rank = max(map(len, shapes))
    padded = [[1] * (rank - len(shape)) + list(shape) for shape in shapes]
    return [_common_size(sizes) for sizes in zip(*padded)]


def _common_size(sizes):
    larger = [size for size in sizes if size is not None and size != 1]
    if larger:
        return larger[0]
    return None if None in sizes else 1


def _as_first(step):
    return [step.shapes[0]]


def _broadcast(step):
    return [broadcast(*step.shapes)]


def _reduced(step):
    shape, axes, keep = step.shapes[0], step.vector(1), step.node.attr["keep_dims"].b
    if shape is None:
        return [None]
    if axes is None or None in axes:
        count = None if axes is None else len(axes)
        return [[None] * len(shape) if keep else [None] * (len(shape) - count) if count == 1 else None]
    axes = {axis + len(shape) if axis < 0 else axis for axis in axes}
    if keep:
        return [[1 if axis in axes else size for axis, size in enumerate(shape)]]
    return [[size for axis, size in enumerate(shape) if axis not in axes]]


def _argument(step):
    shape, axis = step.shapes[0], step.vector(1)
    if shape is None:
        return [None]
    if axis is None or axis[0] is None:
        return [[None] * (len(shape) - 1)]
    del shape[axis[0]]
    return [shape]


def _switched(step):
    return [step.shapes[0], step.shapes[0]]


def _each_as_it_is(step):
    return list(step.shapes)


def _normalized(step):
    channels = [step.shapes[1]] * 4
    return [step.shapes[0], *channels, None][: 6 if step.node.op == "FusedBatchNormV3" else 5]


def _normalized_gradient(step):
    return [step.shapes[0], step.shapes[2], step.shapes[2], None, None]


def _selected(step):
    if step.node.op == "SelectV2":
        return [broadcast(*step.shapes)]
    return [step.shapes[1] if step.shapes[1] is not None else step.shapes[2]]


def _scalar(step):
    return [[]]


def _cross_entropy(step):
    features = step.shapes[0] if step.shapes[0] is not None else step.shapes[1]
    return [features[:1] if features is not None else [None], features]


def _entered(step):
    return [step.shapes[0]]


def _channels(step):
    shape = step.shapes[0]
    if not shape:
        return [[None]]
    return [[shape[1 if step.node.attr["data_format"].s.startswith(b"NC") else -1]]]


def _same_bits(step):
    types = {step.node.attr["T"].type, step.node.attr["type"].type}
    return [step.shapes[0] if any(types <= group for group in _OF_ONE_SIZE) else None]


# DT_FLOAT, INT32, UINT32; DT_DOUBLE, INT64, UINT64; DT_INT16, BFLOAT16, UINT16, HALF; DT_UINT8, INT8, BOOL
_OF_ONE_SIZE = ({1, 3, 22}, {2, 9, 23}, {5, 14, 17, 19}, {4, 6, 10})


def _two_vectors(step):
    return [[None], [None]]


FUNCTIONS = {
    **dict.fromkeys(_AS_FIRST, _as_first),
    **dict.fromkeys(_BROADCAST, _broadcast),
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys(["ArgMax", "ArgMin"], _argument),
    **dict.fromkeys(["Switch", "RefSwitch"], _switched),
    **dict.fromkeys(["IdentityN"], _each_as_it_is),
    **dict.fromkeys(_NORMALIZATIONS, _normalized),
    **dict.fromkeys(_NORMALIZATION_GRADIENTS, _normalized_gradient),
    **dict.fromkeys(["Select", "SelectV2"], _selected),
    **dict.fromkeys(["Rank", "Size", "L2Loss", "LoopCond", "VarIsInitializedOp", "TensorArraySizeV3"], _scalar),
    **dict.fromkeys(["SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"], _cross_entropy),
    **dict.fromkeys(["Enter", "RefEnter"], _entered),
    "BiasAddGrad": _channels,
    "Bitcast": _same_bits,
    "BroadcastGradientArgs": _two_vectors,
}
