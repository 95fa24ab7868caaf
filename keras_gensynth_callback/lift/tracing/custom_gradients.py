"""`tf.custom_gradient`s: those that are a faster form of the true gradient are dropped, those that change it are
refused.

In a graph a custom gradient is an `IdentityN` that names a Python function of the writing process in
`_gradient_op_type`. A reader has no such function, and without the attribute takes the plain gradient. Whether that
is the same is found out by computing both, on random numbers.
"""

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.compat import gradient_function, inside_context_of
from keras_gensynth_callback.errors import UnsupportedModelError
from keras_gensynth_callback.graph import data_inputs

_ATTRIBUTE = "_gradient_op_type"
_BOUND = 1e-3
# Ranges that integers are drawn from, the upper end excluded.
_INTEGERS = ((0, 2), (1, 2), (1, 3))
_CONTROL_FLOW = ("Enter", "Exit", "Merge", "NextIteration", "Switch")


class CustomGradient:
    """A custom gradient of a trace; all tensors by name.

    Attributes:
        op: name of the IdentityN.
        nodes: names of the nodes that compute its results, and its gradients, from `feeds`.
        feeds: dict, tensor -> (dtype, shape): its arguments, and whatever else comes from outside of it.
        results: the tensors that it is the gradient of.
        seeds: the incoming gradients, one for each result.
        arguments: the floating tensors that a gradient is given for.
        gradients: these gradients, None where there is none.
    """

    def __init__(self, op):
        with inside_context_of(op):
            seeds = [_seed(tensor, _varied(index)) for index, tensor in enumerate(op.outputs)]
            custom = list(gradient_function(op)(op, *seeds))
            custom = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in custom]
        count = _result_count(op, custom)
        results, inputs = op.inputs[:count], op.inputs[count:]
        there = [gradient for gradient in custom[count:] if gradient is not None]
        feeds = {tensor.name: tensor for tensor in inputs if tensor.dtype != tf.resource}
        self.nodes = _between(feeds, [*results, *seeds[:count], *there])
        floating = [index for index, tensor in enumerate(inputs) if tensor.dtype.is_floating]
        self.op, self.feeds = op.name, {name: (tensor.dtype, tensor.shape) for name, tensor in feeds.items()}
        self.results, self.seeds = _names(results), _names(seeds[:count])
        self.arguments, self.gradients = (_names(group[i] for i in floating) for group in (inputs, custom[count:]))


def compare_gradients(graph, targets):
    """Adds to `graph`, which is being traced, the custom gradient of each custom gradient in it.

    Args:
        graph: the graph.
        targets: names of the tensors that gradients are taken of; [] where a reader may take them of anything.

    Returns:
        list of CustomGradient, to be judged by `refuse_changed_gradients`.
    """
    ops = _ancestors([graph.get_tensor_by_name(name).op for name in targets]) if targets else graph.get_operations()
    return [CustomGradient(op) for op in list(ops) if op.type == "IdentityN" and _ATTRIBUTE in op.node_def.attr]


def _ancestors(ops):
    seen, todo = set(), list(ops)
    while todo:
        op = todo.pop()
        if op not in seen:
            seen.add(op)
            todo.extend(tensor.op for tensor in op.inputs)
    return sorted(seen, key=lambda op: op.name)


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


def _names(tensors):
    return [None if tensor is None else tensor.name for tensor in tensors]


def _between(feeds, tensors):
    """The names of the nodes that compute `tensors` from `feeds`. To these is added what has no value in a graph of
    its own: placeholders, what is read of variables, and what comes through control flow.
    """
    nodes, seen, todo = set(), set(), list(tensors)
    while todo:
        tensor = todo.pop()
        if tensor.name in feeds or tensor.name in seen:
            continue
        seen.add(tensor.name)
        if _comes_from_outside(tensor.op):
            feeds[tensor.name] = tensor
        else:
            nodes.add(tensor.op.name)
            todo.extend(tensor.op.inputs)
    return nodes


def _comes_from_outside(op):
    if op.type in ("Placeholder", *_CONTROL_FLOW):
        return True
    return any(tensor.dtype in (tf.resource, tf.variant) for tensor in op.inputs)


def refuse_changed_gradients(graph_def, found, layer_of):
    """Raises UnsupportedModelError where a custom gradient is not the true one.

    Args:
        graph_def: the GraphDef of the trace.
        found: what `compare_gradients` returned.
        layer_of: callable, the name of an op -> the name of its layer.
    """
    nodes = {node.name: node for node in graph_def.node} if found else {}
    changed = [gradient.op for gradient in found if not _is_plain(nodes, gradient)]
    if changed:
        layers = ", ".join(f"`{layer}`" for layer in sorted({layer_of(name) for name in changed}))
        raise UnsupportedModelError(
            f"The layer {layers} holds a tf.custom_gradient that changes the gradient (op IdentityN "
            f"`{changed[0]}`); TensorFlow 1.x "
            "would train with the plain gradient instead. Write the layer so that its plain gradient is the wanted "
            "one, for example with "
            'tf.stop_gradient, or export with graph="inference".'
        )


def _is_plain(nodes, gradient):
    """Whether a custom gradient is equal to the plain one.

    Integers may be counts, classes or indices, some of which mean nothing: one range of them is enough.
    """
    has_integers = any(dtype.is_integer for dtype, _ in gradient.feeds.values())
    with tf.Graph().as_default() as private, tf.compat.v1.Session(graph=private) as session:
        fed, pairs = _both(nodes, gradient)
        for integers in _INTEGERS if has_integers else _INTEGERS[:1]:
            try:
                if _agree(session, _drawn_feed(fed, integers), pairs):
                    return True
            except tf.errors.InvalidArgumentError:
                continue
    return False


def _both(nodes, gradient):
    """Puts what is needed into the default graph: the tensors to feed, by name; and pairs of gradients, the custom and
    the plain one. No gradient is one of zeros.
    """
    fed = {name: tf.compat.v1.placeholder(*spec) for name, spec in gradient.feeds.items()}
    part = _part(nodes, gradient.nodes)
    read = {tensor if ":" in tensor else f"{tensor}:0" for node in part.node for tensor in node.input}
    tf.import_graph_def(part, {name: tensor for name, tensor in fed.items() if name in read}, name="")
    graph = tf.compat.v1.get_default_graph()

    def there(names):
        return [name and (fed[name] if name in fed else graph.get_tensor_by_name(name)) for name in names]

    plain = tf.gradients(there(gradient.results), there(gradient.arguments), there(gradient.seeds))
    pairs = [pair for pair in zip(there(gradient.gradients), plain) if pair != (None, None)]
    return fed, [[tf.zeros_like(b if a is None else a) if x is None else x for x in (a, b)] for a, b in pairs]


def _part(nodes, wanted):
    """A GraphDef of some nodes, without the order that control inputs ask for, and with plain gradients."""
    part = tf.compat.v1.GraphDef()
    for name in sorted(wanted):
        node = part.node.add()
        node.CopyFrom(nodes[name])
        node.input[:] = data_inputs(node)
        for attribute in (_ATTRIBUTE, "_class"):
            node.attr.pop(attribute, None)
    return part


def _agree(session, feed, pairs):
    pairs = session.run([[tf.convert_to_tensor(gradient) for gradient in pair] for pair in pairs], feed)
    arrays = (np.asarray(pair, "f8") for pair in pairs)
    return all(np.allclose(one, other, rtol=_BOUND, atol=_BOUND) for one, other in arrays)


def _drawn_feed(fed, integers):
    """What the gradients need from outside, drawn at random: dict, tensor -> ndarray."""
    draw = np.random.RandomState(0)
    return {fed[name]: _drawn(fed[name].shape, fed[name].dtype, integers, draw) for name in sorted(fed)}


def _drawn(shape, dtype, integers, draw):
    sizes = [2 if size is None else size for size in (shape.as_list() if shape.rank is not None else [])]
    if dtype.is_bool:
        return draw.randint(0, 2, sizes).astype(bool)
    if dtype.is_integer:
        return draw.randint(*integers, sizes).astype(dtype.as_numpy_dtype)
    return (2.0 * draw.standard_normal(sizes)).astype(dtype.as_numpy_dtype)
