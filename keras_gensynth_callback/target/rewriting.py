"""What rewrites are written with: constants, shapes and new nodes beside the node that is rewritten.

A rewritten node keeps its name: it becomes the last op of what replaces it, so that nothing else has to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Container, Dict, Iterable, List, Mapping, Optional, Set

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.graph import (
    FAR,
    become,
    data_inputs,
    input_types,
    is_control,
    node_of,
    shape_of,
    tensor_name,
)
from keras_gensynth_callback.static import small_constant

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, NodeDef, Shape, Tensor
    from keras_gensynth_callback.graph import EditableGraph

    from .table import OpTable


class Unfit(Exception):
    """A rewrite cannot be done for this node; the message says why."""


class Rewriter:
    """A graph under rewriting.

    Attributes:
        graph: EditableGraph.
        table: OpTable of the target.
        removable: set of str, nodes that may go if nobody reads them any more, whatever their op is.
    """

    def __init__(self, graph: EditableGraph, table: OpTable) -> None:
        self.graph, self.table = graph, table
        self.removable: Set[str] = set()
        self._maybe_unused: List[str] = []
        self._discarded: List[str] = []
        self._readers: Optional[Dict[str, List[NodeDef]]] = None
        self._framed: Optional[Set[str]] = None

    # -- reading

    def source(self, tensor: str) -> NodeDef:
        """The NodeDef that a tensor comes from."""
        return self.graph.nodes[node_of(tensor)]

    def value(self, tensor: str) -> Optional[np.ndarray]:
        """The NumPy value of a tensor that is a constant, or None."""
        node = self.graph.origin(tensor, _hands_on_constants)
        return small_constant(node)

    def shape(self, tensor: str) -> Optional[Shape]:
        """The static shape as far as it is known: a list of int or None, or None if not even the rank is known."""
        for _ in range(FAR):
            if not _hands_on_without_shape(self.source(tensor)):
                break
            tensor = self.source(tensor).input[0]
        node, index = self.source(tensor), int(tensor_name(tensor).split(":")[1])
        if "_output_shapes" in node.attr and index < len(node.attr["_output_shapes"].list.shape):
            shape = node.attr["_output_shapes"].list.shape[index]
            return None if shape.unknown_rank else [None if dim.size < 0 else dim.size for dim in shape.dim]
        if node.op == "Const":
            return [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
        if node.op == "VarHandleOp" and not node.attr["shape"].shape.unknown_rank:
            return [None if dim.size < 0 else dim.size for dim in node.attr["shape"].shape.dim]
        return None

    def input_types(self, node: NodeDef) -> List[DType]:
        """The tf.DType of each data input of a node."""
        return [tf.as_dtype(enum) for enum in input_types(node)]

    def readers(self, node: NodeDef) -> List[NodeDef]:
        """The NodeDefs that read the node or wait for it, or did so before they were rewritten."""
        if self._readers is None:
            self._readers = self.graph.consumers()
        return self._readers[node.name]

    def stands_in_frame(self, name: str) -> bool:
        """Whether a node stands in control flow, where a constant must wait for something inside.

        The loops that gradients make of loops have no context in the collections, so frames are looked for as well.
        """
        if name in self.graph.context_of:
            return True
        if self._framed is None:
            self._framed = self._reached_from_enters()
        return name in self._framed

    def _reached_from_enters(self) -> Set[str]:
        todo = [name for name, node in self.graph.nodes.items() if node.op == "Enter"]
        consumers = self.graph.consumers() if todo else {}
        seen: Set[str] = set()
        while todo:
            name = todo.pop()
            if name not in seen and self.graph.nodes[name].op != "Exit":
                seen.add(name)
                todo.extend(node.name for node in consumers[name])
        return seen

    # -- writing

    def add(self, op: str, name: str, inputs: Iterable[str], beside: NodeDef, outputs: int = 1, **attrs: Any) -> str:
        """Adds a node `<beside>/<name>` in the control flow context of `beside`; returns its first output."""
        node = self.graph.add(op, f"{beside.name}/{name}", inputs, beside=beside, outputs=outputs, **attrs)
        if self._framed is not None and beside.name in self._framed:
            self._framed.add(node.name)
        if self._readers is not None:
            self._readers[node.name] = []
            for source in {node_of(tensor) for tensor in node.input}:
                self._readers[source].append(node)
        return node.name

    def constant(self, value: Any, name: str, beside: NodeDef, dtype: Any = None) -> str:
        """Adds a constant. In control flow it waits for an input of `beside`, so that it stands in the same frame."""
        value = np.asarray(value, dtype)
        inside = len(beside.input) > 0 and self.stands_in_frame(beside.name)
        inputs = ["^" + node_of(beside.input[0])] if inside else []
        return self.add(
            "Const", name, inputs, beside, dtype=tf.as_dtype(value.dtype), value=tf.make_tensor_proto(value)
        )

    def become(self, node: NodeDef, op: str, inputs: Iterable[str], **attrs: Any) -> None:
        """Turns `node` into another op, keeping its name and its control inputs.

        An attribute given as the name of one of the old node's attributes (`T="dtype"`) is taken over from there.
        """
        attrs = {key: node.attr[value] if isinstance(value, str) else value for key, value in attrs.items()}
        self._maybe_unused.extend(map(node_of, data_inputs(node)))
        become(node, op, inputs, **{**attrs, **shape_of(node)})

    def expand(self, node: NodeDef, function: Callable[..., Tensor]) -> None:
        """Replaces a node with one output by what `function` makes of its inputs.

        Args:
            node: NodeDef.
            function: takes a tensor for each data input, with the static shape as far as it is known, and returns a
                tensor. Its ops must be in the target.
        """
        inputs = data_inputs(node)
        with tf.Graph().as_default() as graph:
            types = self.input_types(node)
            given = [tf.compat.v1.placeholder(dtype, self.shape(name)) for dtype, name in zip(types, inputs)]
            result = function(*given)
            built = graph.as_graph_def(add_shapes=True)
        names = {tensor.op.name: name for tensor, name in zip(given, inputs)}
        last, outputs = result.op.name, {op.name: len(op.outputs) for op in graph.get_operations()}
        for inner in built.node:
            if inner.name in names:
                continue
            sources = [_renamed(tensor, names) for tensor in inner.input]
            if inner.name == last and outputs[last] == 1:
                return self.become(node, inner.op, sources, **dict(inner.attr.items()))
            if not sources and self.stands_in_frame(node.name):
                sources = ["^" + node_of(inputs[0])]
            names[inner.name] = self.add(
                inner.op, inner.name, sources, node, outputs[inner.name], **dict(inner.attr.items())
            )
        return self.become(node, "Identity", [_renamed(result.name, names)], T=result.dtype)

    def redirect(self, node: NodeDef, replaced: Mapping[int, str], but: Container[str]) -> None:
        """Lets the readers of outputs of `node` read others.

        Args:
            node: NodeDef.
            replaced: dict, output index -> tensor name.
            but: names of the nodes that go on reading `node`.
        """
        instead = {f"{node.name}:{index}": tensor for index, tensor in replaced.items()}
        for reader in self.readers(node):
            for position, tensor in enumerate(reader.input):
                if reader.name not in but and not is_control(tensor) and tensor_name(tensor) in instead:
                    reader.input[position] = instead[tensor_name(tensor)]

    def discard(self, name: str) -> None:
        """Removes a node that the rewrite added and does not need after all, at the next `remove_unused`."""
        self._discarded.append(name)

    def remove_unused(self) -> None:
        """Removes those former inputs of rewritten nodes that nobody reads any more."""
        if self._discarded:
            self.graph.remove(self._discarded)
            self._discarded = []
        if not self._maybe_unused:
            return
        readers = {name: len(nodes) for name, nodes in self.graph.consumers().items()}
        todo = list(dict.fromkeys(self._maybe_unused))
        gone: Set[str] = set()
        while todo:
            name = todo.pop()
            if name in gone or readers[name] or not (name in self.removable or self.graph.nodes[name].op in _REMOVABLE):
                continue
            gone.add(name)
            for source in {node_of(tensor) for tensor in self.graph.nodes[name].input}:
                readers[source] -= 1
                todo.append(source)
        if gone:
            self.graph.remove(gone)
        self._maybe_unused = []


def _renamed(tensor: str, names: Mapping[str, str]) -> str:
    source = node_of(tensor)
    output = tensor.partition(":")[2]
    if is_control(tensor):
        return "^" + node_of(names[source])
    return names[source] if output in ("", "0") else f"{names[source]}:{output}"


def _hands_on_constants(node: NodeDef) -> bool:
    return node.op == "Identity" or node.op == "Enter" and node.attr["is_constant"].b


def _hands_on_without_shape(node: NodeDef) -> bool:
    return "_output_shapes" not in node.attr and node.op in ("ReadVariableOp", "Identity", "Enter")


# Ops without effect that may stand behind a rewritten op alone. Everything else stays: somebody may fetch it.
_REMOVABLE = frozenset(
    ["Const", "StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg", "StatelessRandomGetAlg"]
)
