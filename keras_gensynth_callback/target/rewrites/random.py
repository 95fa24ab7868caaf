"""Random numbers.

From a seed, the first version of each stateless op gives the same numbers as the second. From a `tf.random.Generator`,
whose state TensorFlow 1.15 cannot advance, other numbers of the same distribution are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import tensorflow as tf

from ..rewriting import Unfit
from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter

_PHILOX_OR_AUTO = (1, 3)
_KEY_SOURCES = ("StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg")
_PASSING = ("Bitcast", "StridedSlice", "Identity", "Reshape", "Switch", "Enter", "Slice", "Cast")
_WITHOUT_SEED = {
    "StatelessRandomUniformV2": "RandomUniform",
    "StatelessRandomNormalV2": "RandomStandardNormal",
    "StatelessTruncatedNormalV2": "TruncatedNormal",
}


@rewrites(*_WITHOUT_SEED)
def use_first_random_ops(rewriter: Rewriter, node: NodeDef) -> bool:
    shape = node.input[0]
    source = _key_source(rewriter, node, node.input[1:4])
    if source.op == "RngReadAndSkip":
        rewriter.become(node, _WITHOUT_SEED[node.op], [shape], dtype="dtype", T="Tshape", seed=0, seed2=0)
    else:
        types = {"dtype": "dtype", "T": "Tshape", "Tseed": source.attr["Tseed"]}
        rewriter.become(node, node.op[: -len("V2")], [shape, source.input[0]], **types)
    return True


@rewrites("StatelessRandomUniformIntV2")
def use_first_random_integers(rewriter: Rewriter, node: NodeDef) -> bool:
    shape, low, high = node.input[0], node.input[4], node.input[5]
    source = _key_source(rewriter, node, node.input[1:4])
    if source.op == "RngReadAndSkip":
        rewriter.become(node, "RandomUniformInt", [shape, low, high], Tout="dtype", T="Tshape", seed=0, seed2=0)
    else:
        types = {"dtype": "dtype", "T": "Tshape", "Tseed": source.attr["Tseed"]}
        rewriter.become(node, "StatelessRandomUniformInt", [shape, source.input[0], low, high], **types)
    return True


@rewrites("StatelessRandomUniformFullIntV2")
def draw_all_integers_from_a_range(rewriter: Rewriter, node: NodeDef) -> bool:
    """All integers but one are in the range from the least to the greatest; counted from the least, the bits agree."""
    source = _key_source(rewriter, node, node.input[1:4])
    result = tf.as_dtype(node.attr["dtype"].type)
    signed = tf.int32 if result.size == 4 else tf.int64
    types, tensors = {"T": node.attr["Tshape"]}, [node.input[0]]
    if source.op == "RngReadAndSkip":
        op, types = "RandomUniformInt", dict(types, Tout=signed, seed=0, seed2=0)
    else:
        op, types = "StatelessRandomUniformInt", dict(types, dtype=signed, Tseed=source.attr["Tseed"])
        tensors.append(source.input[0])
    low, high = (
        rewriter.constant(bound, name, node, signed.as_numpy_dtype)
        for bound, name in ((signed.min, "low"), (signed.max, "high"))
    )
    drawn = rewriter.add(op, "drawn", tensors + [low, high], node, **types)
    bits = rewriter.add("Sub", "bits", [drawn, low], node, T=signed)
    rewriter.become(node, "Bitcast", [bits], T=signed, type=result)
    return True


@rewrites("StatelessRandomGammaV3", "StatelessRandomGammaV2")
def draw_gamma_without_seed(rewriter: Rewriter, node: NodeDef) -> bool:
    """There is no stateless op for it in TensorFlow 1.15: the numbers are others, of the same distribution."""

    def draw(shape: Tensor, *others: Tensor) -> Tensor:
        return tf.raw_ops.RandomGamma(shape=tf.zeros([0], tf.int32), alpha=tf.broadcast_to(others[-1], shape))

    rewriter.expand(node, draw)
    return True


@rewrites(*_KEY_SOURCES)
def keep_seed_of_unused_key(rewriter: Rewriter, node: NodeDef) -> bool:
    """The random ops take the seed itself; what still waits for its key waits for the seed."""
    rewriter.become(node, "Identity", node.input[:1], T="Tseed")
    return True


@rewrites("RngReadAndSkip")
def leave_generator_alone(rewriter: Rewriter, node: NodeDef) -> bool:
    """Once the random ops draw by themselves, nobody reads the state; what waits for the op waits for a constant."""
    for reader in rewriter.readers(node):
        if any(name == node.name or name.startswith(node.name + ":") for name in reader.input):
            raise Unfit(f"its state is read by {reader.op} (node {reader.name!r})")
    rewriter.become(node, "Const", [], dtype=tf.int64, value=tf.make_tensor_proto([0], tf.int64))
    return True


def _key_source(rewriter: Rewriter, node: NodeDef, inputs: Sequence[str]) -> NodeDef:
    """The op that key and counter come from: one that takes a seed, or a generator's state."""
    key, counter, algorithm = inputs
    known = rewriter.value(algorithm)
    if known is not None and int(known) not in _PHILOX_OR_AUTO:
        raise Unfit(f"its algorithm is {int(known)}, expected Philox (1) or the default (3)")
    source = _origin(rewriter, key)
    _origin(rewriter, counter)
    if source.op == "RngReadAndSkip" or (source.op in _KEY_SOURCES and source is rewriter.source(key)):
        return source
    raise Unfit(f"its key comes from a {source.op} (node {source.name!r}), expected a seed or a generator")


def _origin(rewriter: Rewriter, tensor: str) -> NodeDef:
    node = rewriter.source(tensor)
    while node.op in _PASSING:
        rewriter.removable.add(node.name)
        node = rewriter.source(node.input[0])
    if node.op == "RngReadAndSkip":
        rewriter.removable.add(node.name)
    return node
