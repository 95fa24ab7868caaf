"""How an op says the same once its images have their channels last: its attributes, axes and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, Iterable, Optional, Tuple

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.graph import become, data_inputs, input_name, shape_of, tensor_name

from . import layout_ops as ops

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, NodeDef
    from keras_gensynth_callback.graph import EditableGraph


class Changes:
    """Changes nodes whose images were turned.

    Args:
        graph: EditableGraph.
        value: callable, tensor name -> the NumPy value of a constant, or None.
        constant: callable, (value, name, node beside it, tensor that it may wait for) -> tensor name.
        add: callable, (op, name, inputs, node beside it, **attrs) -> tensor name.
    """

    def __init__(
        self,
        graph: EditableGraph,
        value: Callable[[str], Optional[np.ndarray]],
        constant: Callable[..., str],
        add: Callable[..., str],
    ) -> None:
        self._graph, self._value, self._constant, self._add = graph, value, constant, add
        self._lengths: Dict[str, str] = {}  # the shape of what was turned, as the model has it -> as it is now

    def change(self, node: NodeDef, rank: int, positions: Iterable[int]) -> None:
        """Changes one node.

        Args:
            node: NodeDef. Nodes of `layout_ops.SHAPES` come before all others.
            rank: int, of its images.
            positions: which inputs have their channels last.
        """
        if node.op in ops.FORMATTED:
            self._formatted(node, rank)
        elif node.op == "Transpose":
            become(node, "Identity", node.input[:1], **shape_of(node), T=node.attr["T"])
        elif node.op in ops.REDUCTIONS:
            self._axes(node, 1, rank)
        elif node.op in ops.PADDING:
            self._by_axis(node, 1, rank)
        elif node.op == "ConcatV2":
            self._axes(node, len(data_inputs(node)) - 1, rank)
        elif node.op == "Slice":
            self._by_axis(node, 1, rank)
            self._by_axis(node, 2, rank)
        elif node.op == "Reshape":
            self._by_axis(node, 1, rank)
        elif node.op in ops.FILLS:
            self._by_axis(node, ops.FILLS[node.op], rank)
        elif node.op == "ExpandDims":
            axis = self._value(node.input[1])
            if axis is not None:  # `Layout` turns no other
                place = int(axis) % rank - 1
                node.input[1] = input_name(self._constant(place, f"{node.name}/dim", node, node.input[0]))
        elif node.op == "Squeeze":
            before = rank + len(node.attr["squeeze_dims"].list.i)
            axes = [ops.to_first(before)[axis % before] for axis in node.attr["squeeze_dims"].list.i]
            node.attr["squeeze_dims"].list.i[:] = sorted(axes)
        elif node.op == "Shape":
            self._shape(node, rank)
        elif node.op == "ShapeN":
            for position in positions:
                self._one_of_shapes(node, position, rank)

    def _formatted(self, node: NodeDef, rank: int) -> None:
        node.attr["data_format"].s = ops.CHANNELS_LAST[node.attr["data_format"].s]
        for name in ops.BY_AXIS:
            numbers = list(node.attr[name].list.i) if name in node.attr else []
            if numbers:
                rows = np.reshape(numbers, [rank, -1])[ops.to_last(rank)]
                node.attr[name].list.i[:] = [int(number) for number in rows.ravel()]
        for position in ops.FORMATTED[node.op].sizes:
            self._by_axis(node, position, rank)

    def _axes(self, node: NodeDef, position: int, rank: int) -> None:
        """An input that holds axes."""
        where, tensor = np.array(ops.to_first(rank)), node.input[position]
        axes = self._value(tensor)
        if axes is not None:
            name = f"{node.name}/axes"
            changed = self._constant(where[axes], name, node, node.input[0], axes.dtype)
        else:
            index = node.attr["Tidx"].type
            dtype = tf.as_dtype(index).as_numpy_dtype
            table = self._constant(where, f"{node.name}/axes/table", node, node.input[0], dtype)
            changed = self._gathered(table, tensor, f"{node.name}/axes", node, index, index)
        node.input[position] = input_name(changed)

    def _by_axis(self, node: NodeDef, position: int, rank: int) -> None:
        """An input that holds something for each axis."""
        tensor = tensor_name(node.input[position])
        rows = self._value(tensor)
        if tensor in self._lengths:
            changed = self._lengths[tensor]
        elif rows is not None:
            name = f"{node.name}/by_axis"
            changed = self._constant(rows[ops.to_last(rank)], name, node, node.input[0], rows.dtype)
        else:
            order = self._constant(ops.to_last(rank), f"{node.name}/by_axis/order", node, tensor)
            given = [node.attr[name].type for name in ("Tshape", "Index") if name in node.attr]
            dtype = given[0] if given else _INT32
            changed = self._gathered(tensor, order, f"{node.name}/by_axis", node, dtype, _INT32)
        node.input[position] = input_name(changed)

    def _gathered(self, values: str, indices: str, name: str, node: NodeDef, dtype: int, index: int) -> str:
        axis = self._constant(0, name + "/axis", node, indices)
        return self._add("GatherV2", name, [values, indices, axis], node, **_types(dtype, index))

    def _shape(self, node: NodeDef, rank: int) -> None:
        now, dtype = self._length(node, node.input[0], rank)
        order, axis = self._order(node, rank)
        become(node, "GatherV2", [now, order, axis], **shape_of(node), **_types(dtype, _INT32))
        self._lengths[f"{node.name}:0"] = now

    def _one_of_shapes(self, node: NodeDef, position: int, rank: int) -> None:
        now, dtype = self._length(node, node.input[position], rank)
        order, axis = self._order(node, rank)
        there = self._add("GatherV2", f"{node.name}/shape", [now, order, axis], node, **_types(dtype, _INT32))
        self._graph.redirect({f"{node.name}:{position}": there})
        self._lengths[there] = now

    def _length(self, node: NodeDef, images: str, rank: int) -> Tuple[str, int]:
        """The shape of a turned tensor, and its type."""
        dtype = node.attr["out_type"].type if "out_type" in node.attr else _INT32
        attrs = {"T": node.attr["T"], "out_type": tf.as_dtype(dtype)}
        now = self._add("Shape", f"{node.name}/channels_last", [images], node, **attrs)
        return now, dtype

    def _order(self, node: NodeDef, rank: int) -> Tuple[str, str]:
        order = self._constant(ops.to_first(rank), f"{node.name}/order", node, node.input[0])
        return order, self._constant(0, f"{node.name}/axis", node, node.input[0])


_INT32 = tf.int32.as_datatype_enum


def _types(dtype: int, index: int) -> Dict[str, DType]:
    return {"Tparams": tf.as_dtype(dtype), "Tindices": tf.as_dtype(index), "Taxis": tf.int32}
