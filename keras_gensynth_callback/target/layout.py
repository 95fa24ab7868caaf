"""Finds which tensors of a graph may hold their channels last, so that few transpositions are left.

What has a `data_format` with channels in front is turned: its images, and what becomes of them. So are all ops behind
it that do not care where the channels stand. A transposition is needed only where turned tensors meet others; where
the model itself transposes, turned tensors come for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Sequence

import numpy as np

from keras_gensynth_callback.graph import data_inputs, is_control, node_of, tensor_name

from . import layout_ops as ops

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Shape

    from .rewriting import Rewriter


class Layout:
    """Which tensors are turned, and which inputs of which nodes want what is turned.

    Args:
        rewriter: Rewriter.

    Attributes:
        turned: dict, name of a tensor that is computed with its channels last -> its rank.
        free: dict, name of a tensor that the model transposes to have its channels in front -> what it transposes.
        wants: dict, node name -> positions of inputs that want a turned tensor.
        rank: dict, name of a node that changes -> the rank of its images.
    """

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter, self._graph = rewriter, rewriter.graph
        self.turned: Dict[str, int] = {}
        self.free: Dict[str, str] = {}
        self.wants: Dict[str, List[int]] = {}
        self.rank: Dict[str, int] = {}
        for name in self._graph.topological():
            self._look_at(self._graph.nodes[name])
        if self.turned:
            self._prune()

    def rank_of(self, tensor: str) -> Optional[int]:
        """The rank of a tensor that is turned or free, or None."""
        if tensor in self.free:
            order = self._rewriter.value(self._graph.nodes[node_of(tensor)].input[1])
            return None if order is None else len(order)
        return self.turned.get(tensor)

    # -- node by node

    def _look_at(self, node: NodeDef) -> None:
        inputs = [tensor_name(tensor) for tensor in data_inputs(node)]
        if node.op in ops.FORMATTED:
            self._formatted(node, inputs)
        elif node.op == "Transpose":
            self._transpose(node, inputs)
        elif any(self.rank_of(tensor) for tensor in inputs):
            self._behind(node, inputs)
        elif node.op in ops.FILLS:
            self._filled(node, node_of(inputs[ops.FILLS[node.op]]))

    def _formatted(self, node: NodeDef, inputs: Sequence[str]) -> None:
        if not ops.has_channels_first(node):
            return
        form, rank = ops.FORMATTED[node.op], 4 if node.attr["data_format"].s == b"NCHW" else 5
        if node.op in ops.ANY_RANK:
            rank = self.rank_of(inputs[0]) or len(self._rewriter.shape(inputs[0]) or ())
            if rank < 2:
                return
        self._turn(node, rank, form.images, form.results)

    def _transpose(self, node: NodeDef, inputs: Sequence[str]) -> None:
        order = self._rewriter.value(inputs[1])
        if order is None or len(order) < 4:  # of three axes, more than images are transposed so
            return
        if list(order) == ops.to_first(len(order)):
            self.free[f"{node.name}:0"] = inputs[0]
        elif list(order) == ops.to_last(len(order)) and self.rank_of(inputs[0]):
            self._turn(node, len(order), [0], [])

    def _filled(self, node: NodeDef, shape: str) -> None:
        """What fills the shape of a turned tensor may as well be turned."""
        if self._graph.nodes[shape].op == "Shape" and shape in self.wants:
            rank = self.rank[shape]
            images = [0] if node.op == "BroadcastTo" else []
            if all(self._rank(tensor_name(node.input[position])) == rank for position in images):
                self._turn(node, rank, images, [0])

    def _behind(self, node: NodeDef, inputs: Sequence[str]) -> None:
        """What takes a turned tensor and has no `data_format`."""
        rank = next(filter(None, map(self.rank_of, inputs)))
        if node.op == "Switch":
            self._turn(node, rank, [0], [0, 1])
        elif node.op == "Merge":
            if not any(self._graph.nodes[node_of(tensor)].op in ("NextIteration", "Enter") for tensor in inputs):
                self._elementwise(node, inputs, rank)
        elif node.op in ops.ELEMENTWISE:
            self._elementwise(node, inputs, rank)
        elif node.op in ops.REDUCTIONS:
            self._reduction(node, inputs)
        elif node.op in ops.SHAPES:
            self._turn(node, rank, [at for at, tensor in enumerate(inputs) if self.rank_of(tensor) == rank], [])
        elif node.op in ("Size", "Rank"):
            self._turn(node, rank, [0], [])
        elif node.op == "ConcatV2" and self._rewriter.value(inputs[-1]) is not None:
            if all(self._rank(tensor) == rank for tensor in inputs[:-1]):
                self._turn(node, rank, range(len(inputs) - 1), [0])
        elif node.op == "Slice" and self.rank_of(inputs[0]):
            self._turn(node, rank, [0], [0])
        elif node.op in ops.PADDING and self._rewriter.value(inputs[1]) is not None:
            self._turn(node, rank, [0], [0])
        elif node.op == "Reshape" and self._undoes_a_sum(node, inputs, rank):
            self._turn(node, rank, [0], [0])
        elif node.op == "ExpandDims":
            axis = self._rewriter.value(inputs[1])
            if self.rank_of(inputs[0]) and axis is not None and (int(axis) + rank + 1) % (rank + 1) >= 2:
                self._turn(node, rank + 1, [0], [0])
        elif node.op == "Squeeze" and "squeeze_dims" in node.attr:
            axes = {axis % rank for axis in node.attr["squeeze_dims"].list.i}
            if len(axes) in range(1, rank - 2) and not axes & {0, 1}:
                self._turn(node, rank - len(axes), [0], [0])

    def _turn(self, node: NodeDef, rank: int, positions: Iterable[int], results: Iterable[int]) -> None:
        self.wants[node.name], self.rank[node.name] = list(positions), rank
        self.turned.update((f"{node.name}:{index}", rank) for index in results)

    def _rank(self, tensor: str) -> Optional[int]:
        shape = self._rewriter.shape(tensor)
        return self.rank_of(tensor) or (None if shape is None else len(shape))

    def _elementwise(self, node: NodeDef, inputs: Sequence[str], rank: int) -> None:
        wanted = []
        for position, tensor in enumerate(inputs):
            own = self._rank(tensor)
            if own == rank:
                wanted.append(position)
            elif own != 0 and not (own == 1 and position == 0 and node.op in ops.CHOOSES_ROWS):
                shape = self._rewriter.shape(tensor)
                if own is None or own > rank or shape is None or any(size != 1 for size in shape):
                    return
        self._turn(node, rank, wanted, [0])

    def _reduction(self, node: NodeDef, inputs: Sequence[str]) -> None:
        """Axes that are left must be in the same order as before; or all of them are, as ones."""
        rank, axes = self.rank_of(inputs[0]), self._rewriter.value(inputs[1])
        if rank is None:
            return
        if _keeps_axes(node):
            self._turn(node, rank, [0], [0])
        elif axes is not None:
            gone = {int(axis) % rank for axis in np.ravel(axes)}
            left = [ops.to_first(rank)[axis] for axis in range(rank) if axis not in gone]
            if left == sorted(left):
                self._turn(node, rank, [0], [])

    def _undoes_a_sum(self, node: NodeDef, inputs: Sequence[str], rank: int) -> bool:
        """Whether this is the end of the gradient of a broadcast: summed over axes that are found when it runs, and
        then brought into a shape that differs from the sum's by nothing, or by ones."""
        source = self._graph.nodes[node_of(inputs[0])]
        return (
            source.op == "Sum"
            and _keeps_axes(source)
            and inputs[0] in self.turned
            and self._rewriter.shape(inputs[1]) == [rank]
        )

    # -- afterwards

    def _prune(self) -> None:
        """Leaves alone what would be turned for nobody: where it takes other tensors too, and no reader wants it."""
        consumers = self._graph.consumers()
        for name in reversed(self._graph.topological()):
            node = self._graph.nodes[name]
            if node.op not in ops.ELEMENTWISE and node.op != "Merge" or name not in self.wants:
                continue
            if self._takes_others(node) and not any(self._is_wanted(node, reader) for reader in consumers[name]):
                del self.wants[name], self.rank[name], self.turned[f"{name}:0"]

    def _takes_others(self, node: NodeDef) -> bool:
        inputs = [tensor_name(tensor) for tensor in data_inputs(node)]
        others = [inputs[at] for at in self.wants[node.name] if not self.rank_of(inputs[at])]
        return any(not costs_nothing(self._rewriter, tensor, ops.to_last(self.rank[node.name])) for tensor in others)

    def _is_wanted(self, node: NodeDef, reader: NodeDef) -> bool:
        return any(
            not is_control(tensor) and node_of(tensor) == node.name and at in self.wants.get(reader.name, ())
            for at, tensor in enumerate(reader.input)
        )


def _keeps_axes(reduction: NodeDef) -> bool:
    return "keep_dims" in reduction.attr and reduction.attr["keep_dims"].b


def costs_nothing(rewriter: Rewriter, tensor: str, order: Sequence[int]) -> bool:
    """Whether a tensor is a constant, or one whose numbers stay in their order when its axes are reordered."""
    shape = rewriter.shape(tensor)
    return rewriter.value(tensor) is not None or shape is not None and moves_nothing(shape, order)


def moves_nothing(shape: Shape, order: Sequence[int]) -> bool:
    """Whether a Reshape can do the transposition: the axes that are longer than 1 stay in their order."""
    left = [axis for axis in order if shape[axis] != 1]
    return shape.count(None) <= 1 and left == sorted(left)


def reordered(values: Sequence[Any], order: Sequence[int]) -> List[Any]:
    """The values in another order."""
    return [values[axis] for axis in order]
