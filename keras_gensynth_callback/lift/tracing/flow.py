"""Where gradients flow in a graph that is being traced: what `tf.gradients` would find, without building anything."""

from typing import Any, Set

import tensorflow as tf

from keras_gensynth_callback.compat import SPARSE_READS, VARIABLE_READS, gradient_function


class Recording:
    """What one `tf.GradientTape` recorded: the ops that were made while it was open, and what it watched.

    Args:
        graph: the graph that is traced.
    """

    def __init__(self, graph):
        self._graph, self._spans, self._start = graph, [], None
        self.watched = set()  # names of tensors

    def start(self):
        """The tape is open from now on."""
        self._start = len(self._graph.get_operations())

    def stop(self):
        """The tape is closed, for good or for a while."""
        self._spans.append((self._start, len(self._graph.get_operations())))
        self._start = None

    def has(self):
        """A function that says whether an op was recorded."""
        ops = self._graph.get_operations()
        spans = self._spans + ([] if self._start is None else [(self._start, len(ops))])
        position = {op: index for index, op in enumerate(ops)}
        return lambda op: any(first <= position[op] < last for first, last in spans)


class Flow:
    """Where gradients flow, backwards from `targets`.

    Args:
        targets: list of tensors.
        recording: the Recording of the tape that is asked for gradients; None for `tf.gradients`, which sees the whole
            graph.

    Attributes:
        stops: list of tensors, the results of ops that the tape did not record, which are constants to it.
    """

    def __init__(self, targets, recording=None):
        self._recording = recording
        self._has = recording.has() if recording is not None else lambda op: True
        self._reached: Set[Any] = set()
        stops, todo = {}, list(targets)
        while todo:
            tensor = todo.pop()
            op = tensor.op
            if op in self._reached or not has_gradient(op):
                continue
            if not self._has(op) and tensor.dtype != tf.resource:
                if op.inputs:
                    stops[tensor.name] = tensor
                continue
            self._reached.add(op)
            todo.extend(tensor for tensor in op.inputs if _carries_gradient(tensor))
        self.stops = [stops[name] for name in sorted(stops)]
        self._targets = {tensor.name for tensor in targets}

    def reaches_one_of(self, ops):
        """The first of `ops` that a gradient reaches, or None."""
        return next((op for op in ops if op in self._reached), None)

    def passes_a_loop(self):
        """The first exit of a loop that gradients pass, or None."""
        exits = [op.name for op in self._reached if op.type == "Exit"]
        return next((op for op in self._reached if exits and op.name == min(exits)), None)

    def reaches(self, tensor):
        """Whether a gradient comes back to `tensor`."""
        return self._is_tracked(tensor) and bool(self.reached_consumers(tensor))

    def _is_tracked(self, tensor):
        """Whether the tape watched `tensor`, or made it of something that it watched."""
        if self._recording is None:
            return True
        seen, todo = set(), [tensor]
        while todo:
            current = todo.pop()
            if current.name in self._recording.watched:
                return True
            if current.name not in seen and (self._has(current.op) or current.dtype == tf.resource):
                seen.add(current.name)
                todo.extend(current.op.inputs)
        return False

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
                [tensor.op] if tensor.name in self._targets else []
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


def has_gradient(op):
    """Whether gradients pass an op."""
    if op.type in VARIABLE_READS or not op.inputs:
        return True
    try:
        return gradient_function(op) is not None
    except LookupError:
        return True  # tf.gradients will say so, and name the op


def _carries_gradient(tensor):
    return tensor.dtype.is_floating or tensor.dtype.is_complex or tensor.dtype in (tf.resource, tf.variant)
