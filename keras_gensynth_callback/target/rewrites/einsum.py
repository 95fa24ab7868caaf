"""Einsum as transpose, reshape and one matrix product, which TensorFlow 1.15 can differentiate.

Each label of an equation is one of four kinds: `batch` (in both operands and the result), `contracted` (in both
operands alone), `free` (in one operand and the result), `summed` (in one operand alone). Operands are brought to
[batch..., free, contracted] and [batch..., contracted, free], multiplied, and brought to the order of the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

import tensorflow as tf

from keras_gensynth_callback.graph import data_inputs

from ..rewriting import Unfit

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Shape

    from ..rewriting import Rewriter

_LONGEST = 512
_INT32 = {"T": tf.int32}


def contract(rewriter: Rewriter, node: NodeDef) -> bool:
    """Rewrites an Einsum node with one or two operands."""
    operands, result = _labels(rewriter, node)
    work = _Contraction(rewriter, node)
    terms = [work.operand(tensor, labels) for tensor, labels in zip(node.input, operands)]
    kept = [set(result).union(*(other for other in operands if other is not labels)) for labels in operands]
    terms = [work.summed(term, [label for label in term.labels if label in keep]) for term, keep in zip(terms, kept)]
    term = terms[0] if len(terms) == 1 else work.product(terms[0], terms[1], result)
    work.finish(term, result)
    return True


class _Term:
    """A tensor and the labels of its axes, in order."""

    def __init__(self, tensor: str, labels: Iterable[str]) -> None:
        self.tensor, self.labels = tensor, list(labels)


class _Contraction:
    """One Einsum node, while it is taken apart."""

    def __init__(self, rewriter: Rewriter, node: NodeDef) -> None:
        self.rewriter, self.node = rewriter, node
        self.type = {"T": node.attr["T"]}
        self.sizes: Dict[str, Optional[int]] = {}
        self.origin: Dict[str, Tuple[str, int]] = {}
        self._dynamic: Dict[str, str] = {}

    def operand(self, tensor: str, labels: List[str]) -> _Term:
        """A term for an operand; remembers how long each axis is, or where that can be looked up."""
        shape = self.rewriter.shape(tensor) or [None] * len(labels)
        for axis, (label, size) in enumerate(zip(labels, shape)):
            if self.sizes.get(label) is None:
                self.sizes[label] = size
            self.origin.setdefault(label, (tensor, axis))
        return _Term(tensor, labels)

    def add(self, op: str, name: str, inputs: Sequence[str], **attrs: Any) -> str:
        return self.rewriter.add(op, name, inputs, self.node, **attrs)

    def constant(self, values: Any, name: str) -> str:
        return self.rewriter.constant(values, name, self.node, "int32")

    def summed(self, term: _Term, kept: List[str]) -> _Term:
        axes = [axis for axis, label in enumerate(term.labels) if label not in kept]
        if not axes:
            return term
        inputs = [term.tensor, self.constant(axes, "axes")]
        return _Term(self.add("Sum", "Sum", inputs, Tidx=tf.int32, keep_dims=False, **self.type), kept)

    def transposed(self, term: _Term, labels: List[str]) -> _Term:
        if list(labels) == term.labels:
            return term
        inputs = [term.tensor, self.constant([term.labels.index(label) for label in labels], "perm")]
        return _Term(self.add("Transpose", "Transpose", inputs, Tperm=tf.int32, **self.type), labels)

    def reshaped(self, tensor: str, groups: List[List[str]]) -> str:
        """Reshapes to one axis for each group of labels; groups of one label each are left as they are."""
        return self.add("Reshape", "Reshape", [tensor, self.shape(groups)], Tshape=tf.int32, **self.type)

    def shape(self, groups: List[List[str]]) -> str:
        """The sizes of axes, each a product of labels, as a constant if all but one are known."""
        sizes = [self._size(group) for group in groups]
        if sizes.count(None) <= 1:
            return self.constant([-1 if size is None else size for size in sizes], "shape")
        parts, spare = [], max(range(len(groups)), key=lambda index: (sizes[index] is None, len(groups[index])))
        for index, (group, size) in enumerate(zip(groups, sizes)):
            parts.append(self.constant(-1, "rest") if index == spare else self._part(group, size))
        return self.add("Pack", "shape", parts, N=len(parts), axis=0, **_INT32)

    def _size(self, group: List[str]) -> Optional[int]:
        size = 1
        for label in group:
            length = self.sizes[label]
            if length is None:
                return None
            size *= length
        return size

    def _part(self, group: List[str], size: Optional[int]) -> str:
        if size is not None:
            return self.constant(size, "size")
        part = self._length(group[0])
        for label in group[1:]:
            part = self.add("Mul", "size", [part, self._length(label)], **_INT32)
        return part

    def _length(self, label: str) -> str:
        """The length of an axis as a scalar tensor."""
        if label not in self._dynamic:
            if self.sizes[label] is not None:
                self._dynamic[label] = self.constant(self.sizes[label], "size")
            else:
                tensor, axis = self.origin[label]
                shape = self.add("Shape", "Shape", [tensor], out_type=tf.int32, **self.type)
                bounds = [self.constant([bound], "bound") for bound in (axis, axis + 1, 1)]
                attrs = {"Index": tf.int32, "shrink_axis_mask": 1}
                self._dynamic[label] = self.add("StridedSlice", "length", [shape] + bounds, **attrs, **_INT32)
        return self._dynamic[label]

    def product(self, left: _Term, right: _Term, result: List[str]) -> _Term:
        """The product of two terms, with its axes in the order [batch..., free of left..., free of right...]."""
        batch = [label for label in result if label in left.labels and label in right.labels]
        shared = [label for label in left.labels if label in right.labels and label not in batch]
        free = [[label for label in term.labels if label not in batch + shared] for term in (left, right)]
        tensors, flipped = [], []
        for position, (term, own) in enumerate(zip((left, right), free)):
            tensor, flip = self._matrix(term, batch, own, shared, position == 1)
            tensors.append(tensor)
            flipped.append(flip)
        if batch:
            adjoint = {"adj_x": flipped[0], "adj_y": flipped[1]}
            tensor = self.add("BatchMatMulV2", "BatchMatMul", tensors, **adjoint, **self.type)
        else:
            transpose = {"transpose_a": flipped[0], "transpose_b": flipped[1]}
            tensor = self.add("MatMul", "MatMul", tensors, **transpose, **self.type)
        labels = batch + free[0] + free[1]
        if len(free[0]) != 1 or len(free[1]) != 1:
            tensor = self.reshaped(tensor, [[label] for label in labels])
        return _Term(tensor, labels)

    def _matrix(
        self, term: _Term, batch: List[str], free: List[str], shared: List[str], is_right: bool
    ) -> Tuple[str, bool]:
        """A term as [batch..., rows, columns]; the second value says whether rows and columns are exchanged."""
        orders = {False: (free, shared), True: (shared, free)}
        flipped = (
            term.labels == batch + orders[not is_right][0] + orders[not is_right][1] and bool(free) and bool(shared)
        )
        rows, columns = orders[is_right != flipped]
        term = self.transposed(term, batch + rows + columns)
        if len(rows) == 1 and len(columns) == 1:
            return term.tensor, flipped
        return self.reshaped(term.tensor, [[label] for label in batch] + [rows, columns]), flipped

    def finish(self, term: _Term, result: List[str]) -> None:
        """The Einsum node becomes the last step."""
        if term.labels != result:
            perm = self.constant([term.labels.index(label) for label in result], "perm")
            self.rewriter.become(self.node, "Transpose", [term.tensor, perm], T="T", Tperm=tf.int32)
        else:
            self._become_last(term.tensor)

    def _become_last(self, tensor: str) -> None:
        last = self.rewriter.source(tensor)
        if last.name in self.node.input or not last.name.startswith(self.node.name + "/"):
            self.rewriter.become(self.node, "Identity", [tensor], T="T")
            return
        data = data_inputs(last)
        self.rewriter.become(self.node, last.op, data, **dict(last.attr.items()))
        self.rewriter.discard(last.name)


def _labels(rewriter: Rewriter, node: NodeDef) -> Tuple[List[List[str]], List[str]]:
    """The labels of each operand and of the result, with an ellipsis written out."""
    if len(node.attr["equation"].s) > _LONGEST:
        raise Unfit(f"its equation has {len(node.attr['equation'].s)} characters, expected at most {_LONGEST}")
    equation = node.attr["equation"].s.decode().replace(" ", "")
    operands, _, result = equation.partition("->")
    operands = operands.split(",")
    if len(operands) > 2:
        raise Unfit(f"its equation {equation!r} has {len(operands)} operands, expected at most 2")
    if "..." in equation:
        operands, result = _without_ellipsis(rewriter, node, operands, result)
    for labels in operands + [result]:
        if len(set(labels)) < len(labels):
            raise Unfit(f"its equation {equation!r} has a label twice in one operand")
    if set(result) - set("".join(operands)):
        raise Unfit(f"its equation {equation!r} has a label in the result alone")
    return [list(labels) for labels in operands], list(result)


def _without_ellipsis(rewriter: Rewriter, node: NodeDef, operands: List[str], result: str) -> Tuple[List[str], str]:
    used, written = set("".join(operands) + result), []
    spare = [chr(code) for code in range(ord("A"), ord("z") + 1) if chr(code).isalpha() and chr(code) not in used]
    lengths, shapes = [], []
    for tensor, labels in zip(node.input, operands):
        shape = rewriter.shape(tensor)
        shapes.append(shape)
        if "..." not in labels:
            lengths.append(0)
        elif shape is not None:
            lengths.append(len(shape) - len(labels) + 3)
        else:
            equation = node.attr["equation"].s.decode()
            raise Unfit(f"its equation {equation!r} has an ellipsis, and the rank of {tensor!r} is not known")
    names = spare[: max(lengths)]
    for labels, length in zip(operands, lengths):
        written.append(labels.replace("...", "".join(names[len(names) - length :])))
    _refuse_broadcasting(node, written, shapes, names)
    return written, result.replace("...", "".join(names))


def _refuse_broadcasting(node: NodeDef, operands: List[str], shapes: List[Optional[Shape]], names: List[str]) -> None:
    sizes: Dict[str, Set[Optional[int]]] = {}
    for labels, shape in zip(operands, shapes):
        for label, size in zip(labels, shape or ()):
            if label in names:
                sizes.setdefault(label, set()).add(size)
    if any(1 in found and len(found) > 1 for found in sizes.values()):
        raise Unfit(f"its equation {node.attr['equation'].s.decode()!r} broadcasts an axis of length 1")
