"""Puts the channels of images last: TensorFlow 1.x computes images with channels in front on GPUs only.

`Layout` says which tensors are turned; here the ops are changed, with their attributes, and transpositions put where
turned tensors meet others. An op keeps its name, and gives another layout than before; what is named in the end, such
as an output of the model, keeps its layout, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Container, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.graph import become, data_inputs, is_control, node_of, output_types, tensor_name

from . import layout_ops as ops
from .layout import Layout, moves_nothing, reordered
from .layout_changes import Changes
from .rewriting import Rewriter

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Shape
    from keras_gensynth_callback.graph import EditableGraph

    from .table import OpTable


def put_channels_last(graph: EditableGraph, table: OpTable, kept: Iterable[str] = ()) -> List[NodeDef]:
    """Lets a graph compute images with their channels last.

    Args:
        graph: EditableGraph, edited in place. Static shapes in `_output_shapes` attributes save transpositions.
        table: OpTable of the target.
        kept: names of nodes whose results stay as they are; those that no node reads do anyway.

    Returns:
        A list of the NodeDefs with a `data_format` that were changed.
    """
    images = [node for node in graph.nodes.values() if ops.has_channels_first(node)]
    if not images:
        return []
    _Turning(graph, table, kept).run()
    return [node for node in images if not ops.has_channels_first(node)]


def needs_gpu(node: NodeDef) -> bool:
    """Whether TensorFlow 1.x has kernels for a NodeDef on GPUs only, for its channels are in front."""
    return node.op not in ops.ANY_RANK and ops.has_channels_first(node)


class _Turning:
    def __init__(self, graph: EditableGraph, table: OpTable, kept: Iterable[str]) -> None:
        self._graph, self._rewriter = graph, Rewriter(graph, table)
        self._consumers = graph.consumers()
        self._kept = {name for name, readers in self._consumers.items() if not readers} | {*kept}
        self._layout = Layout(self._rewriter)
        self._made: Dict[Tuple[str, str], str] = {}
        self._moved: Dict[str, str] = {}
        # What the model turns itself: it is turned anyway.
        self._transposes = {
            name: tensor_name(graph.nodes[name].input[0])
            for name in self._layout.wants
            if graph.nodes[name].op == "Transpose"
        }

    def run(self) -> None:
        """Edits the graph."""
        layout, nodes = self._layout, list(self._graph.nodes.values())
        for node in nodes:
            if node.name in self._kept and f"{node.name}:0" in layout.turned and node.op != "Switch":
                self._move(node)
        for node in nodes:
            self._connect(node, layout.wants.get(node.name, ()))
        changes = Changes(self._graph, self._rewriter.value, self._constant, self._add)
        for name in sorted(layout.wants, key=lambda name: self._graph.nodes[name].op not in ops.SHAPES):
            node = self._moved_node(name)
            changes.change(node, layout.rank[name], layout.wants[name])
            _turn_shapes(node, [at for at in (0, 1) if f"{name}:{at}" in layout.turned])
        self._clean_up()

    def _move(self, node: NodeDef) -> None:
        """A node of another name computes what is turned, and this one turns it back."""
        count = len(output_types(node))
        attrs = dict(node.attr.items())
        moved = self._graph.add(node.op, f"{node.name}/channels_last", node.input, node, outputs=count, **attrs)
        self._layout.rank[moved.name] = self._layout.rank[node.name]
        self._moved[node.name] = moved.name
        for reader in self._consumers[node.name]:
            for position, tensor in enumerate(reader.input):
                if not is_control(tensor) and node_of(tensor) == node.name and not tensor_name(tensor).endswith(":0"):
                    reader.input[position] = moved.name + tensor[len(node.name) :]
        order = ops.to_first(self._layout.turned[f"{node.name}:0"])
        perm = self._constant(order, f"{node.name}/perm", node)
        dtype = tf.as_dtype(_type(moved, 0))
        become(node, "Transpose", [moved.name, perm], T=dtype, Tperm=tf.int32)
        if "_output_shapes" in attrs:
            node.attr["_output_shapes"].list.shape.add().CopyFrom(attrs["_output_shapes"].list.shape[0])

    def _moved_node(self, name: str) -> NodeDef:
        return self._graph.nodes[self._moved.get(name, name)]

    # -- the inputs

    def _connect(self, node: NodeDef, wants: Container[int]) -> None:
        """Gives a node its inputs turned or as they were."""
        node = self._moved_node(node.name)
        for position, tensor in enumerate(data_inputs(node)):
            old = tensor_name(tensor)
            new = self._turned(old, node) if position in wants else self._original(old, node)
            if new != old:
                node.input[position] = new[:-2] if new.endswith(":0") else new
                self._tell_context(node, old, new)

    def _tell_context(self, node: NodeDef, old: str, new: str) -> None:
        """What comes into a conditional by a Switch is known to it by its name outside."""
        context = self._graph.context_of.get(node.name)
        if node.op == "Switch" and context is not None and node_of(context.external.get(old, "")) == node.name:
            context.external[new] = context.external.pop(old)

    def _turned(self, tensor: str, reader: NodeDef) -> str:
        """The tensor with its channels last."""
        layout = self._layout
        if tensor in layout.turned:
            return f"{self._moved[node_of(tensor)]}:0" if node_of(tensor) in self._moved else tensor
        if tensor in layout.free:
            return self._original(layout.free[tensor], reader)
        return self._transposed(tensor, ops.to_last(layout.rank[reader.name]), "channels_last", reader)

    def _original(self, tensor: str, reader: NodeDef) -> str:
        """The tensor as the model has it."""
        source, rank = self._graph.nodes[node_of(tensor)], self._layout.turned.get(tensor)
        if source.op == "Transpose" and source.name in self._layout.wants:
            return self._turned(self._transposes[source.name], source)
        if rank is None or source.name in self._moved:
            return tensor
        return self._transposed(tensor, ops.to_first(rank), "channels_first", reader)

    def _transposed(self, tensor: str, order: Sequence[int], name: str, reader: NodeDef) -> str:
        key = (tensor, name)
        if key not in self._made:
            source = self._graph.nodes[node_of(tensor)]
            # Which branch an output of a Switch belongs to, its reader says.
            beside = reader if source.op == "Switch" and reader.op not in ("Switch", "Merge") else source
            self._made[key] = self._make(tensor, source, order, name, beside)
        return self._made[key]

    def _make(self, tensor: str, source: NodeDef, order: Sequence[int], name: str, beside: NodeDef) -> str:
        value, shape = self._rewriter.value(tensor), self._rewriter.shape(tensor)
        name, dtype = f"{source.name}/{name}", _type(source, int(tensor.split(":")[1]))
        if shape is not None and tensor in self._layout.turned:
            shape = reordered(shape, ops.to_last(len(shape)))  # as the model had it, until it is changed
        result = None if shape is None else reordered(shape, order)
        if value is not None and source.op == "Const":
            waits = list(source.input)
            return self._added_constant(np.transpose(value, order), name, waits, source)
        if shape is not None and moves_nothing(shape, order):
            sizes = self._constant(
                [-1 if size is None else size for size in reordered(shape, order)], name + "/shape", beside, tensor
            )
            made = self._add("Reshape", name, [tensor, sizes], beside, T=tf.as_dtype(dtype), Tshape=tf.int32)
        else:
            perm = self._constant(order, name + "/perm", beside, tensor)
            made = self._add("Transpose", name, [tensor, perm], beside, T=tf.as_dtype(dtype), Tperm=tf.int32)
        if result is not None:
            _set_shape(self._graph.nodes[node_of(made)], result)
        return made

    def _constant(
        self, value: Any, name: str, beside: NodeDef, after: Optional[str] = None, dtype: Any = np.int32
    ) -> str:
        """A constant; where there is control flow, after a tensor of the same frame."""
        stands_in_frame, waits = self._rewriter.stands_in_frame, []
        if after is not None and (stands_in_frame(beside.name) or stands_in_frame(node_of(after))):
            waits = [f"^{node_of(after)}"]
        return self._added_constant(np.asarray(value, dtype), name, waits, beside)

    def _added_constant(self, value: np.ndarray, name: str, waits: Iterable[str], beside: NodeDef) -> str:
        proto, dtype = tf.make_tensor_proto(value), tf.as_dtype(value.dtype)
        return tensor_name(self._graph.add("Const", name, waits, beside, dtype=dtype, value=proto).name)

    def _add(self, op: str, name: str, inputs: Sequence[str], beside: NodeDef, **attrs: Any) -> str:
        return tensor_name(self._graph.add(op, name, inputs, beside, **attrs).name)

    def _clean_up(self) -> None:
        """Removes transpositions and constants that nobody reads any more."""
        readers = {name: len(found) for name, found in self._graph.consumers().items()}
        todo, gone = list(readers), []
        while todo:
            name = todo.pop()
            node = self._graph.nodes[name]
            if readers[name] or name in self._kept or node.op not in _REMOVABLE:
                continue
            readers[name] = -1
            gone.append(name)
            for source in {node_of(tensor) for tensor in node.input}:
                readers[source] -= 1
                todo.append(source)
        self._graph.remove(gone)


_REMOVABLE = frozenset(["Transpose", "Const", "Identity", "ShapeN"])


def _type(node: NodeDef, index: int) -> int:
    """The DataType enum of an output of a node whose outputs are all single tensors."""
    types = output_types(node)
    return types[min(index, len(types) - 1)]


def _set_shape(node: NodeDef, sizes: Shape) -> None:
    shape = node.attr["_output_shapes"].list.shape.add()
    for size in sizes:
        shape.dim.add().size = -1 if size is None else size


def _turn_shapes(node: NodeDef, results: Iterable[int]) -> None:
    for index in results:
        shapes = node.attr["_output_shapes"].list.shape if "_output_shapes" in node.attr else []
        if index < len(shapes) and not shapes[index].unknown_rank:
            sizes = [dim.size for dim in shapes[index].dim]
            for dim, size in zip(shapes[index].dim, reordered(sizes, ops.to_last(len(sizes)))):
                dim.size = size
