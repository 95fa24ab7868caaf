"""`tf.custom_gradient`s: those that are a faster form of the true gradient are dropped, those that change it are
refused.

In a graph a custom gradient is an `IdentityN` that names a Python function of the writing process in
`_gradient_op_type`. A reader has no such function, and without the attribute takes the plain gradient. Whether that
is the same is found out by computing both, on random numbers.
"""

import numpy as np
import tensorflow as tf

from ..errors import UnsupportedModelError
from .tf_private import gradient_function

_ATTRIBUTE = "_gradient_op_type"
_BOUND = 1e-3
# Ranges that integers are drawn from, the upper end excluded.
_INTEGERS = ((0, 2), (1, 2), (1, 3))


def compare_gradients(graph, targets):
    """Adds to `graph`, which is being traced, the custom and the plain gradient of each custom gradient in it.

    Args:
        graph: the graph.
        targets: names of the tensors that gradients are taken of; [] where a reader may take them of anything.

    Returns:
        list of (op name, dict of the tensors to feed -> their shapes, pairs of names (custom, plain) or None for no
        gradient).
    """
    ops = _ancestors([graph.get_tensor_by_name(name).op for name in targets]) if targets else graph.get_operations()
    return [_both_gradients(op) for op in list(ops) if op.type == "IdentityN" and _ATTRIBUTE in op.node_def.attr]


def _ancestors(ops):
    seen, todo = set(), list(ops)
    while todo:
        op = todo.pop()
        if op not in seen:
            seen.add(op)
            todo.extend(tensor.op for tensor in op.inputs)
    return sorted(seen, key=lambda op: op.name)


def _both_gradients(op):
    seeds = [_seed(tensor, _varied(index)) for index, tensor in enumerate(op.outputs)]
    custom = list(gradient_function(op)(op, *seeds))
    results = [index for index, gradient in enumerate(custom) if gradient is None and index < _result_count(op, custom)]
    arguments = [index for index in range(len(custom)) if index not in results]
    inputs = [op.inputs[index] for index in arguments]
    plain = tf.gradients([op.inputs[index] for index in results], inputs, [seeds[index] for index in results])
    pairs = []
    for index, other in zip(arguments, plain):
        if op.inputs[index].dtype.is_floating:
            pairs.append((_dense_name(custom[index]), _dense_name(other)))
    graph = op.graph
    # What is fed: the op's arguments, and whatever the gradients need from outside of the graph.
    feeds = {tensor.name: tensor.shape for tensor in inputs if tensor.dtype != tf.resource}
    needed = [graph.get_tensor_by_name(name) for name in tf.nest.flatten(pairs) if name is not None]
    feeds.update({tensor.name: tensor.shape for tensor in _open_ends(needed, set(feeds))})
    return op.name, feeds, pairs


def _seed(tensor, value):
    return tf.ones_like(tensor) * value if tensor.dtype.is_floating else tf.zeros_like(tensor)


def _result_count(op, custom):
    """How many of the op's inputs are results: the registered function gives None for these, which come first."""
    count = 0
    while count < len(custom) - 1 and custom[count] is None:
        count += 1
    return count


def _varied(index):
    # Large and small incoming gradients, so that clipping shows.
    return (1.7, 130.0, 0.3)[index % 3]


def _dense_name(gradient):
    return None if gradient is None else tf.convert_to_tensor(gradient).name


def refuse_changed_gradients(graph_def, found, layer_of):
    """Raises UnsupportedModelError where a custom gradient is not the true one.

    Args:
        graph_def: the GraphDef of the trace.
        found: what `compare_gradients` returned.
        layer_of: callable, the name of an op -> the name of its layer.
    """
    if not found:
        return
    with tf.Graph().as_default() as private:
        tf.import_graph_def(_without_attribute(graph_def), name="")
        with tf.compat.v1.Session(graph=private) as session:
            changed = [name for name, feeds, pairs in found if not _agree(session, feeds, pairs)]
    if changed:
        layers = ", ".join(f"`{layer}`" for layer in sorted({layer_of(name) for name in changed}))
        raise UnsupportedModelError(
            f"The layer {layers} holds a tf.custom_gradient that changes the gradient (op IdentityN "
            f"`{changed[0]}`); TensorFlow 1.x "
            "would train with the plain gradient instead. Write the layer so that its plain gradient is the wanted "
            "one, for example with "
            'tf.stop_gradient, or export with graph="inference".'
        )


def _agree(session, feeds, pairs):
    """Whether custom and plain gradients are equal.

    Integers may be counts, classes or indices, some of which mean nothing: one range of them is enough.
    """
    has_integers = any(session.graph.get_tensor_by_name(name).dtype.is_integer for name in feeds)
    for integers in _INTEGERS if has_integers else _INTEGERS[:1]:
        try:
            if _agree_on(session, _fed(session, feeds, integers), pairs):
                return True
        except tf.errors.InvalidArgumentError:
            continue
    return False


def _agree_on(session, feed, pairs):
    def values(fetches):
        return [np.asarray(value, "f8") for value in session.run(fetches, feed)] if fetches else []

    # A gradient that is None on one side must be 0 on the other.
    zeros = [custom or plain for custom, plain in pairs if (custom is None) != (plain is None)]
    if any(np.any(value) for value in values(zeros)):
        return False
    both = [pair for pair in pairs if None not in pair]
    customs, plains = values([custom for custom, _ in both]), values([plain for _, plain in both])
    return all(np.allclose(custom, plain, rtol=_BOUND, atol=_BOUND) for custom, plain in zip(customs, plains))


def _fed(session, feeds, integers):
    """What the gradients need from outside, drawn at random: dict, tensor name -> ndarray."""
    draw, feed = np.random.RandomState(0), {}
    for name in sorted(feeds):
        feed[name] = _drawn(feeds[name], session.graph.get_tensor_by_name(name).dtype, integers, draw)
    return feed


def _open_ends(tensors, fed):
    """What tensors need besides `fed` that has no value in a graph: placeholders and variables."""
    ends, seen, todo = [], set(fed), list(tensors)
    while todo:
        tensor = todo.pop()
        if tensor.name in seen:
            continue
        seen.add(tensor.name)
        if tensor.op.type in ("Placeholder", "ReadVariableOp"):
            ends.append(tensor)
        else:
            todo.extend(tensor.op.inputs)
    return ends


def _drawn(shape, dtype, integers, draw):
    sizes = [2 if size is None else size for size in (shape.as_list() if shape.rank is not None else [])]
    if dtype.is_bool:
        return draw.randint(0, 2, sizes).astype(bool)
    if dtype.is_integer:
        return draw.randint(*integers, sizes).astype(dtype.as_numpy_dtype)
    return (2.0 * draw.standard_normal(sizes)).astype(dtype.as_numpy_dtype)


def _without_attribute(graph_def):
    plain = tf.compat.v1.GraphDef()
    plain.CopyFrom(graph_def)
    for node in plain.node:
        node.attr.pop(_ATTRIBUTE, None)
    return plain
