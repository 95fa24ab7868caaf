"""Gradients that the model's Python takes while it is traced.

Those of the train step, which it hands to an optimizer, belong to the graph that serves both phases, which is made from
the traces later (`graph/overlay.py`). So the trace gets a placeholder for each of them and a note of what was asked
for; they are taken in that graph (`gradients.py`), and what the step does with them is traced as it is.

All other gradients are part of a forward pass and are built where they are asked for: those of `predict_step` and
`test_step`, those that a layer takes in its call, those that another tape records in order to differentiate them again,
and those in loops and conditionals.
"""

import contextlib
import threading

import tensorflow as tf

from keras_gensynth_callback.compat import (
    gradients_of_graphs,
    inside_control_flow,
    observed_tapes,
    patched,
    vectorized_loops,
)
from keras_gensynth_callback.errors import UnsupportedModelError

from .flow import Flow, Recording

_here = threading.local()


class GradientCall:
    """One call of `tape.gradient` in a trace whose results are placeholders; all tensors by name.

    Attributes:
        targets: list of tensor names.
        sources: list of tensor names, of variable handles or of tensors.
        output_gradients: list of tensor names, or None.
        stops: list of tensor names, what the tape took for constants.
        is_of_a_scalar: bool, whether there is one target, and that a scalar.
        results: list, an entry a source: None where no gradient flows, a placeholder's name, or, for an
            `IndexedSlices`, the names of the placeholders of its values and indices.
    """

    def __init__(self, targets, sources, output_gradients, results, stops, is_of_a_scalar):
        self.targets, self.sources, self.stops = targets, sources, stops
        self.is_of_a_scalar = is_of_a_scalar
        self.output_gradients, self.results = output_gradients, results

    def rename(self, move):
        """Applies `move` (str -> str) to every tensor name."""
        self.targets = [move(name) for name in self.targets]
        self.sources = [move(name) for name in self.sources]
        self.stops = [move(name) for name in self.stops]
        self.output_gradients = self.output_gradients and [name and move(name) for name in self.output_gradients]
        self.results = [tf.nest.map_structure(move, result) if result is not None else None for result in self.results]

    def placeholders(self):
        """The names of all its placeholders."""
        return tf.nest.flatten([result for result in self.results if result is not None])

    def tensors(self):
        """The names of all tensors that it is about."""
        return [
            *self.targets,
            *self.sources,
            *self.stops,
            *filter(None, self.output_gradients or []),
            *self.placeholders(),
        ]


class Gradients:
    """The gradients that are taken in one trace.

    Args:
        graph: the graph that is traced.
        of_a_step: bool, whether it is a train step, whose own gradients are placeholders.

    Attributes:
        calls: list of GradientCall, those that are placeholders.
        built: list of tensor names, the gradients outside of layers' calls that are there.
    """

    def __init__(self, graph, of_a_step):
        self._graph, self._of_a_step = graph, of_a_step
        self.calls, self.built = [], []
        self._recordings, self._open = {}, []
        self._placeholders = []  # ops

    # -- tapes

    def pushed(self, tape, is_new):
        """A tape was opened."""
        if not self._is_here():
            return
        if is_new or id(tape) not in self._recordings:
            self._recordings[id(tape)] = tape, Recording(self._graph)
        self._recordings[id(tape)][1].start()
        self._open.append(tape)

    def popped(self, tape):
        """A tape was closed."""
        if tape in self._open:
            self._open.remove(tape)
            self._recordings[id(tape)][1].stop()

    def watched(self, tape, values):
        """A tape was told to watch tensors or variables."""
        if self._is_here() and id(tape) in self._recordings:
            names = {self._inside(value).name for value in tf.nest.flatten(values)}
            self._recordings[id(tape)][1].watched |= names

    def _recording(self, tape):
        recording = self._recordings[id(tape)][1]
        recording.watched |= {self._inside(variable).name for variable in tape.watched_variables()}
        return recording

    # -- gradients

    def of_tape(self, wrapped, tape, args, kwargs):
        """In the place of `tape.gradient`."""
        if not self._is_here() or id(tape) not in self._recordings:
            return wrapped(*args, **kwargs)
        if tape in self._open and not tape._persistent:
            tape._pop_tape()
        return self._of_tape(self._recording(tape), *args, **kwargs)

    def _of_tape(self, recording, target, sources, output_gradients=None, unconnected_gradients="none"):
        flat = tf.nest.flatten(sources)
        found = self._take(tf.nest.flatten(target), flat, output_gradients, recording, self._stands_in())
        if tf.UnconnectedGradients(unconnected_gradients) == tf.UnconnectedGradients.ZERO:
            found = [_zeros_like(source) if gradient is None else gradient for source, gradient in zip(flat, found)]
        return tf.nest.pack_sequence_as(sources, found)

    def of_graph(self, wrapped, ys, xs, grad_ys):
        """In the place of `tf.gradients`."""
        if not self._is_here() or getattr(_here, "building", False):
            return wrapped()
        if _is_inside("optimizer") and self._stands_in(of_graph=True):
            return self._take(tf.nest.flatten(ys), list(xs) if isinstance(xs, (list, tuple)) else [xs], grad_ys)
        targets = [self._inside(tensor) for tensor in tf.nest.flatten(ys)]
        self._refuse_placeholders(Flow(targets))
        with _marked("building"):
            return self._noted(wrapped())

    def _stands_in(self, of_graph=False):
        """Whether a gradient that is taken now is one of the train step's own."""
        if not self._of_a_step or _is_inside("layer") or _is_inside("loop") or inside_control_flow(self._graph):
            return False
        return of_graph or not self._open and not _is_inside("building")

    def _take(self, targets, sources, output_gradients, recording=None, stands_in=True):
        targets = [
            tensor for tensor in map(self._inside, targets) if tensor.dtype.is_floating or tensor.dtype.is_complex
        ]
        inner = [self._inside(source) for source in sources]
        given = None
        if output_gradients is not None:
            given = [None if t is None else self._inside(t) for t in tf.nest.flatten(output_gradients)]
        flow = Flow(targets, recording)
        self._refuse_placeholders(flow)
        if not stands_in:
            return self._build(targets, inner, given, flow)
        stand_ins = [_stand_in(source, tensor, flow) for source, tensor in zip(sources, inner)]
        call = GradientCall(
            [tensor.name for tensor in targets],
            [tensor.name for tensor in inner],
            given and [None if tensor is None else tensor.name for tensor in given],
            [name for _, name in stand_ins],
            [tensor.name for tensor in flow.stops],
            len(targets) == 1 and targets[0].shape.rank == 0,
        )
        self._placeholders += [self._graph.get_tensor_by_name(name).op for name in call.placeholders()]
        self.calls.append(call)
        return [gradient for gradient, _ in stand_ins]

    def _build(self, targets, sources, given, flow):
        reached = [source for source in sources if flow.reaches(source)]
        if reached and self._of_a_step:
            _refuse_loops(flow)
        with _marked("building"):
            found = iter(tf.gradients(targets, reached, given, stop_gradients=flow.stops)) if reached else iter(())
        return self._noted([next(found) if flow.reaches(source) else None for source in sources])

    def _noted(self, gradients):
        if not _is_inside("layer"):
            there = [gradient for gradient in gradients if gradient is not None]
            self.built += [tensor.name for tensor in tf.nest.flatten(there, expand_composites=True)]
        return gradients

    def _refuse_placeholders(self, flow):
        """A gradient of what depends on a gradient that is not there yet would be lost."""
        op = flow.reaches_one_of(self._placeholders)
        if op is not None:
            raise UnsupportedModelError(
                "The train step takes a gradient of something that depends on another gradient, which was taken "
                f"outside of any other tape (`{op.name}`). Expected the second tape to be open while the first "
                "gradient is taken, as in `with tf.GradientTape() as outer: ... inner.gradient(...)`."
            )

    def _is_here(self):
        return not tf.executing_eagerly() and tf.compat.v1.get_default_graph() is self._graph

    def _inside(self, value):
        """The tensor in the graph that stands for a tensor, a variable or a Keras variable."""
        handle = getattr(value, "handle", None)
        if handle is None:
            tensor = tf.convert_to_tensor(value)
            return tensor if getattr(tensor, "graph", None) is self._graph else self._graph.capture(tensor)
        return handle if getattr(handle, "graph", None) is self._graph else self._graph.capture(handle)


def _refuse_loops(flow):
    """TensorFlow 1.x differentiates a loop once, and training will."""
    loop = flow.passes_a_loop()
    if loop is not None:
        raise UnsupportedModelError(
            f"A gradient that the loss may depend on is taken through a tf.while_loop (`{loop.name}`), which is what "
            "recurrent layers are; in TensorFlow 1.x such a gradient has no gradient of its own. Expected one that "
            "passes no loop. Build recurrent layers with `unroll=True`, or export with "
            'graph="inference".'
        )


@contextlib.contextmanager
def recorded_gradients(graph, of_a_step):
    """While the block runs, gradients that are taken inside of `graph` are those of the Gradients that it gives."""
    gradients = Gradients(graph, of_a_step)

    def of_tape(wrapped, tape, args, kwargs):
        return gradients.of_tape(wrapped, tape, args, kwargs)

    with contextlib.ExitStack() as stack:
        stack.enter_context(observed_tapes(gradients))
        stack.enter_context(patched(tf.GradientTape, "gradient", of_tape))
        stack.enter_context(gradients_of_graphs(gradients.of_graph))
        stack.enter_context(vectorized_loops(lambda: _marked("loop")))
        yield gradients


def noted_layer_calls(layer_class):
    """A context in which gradients that are taken in a call of a layer are known to be so.

    Args:
        layer_class: a Keras's class `Layer`.
    """

    def call(wrapped, instance, args, kwargs):
        with _marked("layer"):
            return wrapped(*args, **kwargs)

    return patched(layer_class, "__call__", call)


def gradients_for_an_optimizer():
    """A context in which what `tf.gradients` gives goes to an optimizer."""
    return _marked("optimizer")


@contextlib.contextmanager
def _marked(place):
    before = getattr(_here, place, False)
    setattr(_here, place, True)
    try:
        yield
    finally:
        setattr(_here, place, before)


def _is_inside(place):
    return getattr(_here, place, False)


def _zeros_like(source):
    value = source if tf.is_tensor(source) else tf.convert_to_tensor(source)
    return tf.zeros_like(value)


def _stand_in(source, tensor, flow):
    """A placeholder for the gradient of `source`, and its name or names; (None, None) where no gradient flows."""
    if not flow.reaches(tensor):
        return None, None
    if tensor.dtype == tf.resource:
        shape, dtype = tf.TensorShape(source.shape), tf.as_dtype(source.dtype)
        gathers = [flow.gathers(op) for op in flow.reached_consumers(tensor)]
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
