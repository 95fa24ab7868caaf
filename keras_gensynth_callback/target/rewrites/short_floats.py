"""Arithmetic on bfloat16 is done in float32, and each result is rounded to bfloat16, as TensorFlow itself does it.

TensorFlow 1.15 has kernels for some of these ops, but its own optimiser makes others of them when a session runs the
graph, for which it has none: `SquaredDifference` of `Square(Sub(x, y))`, say
(tensorflow/core/grappler/optimizers/arithmetic_optimizer.cc). It does not look through the casts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import tensorflow as tf

from keras_gensynth_callback.graph import op_definition

from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, OpDef

    from ..rewriting import Rewriter

_SHORT = tf.bfloat16.as_datatype_enum
_OPS = """
    Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd BiasAddGrad Ceil Cos Cosh Cumprod Cumsum Digamma
    Div DivNoNan Elu EluGrad Equal Erf Erfc Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Inv InvGrad L2Loss
    LeakyRelu LeakyReluGrad Less LessEqual Lgamma Log Log1p LogSoftmax Max Maximum Mean Min Minimum Mul MulNoNan Neg
    NotEqual Pow Prod RealDiv Reciprocal ReciprocalGrad Relu Relu6 Relu6Grad ReluGrad Rint Round Rsqrt RsqrtGrad Selu
    SeluGrad Sigmoid SigmoidGrad Sign Sin Sinh Softmax Softplus SoftplusGrad Softsign SoftsignGrad Sqrt SqrtGrad Square
    Sub Sum Tan Tanh TanhGrad TruncateDiv Xdivy Xlogy
""".split()


@rewrites(*_OPS)
def round_to_bfloat16(rewriter: Rewriter, node: NodeDef) -> bool:
    """Casts what has the type to float32, and the result back."""
    if node.attr["T"].type != _SHORT:
        return False
    definition = op_definition(node.op)
    inputs = list(node.input)
    for index in _positions_of_type(node, definition):
        cast = {"SrcT": tf.bfloat16, "DstT": tf.float32}
        inputs[index] = rewriter.add("Cast", f"wide_{index}", [inputs[index]], node, **cast)
    if definition.output_arg[0].type_attr != "T":  # comparisons
        node.input[:] = inputs
        node.attr["T"].type = tf.float32.as_datatype_enum
        return True
    attrs = {key: value for key, value in node.attr.items() if not key.startswith("_") and key != "T"}
    data = [name for name in inputs if not name.startswith("^")]
    result = rewriter.add(node.op, "wide", data, node, T=tf.float32, **attrs)
    rewriter.become(node, "Cast", [result], SrcT=tf.float32, DstT=tf.bfloat16)
    return True


@rewrites("SquaredDifference")
def square_of_rounded_difference(rewriter: Rewriter, node: NodeDef) -> bool:
    """TensorFlow rounds the difference, too."""
    if node.attr["T"].type != _SHORT:
        return False
    difference = rewriter.add("Sub", "difference", list(node.input[:2]), node, T=tf.bfloat16)
    rewriter.become(node, "Square", [difference], T=tf.bfloat16)
    return True


def _positions_of_type(node: NodeDef, definition: OpDef) -> Iterator[int]:
    """The positions of those inputs that have the type of the attribute T."""
    position = 0
    for argument in definition.input_arg:
        count = node.attr[argument.number_attr].i if argument.number_attr else 1
        if argument.type_attr == "T":
            yield from range(position, position + count)
        position += count
