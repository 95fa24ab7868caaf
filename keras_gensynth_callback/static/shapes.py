"""The shapes of all tensors of a graph, from placeholders, variables and constants on. Nothing of it is executed."""

import numpy as np

from keras_gensynth_callback.graph import data_inputs, is_control, node_of, tensor_name

from .ops import FUNCTIONS
from .values import MOST_VALUES, value_of

_RANK = 254  # TensorFlow has no tensor with more dimensions.
_MANY = 64  # outputs of one node
_MOST_OUTPUTS = 1 << 16  # of all nodes with many; those of the others are not known
# What a function may stumble over in attributes and values that do not fit each other: then nothing is known.
_STUMBLES = (ArithmeticError, IndexError, TypeError, ValueError)
_HOLDERS = ("VarHandleOp", "VariableV2", "Variable", "TensorArrayV3")


class StaticShapes:
    """What shapes follow from a graph.

    Args:
        graph: EditableGraph without cycles but those of loops; it stays as it is.
    """

    def __init__(self, graph):
        self._graph = graph
        self._shapes, self._values, self._held = {}, {}, {}
        self._of_many = 0
        for name in graph.topological():
            self._visit(graph.nodes[name])

    def shape(self, tensor):
        """The shape of a tensor: a list of int or None; None if not even the rank is known."""
        name, _, output = tensor_name(tensor).rpartition(":")
        shapes, index = self._shapes.get(name, ()), int(output)
        return list(shapes[index]) if index < len(shapes) and shapes[index] is not None else None

    def shapes_of(self, name):
        """The shapes of those outputs of a node that are known of: a list of lists, or of None."""
        return [None if shape is None else list(shape) for shape in self._shapes.get(name, ())]

    def _visit(self, node):
        inputs = data_inputs(node)
        step = _Step(node, [self.shape(tensor) for tensor in inputs], [self._value(tensor) for tensor in inputs])
        step.held = self._held_by(node, inputs)
        self._shapes[node.name] = self._within_bounds(_attempt(_shapes_after, step, self._graph) or [])
        self._held[node.name] = step.held
        self._values[node.name] = _attempt(value_of, node, step.shapes, step.values)

    def _within_bounds(self, shapes):
        """Shapes without what no tensor has; a few bytes of a file may ask for a million outputs of one node."""
        if len(shapes) > _MANY:
            self._of_many += len(shapes)
            if self._of_many > _MOST_OUTPUTS:
                return []
        return [_bounded(shape) for shape in shapes]

    def _value(self, tensor):
        """What a tensor holds; what is not known of a small one is None in it."""
        name, _, index = tensor_name(tensor).rpartition(":")
        if self._graph.nodes[name].op == "ShapeN":
            return self._value_of_shape(name, int(index))
        value = self._values.get(name) if index == "0" else None
        if value is not None:
            return value
        shape = self.shape(tensor)
        if shape is None or len(shape) > 1 or None in shape or sum(shape) > MOST_VALUES:
            return None
        return np.full(shape, None, dtype=object)

    def _value_of_shape(self, name, index):
        """One of the shapes that a `ShapeN` gives."""
        inputs = data_inputs(self._graph.nodes[name])
        shape = self.shape(inputs[index]) if index < len(inputs) else None
        return None if shape is None else np.array(shape, dtype=object)

    def _held_by(self, node, inputs):
        """The shape of what a node is a handle of, where it is one."""
        if node.op in _HOLDERS:
            return _of_proto(node.attr["element_shape" if node.op == "TensorArrayV3" else "shape"].shape)
        return self._held.get(node_of(inputs[0])) if inputs else None


class _Step:
    """A node, and what is known of its inputs.

    Attributes:
        node: NodeDef.
        shapes: lists of int or None, or None, one an input.
        values: arrays of objects, or None, one an input.
        held: the shape of the variable, or of the elements of the array, that the first input is a handle of.
    """

    def __init__(self, node, shapes, values):
        self.node, self.shapes, self.values, self.held = node, shapes, values, None

    def ints(self, name):
        """A list of int of an attribute."""
        return list(self.node.attr[name].list.i) if name in self.node.attr else []

    def vector(self, index):
        """What an input holds, as a list of int or None; None if not even its length is known."""
        value = self.values[index] if index < len(self.values) else None
        return None if value is None else value.ravel().tolist()


def _shapes_after(step, graph):
    node = step.node
    if node.op in ("Placeholder", "VariableV2", "Variable"):
        # A scalar of GraphDefs before version 24 means nothing.
        return [_of_proto(node.attr["shape"].shape) if "shape" in node.attr else None]
    if node.op == "PlaceholderWithDefault":
        return [_of_proto(node.attr["shape"].shape)]
    if node.op == "Const":
        return [[dimension.size for dimension in node.attr["value"].tensor.tensor_shape.dim]]
    if node.op in ("Merge", "RefMerge"):
        return [None if _turns(node, graph) else _common(step.shapes), []]
    function = FUNCTIONS.get(node.op)
    return function(step) if function else []


def _turns(node, graph):
    sources = (graph.nodes[node_of(tensor)].op for tensor in node.input if not is_control(tensor))
    return any(op in ("NextIteration", "RefNextIteration") for op in sources)


def _common(shapes):
    if None in shapes or len({len(shape) for shape in shapes}) != 1:
        return None
    return [sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes)]


def _of_proto(proto):
    return None if proto.unknown_rank else [None if dim.size < 0 else dim.size for dim in proto.dim]


def _attempt(function, *args):
    try:
        return function(*args)
    except _STUMBLES:
        return None


def _bounded(shape):
    if shape is None or len(shape) > _RANK:
        return None
    return [None if size is None or size < 0 else size for size in shape]
