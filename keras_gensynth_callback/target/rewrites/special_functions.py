"""Functions of single numbers that the target lacks, in terms of those that it has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, List

import numpy as np
import tensorflow as tf

from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter

# M. Giles, "Approximating the erfinv function", 2010, for float64: polynomials for w up to 6.25, up to 16, and beyond,
# where w is -log(1 - x^2).
_CENTRE = [-3.6444120640178197e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18, 1.115787767802518096e-17]
_CENTRE += [-1.333171662854620906e-16, 2.0972767875968561637e-17, 6.6376381343583238325e-15, -4.0545662729752068639e-14]
_CENTRE += [-8.1519341976054721522e-14, 2.6335093153082322977e-12, -1.2975133253453532498e-11]
_CENTRE += [
    -5.4154120542946279317e-11,
    1.051212273321532285e-09,
    -4.1126339803469836976e-09,
    -2.9070369957882005086e-08,
]
_CENTRE += [4.2347877827932403518e-07, -1.3654692000834678645e-06, -1.3882523362786468719e-05, 0.0001867342080340571352]
_CENTRE += [-0.00074070253416626697512, -0.0060336708714301490533, 0.24015818242558961693, 1.6536545626831027356]
_TAIL = [2.2137376921775787049e-09, 9.0756561938885390979e-08, -2.7517406297064545428e-07, 1.8239629214389227755e-08]
_TAIL += [1.5027403968909827627e-06, -4.013867526981545969e-06, 2.9234449089955446044e-06, 1.2475304481671778723e-05]
_TAIL += [-4.7318229009055733981e-05, 6.8284851459573175448e-05, 2.4031110387097893999e-05, -0.0003550375203628474796]
_TAIL += [0.00095328937973738049703, -0.0016882755560235047313, 0.0024914420961078508066, -0.0037512085075692412107]
_TAIL += [0.005370914553590063617, 1.0052589676941592334, 3.0838856104922207635]
_FAR = [-2.7109920616438573243e-11, -2.5556418169965252055e-10, 1.5076572693500548083e-09, -3.7894654401267369937e-09]
_FAR += [7.6157012080783393804e-09, -1.4960026627149240478e-08, 2.9147953450901080826e-08, -6.7711997758452339498e-08]
_FAR += [2.2900482228026654717e-07, -9.9298272942317002539e-07, 4.5260625972231537039e-06, -1.9681778105531670567e-05]
_FAR += [7.5995277030017761139e-05, -0.00021503011930044477347, -0.00013871931833623122026, 1.0103004648645343977]
_FAR += [4.8499064014085844221]
_BEYOND_FLOAT64 = 37.0  # of w: no x is so near to 1, but a probability may be so small
_INFINITE = 1e30
_BESSEL = {"BesselI0": tf.raw_ops.BesselI0e, "BesselI1": tf.raw_ops.BesselI1e}


@rewrites(*_BESSEL)
def unscale_bessel_functions(rewriter: Rewriter, node: NodeDef) -> bool:
    """The target has them divided by exp(abs(x)), so that they do not overflow."""
    scaled = _BESSEL[node.op]
    rewriter.expand(node, lambda x: tf.exp(tf.abs(x)) * scaled(x=x))
    return True


@rewrites("Erfinv")
def approximate_inverse_of_erf(rewriter: Rewriter, node: NodeDef) -> bool:
    rewriter.expand(node, lambda x: x * _over_x(-tf.math.log1p(-x * x)))
    return True


@rewrites("Ndtri")
def approximate_quantile_of_normal(rewriter: Rewriter, node: NodeDef) -> bool:
    """As above with x = 2 p - 1, which rounding would make -1 where p is small, and so not by way of x."""

    def quantile(p: Tensor) -> Tensor:
        product = p * (1 - p)
        w, root = -tf.math.log(4 * product), tf.constant(math.sqrt(2), p.dtype)
        over_x = _choose(w < _BEYOND_FLOAT64, root * _over_x(w), _by_iteration(product, w))
        return (2 * p - 1) * over_x

    rewriter.expand(node, quantile)
    return True


def _over_x(w: Tensor) -> Tensor:
    """erfinv(x) / x. Roots are taken where they are chosen alone, so that no gradient is infinite elsewhere."""
    centre, tail = _polynomial(_CENTRE, w - 3.125), _polynomial(_TAIL, tf.sqrt(tf.maximum(w, 6.25)) - 3.25)
    far = _choose(w < _INFINITE, _polynomial(_FAR, tf.sqrt(tf.clip_by_value(w, 16, _INFINITE)) - 5), w)
    return _choose(w < 6.25, centre, _choose(w < 16, tail, far))


def _by_iteration(p: Tensor, w: Tensor) -> Tensor:
    """The quantile of a very small probability, positive, by the asymptotic series of its logarithm."""
    known = -2 * tf.math.log(tf.maximum(p, np.finfo(p.dtype.as_numpy_dtype).tiny)) - math.log(2 * math.pi)
    z = tf.sqrt(tf.maximum(known, _BEYOND_FLOAT64))
    for _ in range(4):  # each leaves a 64th of the error
        series = _polynomial([105.0, -15.0, 3.0, -1.0, 1.0], 1 / (z * z))
        z = tf.sqrt(tf.maximum(known - 2 * tf.math.log(z) + 2 * tf.math.log(series), 1.0))
    return _choose(w < _INFINITE, z, w)


def _choose(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return tf.raw_ops.Select(condition=condition, x=x, y=y)


def _polynomial(coefficients: List[float], x: Tensor) -> Tensor:
    return tf.math.polyval([tf.constant(coefficient, x.dtype) for coefficient in coefficients], x)


@rewrites("Xlog1py")
def write_out_xlog1py(rewriter: Rewriter, node: NodeDef) -> bool:
    """x log(1 + y), and 0 where x is 0, with the gradients of TensorFlow: there, both are 0."""

    def product(x: Tensor, y: Tensor) -> Tensor:
        zeros = tf.zeros(tf.broadcast_dynamic_shape(tf.shape(x), tf.shape(y)), x.dtype)
        x, y = x + zeros, y + zeros
        nothing = tf.equal(x, 0)
        chosen = _choose(nothing, zeros, y)
        return _choose(nothing, zeros, x * tf.math.log1p(chosen))

    rewriter.expand(node, product)
    return True


@rewrites("ClipByValue")
def clip_by_minimum_and_maximum(rewriter: Rewriter, node: NodeDef) -> bool:
    """The target cannot differentiate the op."""
    if rewriter.table.has_gradient("ClipByValue"):
        return False
    rewriter.expand(node, lambda x, low, high: tf.maximum(tf.minimum(x, high), low))
    return True


@rewrites("SegmentProd")
def multiply_unsorted_segments(rewriter: Rewriter, node: NodeDef) -> bool:
    """The target cannot differentiate the op."""
    if rewriter.table.has_gradient("SegmentProd"):
        return False
    rewriter.expand(node, lambda data, ids: tf.math.unsorted_segment_prod(data, ids, ids[-1] + 1))
    return True
