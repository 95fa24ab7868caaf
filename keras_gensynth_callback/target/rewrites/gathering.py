"""Gathering in batches, and from variables at several axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from keras_gensynth_callback.graph import data_inputs, node_of

from ..rewriting import Unfit
from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter

# It has the attribute, but its gradient takes no notice of it.
_WITHOUT_GRADIENT_IN_BATCHES = ("1.14",)


@rewrites("ResourceGatherNd")
def read_variable_and_gather(rewriter: Rewriter, node: NodeDef) -> bool:
    """The op is missing, or has no gradient."""
    if rewriter.table.op("ResourceGatherNd") and rewriter.table.has_gradient("ResourceGatherNd"):
        return False
    value = _read(rewriter, node)
    types = {"Tparams": "dtype", "Tindices": "Tindices"}
    rewriter.become(node, "GatherNd", [value, node.input[1]], **types)
    return True


_SPARSE_SEGMENTS = [f"SparseSegment{kind}" for kind in ("Mean", "Sum", "SqrtN")]


@rewrites(
    *_SPARSE_SEGMENTS,
    *[f"{op}WithNumSegments" for op in _SPARSE_SEGMENTS],
    "SparseSegmentMeanGrad",
    "SparseSegmentSqrtNGrad",
)
def number_segments_by_int32(rewriter: Rewriter, node: NodeDef) -> bool:
    """Embeddings of sparse ids are such sums. The target has kernels for no other type of numbers."""
    known = rewriter.table.attributes_of(node.op)
    if "Tsegmentids" in known:
        return False
    inputs, narrow = data_inputs(node), {}
    for place, attribute in ((1, "Tidx"), (2, "Tsegmentids")):
        if attribute in node.attr and node.attr[attribute].type == tf.int64.as_datatype_enum:
            inputs[place] = rewriter.add("Cast", attribute, [inputs[place]], node, SrcT=tf.int64, DstT=tf.int32)
            narrow[attribute] = tf.int32
    if not narrow:
        return False
    rewriter.become(node, node.op, inputs, **{name: narrow.get(name, name) for name in known})
    return True


@rewrites("SparseSegmentSumGrad")
def add_up_gradients_of_segments(rewriter: Rewriter, node: NodeDef) -> bool:
    """As TensorFlow 1.x has this gradient."""
    if rewriter.table.op(node.op) is not None:
        return False

    def add_up(gradient: Tensor, indices: Tensor, segment_ids: Tensor, size: Tensor) -> Tensor:
        return tf.math.unsorted_segment_sum(tf.gather(gradient, segment_ids), indices, size)

    rewriter.expand(node, add_up)
    return True


@rewrites(*[f"{op}GradV2" for op in _SPARSE_SEGMENTS])
def add_up_gradients_of_rows(rewriter: Rewriter, node: NodeDef) -> bool:
    """The gradient as slices: the sums of the rows of each index, and the indices."""
    if rewriter.table.op(node.op) is not None:
        return False
    kind, indices = node.op[len("SparseSegment") : -len("GradV2")], data_inputs(node)[1]

    def add_up(gradient: Tensor, indices: Tensor, segment_ids: Tensor, _: Tensor) -> Tensor:
        rows, places = tf.unique(indices)
        shape = tf.shape(gradient)
        if kind != "Sum":
            counts = tf.math.unsorted_segment_sum(tf.ones_like(segment_ids, gradient.dtype), segment_ids, shape[0])
            counts = tf.reshape(tf.maximum(counts, 1), tf.concat([shape[:1], tf.ones_like(shape[1:])], 0))
            gradient = gradient / (counts if kind == "Mean" else tf.sqrt(counts))
        return tf.math.unsorted_segment_sum(tf.gather(gradient, segment_ids), places, tf.size(rows))

    rows = rewriter.add("Unique", "rows", [indices], node, 2, T=node.attr["Tidx"], out_idx=tf.int32)
    rewriter.redirect(node, {1: rows}, but=())
    rewriter.expand(node, add_up)
    return True


@rewrites("RaggedTensorToTensor")
def gather_rows_of_ragged_values(rewriter: Rewriter, node: NodeDef) -> bool:
    """The target cannot differentiate the op: what it makes of the places of the values tells where each value goes."""
    if rewriter.table.has_gradient(node.op) or not tf.as_dtype(node.attr["T"].type).is_floating:
        return False
    partitions = [kind.decode() for kind in node.attr["row_partition_types"].list.s]
    rows = 1 + len([kind for kind in partitions if kind != "FIRST_DIM_SIZE"])

    def gather(shape: Tensor, values: Tensor, default: Tensor, *tensors: Tensor) -> Tensor:
        count, inner = tf.shape(values, tf.int64)[:1], tf.shape(values, tf.int64)[1:]
        places = tf.raw_ops.RaggedTensorToTensor(
            shape=shape[:rows] if shape.shape.rank else tf.constant(-1, shape.dtype),  # any other scalar is refused
            values=tf.range(count[0]),
            default_value=count[0],
            row_partition_tensors=tensors,
            row_partition_types=partitions,
        )
        nothing = default + tf.zeros(tf.concat([[1], inner], 0), values.dtype)
        return tf.gather(tf.concat([values, nothing], 0), places)

    rewriter.expand(node, gather)
    return True


@rewrites("GatherV2")
def gather_from_batches(rewriter: Rewriter, node: NodeDef) -> bool:
    batch_dims = _batch_dims(rewriter, node)
    if not batch_dims:
        return False
    given = rewriter.value(node.input[2])
    source, places = (rewriter.shape(tensor) for tensor in node.input[:2])
    if given is None or source is None or places is None:
        raise Unfit("its axis or the rank of what it gathers from is not known when the graph is built")
    rank, depth = len(source), len(places)
    batch_dims = batch_dims + depth if batch_dims < 0 else batch_dims
    axis = int(given) % rank

    def gather(values: Tensor, indices: Tensor, _: Tensor) -> Tensor:
        order = [*range(batch_dims), axis, *(i for i in range(batch_dims, rank) if i != axis)]
        found = _gathered(tf.transpose(values, order) if axis != batch_dims else values, indices, batch_dims)
        inner = depth - batch_dims
        first = [*range(batch_dims), *range(depth, depth + axis - batch_dims)]
        back = [*first, *range(batch_dims, depth), *range(len(first) + inner, rank + inner - 1)]
        return tf.transpose(found, back) if axis != batch_dims else found

    rewriter.expand(node, gather)
    return True


@rewrites("ResourceGather")
def read_variable_and_gather_from_batches(rewriter: Rewriter, node: NodeDef) -> bool:
    if not _batch_dims(rewriter, node):
        return False
    value = _read(rewriter, node)
    axis = rewriter.constant(node.attr["batch_dims"].i, "axis", node, "int32")
    types = {"Tparams": "dtype", "Tindices": "Tindices", "Taxis": tf.int32, "batch_dims": "batch_dims"}
    rewriter.become(node, "GatherV2", [value, node.input[1], axis], **types)
    return True


def _batch_dims(rewriter: Rewriter, node: NodeDef) -> int:
    """The number of batch axes, or 0 where the target knows what to do with them."""
    known = rewriter.table.attributes_of(node.op)
    if "batch_dims" in known and rewriter.table.version not in _WITHOUT_GRADIENT_IN_BATCHES:
        return 0
    return node.attr["batch_dims"].i if "batch_dims" in node.attr else 0


def _read(rewriter: Rewriter, node: NodeDef) -> str:
    # TensorFlow leaves out a control input where another input of the node waits for the same op already.
    controls = ["^" + node_of(name) for name in node.input[1:]]
    handle, attrs = rewriter.source(node.input[0]), {}
    if "shape" in handle.attr:
        shapes = tf.compat.v1.AttrValue.ListValue(shape=[handle.attr["shape"].shape])
        attrs["_output_shapes"] = tf.compat.v1.AttrValue(list=shapes)
    return rewriter.add("ReadVariableOp", "Read", [node.input[0], *controls], node, dtype=node.attr["dtype"], **attrs)


def _gathered(values: Tensor, indices: Tensor, batch_dims: int) -> Tensor:
    """Gathers along the first axis behind the batch, as one gather from all batches in a row."""
    sizes, places = tf.shape(values), tf.shape(indices)
    length = sizes[batch_dims]
    rows = tf.reshape(values, tf.concat([[-1], sizes[batch_dims + 1 :]], 0))
    count = tf.reduce_prod(sizes[:batch_dims])
    first = tf.reshape(tf.range(count) * length, tf.concat([[count], [1]], 0))
    flat = tf.reshape(tf.cast(indices, tf.int32), tf.stack([count, -1])) + first
    found = tf.gather(rows, tf.reshape(flat, [-1]))
    return tf.reshape(found, tf.concat([places, sizes[batch_dims + 1 :]], 0))
