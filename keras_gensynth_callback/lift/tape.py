"""`tf.GradientTape.gradient` while a train step is traced: a placeholder for each gradient, and a note of what was
asked for.

The train step is traced in the training phase alone; the gradients belong to the graph that serves both phases, which
is made from this trace later (`phases.py`). So they are taken there (`gradients.py`), and what the step does with
them is traced as it is.
"""

import contextlib

import tensorflow as tf

from .tf_private import eager_outside_of_functions, gradient_function, gradients_of_graphs, patched
from .writes import SPARSE_READS, VARIABLE_READS


class GradientCall:
    """One call of `tape.gradient` in a trace; all tensors by name.

    Attributes:
        targets: list of tensor names.
        sources: list of tensor names, of variable handles or of tensors.
        output_gradients: list of tensor names, or None.
        results: list, an entry a source: None where no gradient flows, a placeholder's name, or, for an
            `IndexedSlices`, the names of the placeholders of its values and indices.
    """

    def __init__(self, targets, sources, output_gradients, results):
        self.targets, self.sources = targets, sources
        self.output_gradients, self.results = output_gradients, results

    def rename(self, move):
        """Applies `move` (str -> str) to every tensor name."""
        self.targets = [move(name) for name in self.targets]
        self.sources = [move(name) for name in self.sources]
        self.output_gradients = self.output_gradients and [move(name) for name in self.output_gradients]
        self.results = [tf.nest.map_structure(move, result) if result is not None else None for result in self.results]

    def placeholders(self):
        """The names of all its placeholders."""
        return tf.nest.flatten([result for result in self.results if result is not None])


@contextlib.contextmanager
def recorded_gradients(graph, calls):
    """While the block runs, `tape.gradient` inside of `graph` appends a GradientCall to `calls` and returns
    placeholders.
    """

    def gradient(wrapped, instance, args, kwargs):
        if tf.executing_eagerly() or tf.compat.v1.get_default_graph() is not graph:
            return wrapped(*args, **kwargs)
        return _record(graph, calls, *args, **kwargs)

    def of_graph(ys, xs, grad_ys):
        return tf.nest.flatten(_record(graph, calls, ys, list(xs) if isinstance(xs, (list, tuple)) else [xs], grad_ys))

    with contextlib.ExitStack() as stack:
        stack.enter_context(patched(tf.GradientTape, "gradient", gradient))
        if not eager_outside_of_functions():
            stack.enter_context(gradients_of_graphs(of_graph))
        yield


def _record(graph, calls, target, sources, output_gradients=None, unconnected_gradients=tf.UnconnectedGradients.NONE):
    targets = [_in_graph(graph, tensor) for tensor in tf.nest.flatten(target)]
    flat_sources = tf.nest.flatten(sources)
    inner = [_in_graph(graph, source) for source in flat_sources]
    flow = _Flow(targets)
    tensors, names = [], []
    for source, tensor in zip(flat_sources, inner):
        gradient, name = _stand_in(source, tensor, flow)
        if gradient is None and tf.UnconnectedGradients(unconnected_gradients) == tf.UnconnectedGradients.ZERO:
            gradient = tf.zeros(source.shape, source.dtype)
        tensors.append(gradient)
        names.append(name)
    given = None
    if output_gradients is not None:
        given = [_in_graph(graph, tensor).name for tensor in tf.nest.flatten(output_gradients)]
    calls.append(GradientCall([t.name for t in targets], [t.name for t in inner], given, names))
    return tf.nest.pack_sequence_as(sources, tensors)


def _in_graph(graph, value):
    """The tensor in `graph` that stands for a tensor, a variable or a Keras variable."""
    handle = getattr(value, "handle", None)
    if handle is None:
        return tf.convert_to_tensor(value)
    return handle if getattr(handle, "graph", None) is graph else graph.capture(handle)


def _stand_in(source, tensor, flow):
    """A placeholder for the gradient of `source`, and its name or names; (None, None) where no gradient flows."""
    consumers = flow.reached_consumers(tensor)
    if not consumers:
        return None, None
    if tensor.dtype == tf.resource:
        shape, dtype = tf.TensorShape(source.shape), tf.as_dtype(source.dtype)
        gathers = [flow.gathers(op) for op in consumers]
        if all(gathers):
            indices_dtype = gathers[0][0].get_attr("Tindices")
            values = tf.compat.v1.placeholder(dtype, [None] + shape[1:].as_list(), name="gradient_values")
            indices = tf.compat.v1.placeholder(indices_dtype, [None], name="gradient_indices")
            slices = tf.IndexedSlices(values, indices, tf.constant(shape.as_list(), indices_dtype))
            return slices, (values.name, indices.name)
    else:
        shape, dtype = tensor.shape, tensor.dtype
    gradient = tf.compat.v1.placeholder(dtype, shape, name="gradient")
    return gradient, gradient.name


class _Flow:
    """Where gradients flow, backwards from `targets`: what `tf.gradients` would find, without building anything."""

    def __init__(self, targets):
        self._reached = set()
        todo = [tensor.op for tensor in targets]
        while todo:
            op = todo.pop()
            if op in self._reached or not _has_gradient(op):
                continue
            self._reached.add(op)
            todo.extend(tensor.op for tensor in op.inputs if _carries_gradient(tensor))
        self._targets = {id(tensor) for tensor in targets}

    def gathers(self, read):
        """The ops that gather rows of what `read` reads, if nothing else is done with it; else an empty list."""
        if read.type in SPARSE_READS:
            return [read]
        found, todo = [], list(read.outputs)
        while todo:
            tensor = todo.pop()
            for op in tensor.consumers():
                if op.type == "Identity":
                    todo.extend(op.outputs)
                elif op in self._reached:
                    if not _is_gather_of_rows(op, tensor):
                        return []
                    found.append(op)
        return found

    def reached_consumers(self, tensor):
        """The ops that take `tensor` and through which a gradient comes back to it."""
        if tensor.dtype != tf.resource:
            return [op for op in tensor.consumers() if op in self._reached] or (
                [tensor.op] if id(tensor) in self._targets else []
            )
        found, todo = [], [tensor]
        while todo:
            for op in todo.pop().consumers():
                if op.type in VARIABLE_READS:
                    found += [op] if op in self._reached else []
                elif op.type in ("Identity", "Enter", "Switch"):
                    todo.extend(op.outputs)
        return found


def _is_gather_of_rows(op, tensor):
    """Whether the gradient of `tensor` through `op` is an IndexedSlices (tensorflow/python/ops/array_grad.py,
    `_GatherV2Grad`).
    """
    if op.type not in ("Gather", "GatherV2") or op.inputs[0] is not tensor:
        return False
    return op.type == "Gather" or (tf.get_static_value(op.inputs[2]) == 0 and op.get_attr("batch_dims") == 0)


def _has_gradient(op):
    if op.type in VARIABLE_READS or not op.inputs:
        return True
    try:
        return gradient_function(op) is not None
    except LookupError:
        return True  # tf.gradients will say so, and name the op


def _carries_gradient(tensor):
    return tensor.dtype.is_floating or tensor.dtype.is_complex or tensor.dtype in (tf.resource, tf.variant)
