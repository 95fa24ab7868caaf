"""Finds, for two graphs that the same Python built, which nodes of the one are which nodes of the other.

First by value: same op, same attributes, same inputs. Then, where an input differs, by name: the same line of Python,
fed with something else. A wrong guess by name costs nodes, never a number, since each differing input is then chosen
by the learning phase (`overlay.py`). Loops and conditionals are matched whole or not at all, since nothing can be
chosen inside of a loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterable, List, Optional, Sequence, Set, Tuple, Union

from keras_gensynth_callback.compat import VARIABLE_READS

from .nodes import data_inputs, has_control_inputs, is_control, moved, node_of, tensor_name
from .variables import is_write

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef

    from .editable import Context, EditableGraph


# What comes from outside of both graphs, under the same name.
NAMED = {"VarHandleOp", "HashTableV2", "Placeholder", "PlaceholderWithDefault"}
_ORDERED = NAMED.union(VARIABLE_READS)
# Type and attributes of an op, and with its inputs.
_Attributes = Tuple[str, Tuple[Tuple[str, bytes], ...]]
_Value = Tuple[_Attributes, Tuple[Optional[str], ...]]
RANK = "_rank"
_RANDOM = ("Random", "Multinomial", "TruncatedNormal", "ParameterizedTruncatedNormal")


def match(
    first: EditableGraph,
    second: EditableGraph,
    by_name: bool = True,
    excluded: Iterable[str] = (),
    alone: Iterable[str] = (),
) -> Dict[str, str]:
    """Pairs nodes of two EditableGraphs.

    Args:
        first, second: EditableGraph.
        by_name: bool, also pair nodes whose inputs differ.
        excluded, alone: node names of `second`, and of `first`, that must have no twin.

    Returns:
        dict, node name in `first` -> node name in `second`.
    """
    return _Matcher(first, second, by_name, set(excluded), set(alone)).run()


def attributes(node: NodeDef) -> _Attributes:
    """What an op does, besides its inputs: its type and attributes, as a key."""
    found = [
        (key, value.SerializeToString(deterministic=True))
        for key, value in node.attr.items()
        if not key.startswith("_")
    ]
    return node.op, tuple(sorted(found))


def note_rank(node: NodeDef, rank: Optional[int]) -> None:
    """Notes on a node the rank of its only output, for `match`: graphs do not keep shapes."""
    if rank is not None:
        node.attr[RANK].i = rank


def _may_be_one(node: NodeDef, other: NodeDef) -> bool:
    """Whether their ranks are the same, as far as they are known. So the rank of what stands for both is known."""
    return RANK not in node.attr or RANK not in other.attr or node.attr[RANK].i == other.attr[RANK].i


class _Matcher:
    def __init__(
        self, first: EditableGraph, second: EditableGraph, by_name: bool, excluded: Set[str], alone: Set[str]
    ) -> None:
        self.first, self.second, self.by_name, self.alone = first, second, by_name, alone
        self.pairs: Dict[str, str] = {}
        self.taken: Set[str] = set()
        self.excluded = excluded
        # What nodes that were paired by name depend on in `second`. It cannot be the twin of what comes later in
        # `first`: each would wait for the other.
        self.behind: Set[str] = set()
        self.by_value: Dict[_Value, List[str]] = {}
        for name, node in second.nodes.items():
            if name not in excluded and name not in second.context_of:
                self.by_value.setdefault((attributes(node), tuple(_data(node))), []).append(name)

    def run(self) -> Dict[str, str]:
        for unit in units(self.first):
            if not self.alone.isdisjoint(unit):
                continue
            if len(unit) == 1 and unit[0] not in self.first.context_of:
                self._match_node(self.first.nodes[unit[0]])
            else:
                self._match_group(unit)
        return self.pairs

    def _match_node(self, node: NodeDef) -> None:
        inputs = [self._translated(tensor) for tensor in _data(node)]
        candidates = self.by_value.get((attributes(node), tuple(inputs)), ()) if None not in inputs else ()
        found = self._same_value(node, candidates)
        if found is None and self.by_name:
            found = self._same_name(node, inputs)
            self._look_behind([found] if found is not None else [])
        if found is not None:
            self.pairs[node.name] = found
            self.taken.add(found)

    def _same_value(self, node: NodeDef, candidates: Sequence[str]) -> Optional[str]:
        free = [name for name in candidates if name not in self.taken]
        if not keeps_order(node):
            # What waits for something, a constant behind an assertion say, is no other one of the same value: that one
            # may be what the assertion needs.
            free = [name for name in free if has_control_inputs(self.second.nodes[name]) == has_control_inputs(node)]
            if node.name in free or has_control_inputs(node):
                return node.name if node.name in free else None
            return free[0] if free else None
        if node.op in NAMED:
            return node.name if node.name in free else None
        waits = {self.pairs.get(node_of(tensor)) for tensor in node.input if is_control(tensor)}
        for name in free:
            other = {node_of(tensor) for tensor in self.second.nodes[name].input if is_control(tensor)}
            if self._ordered_alike(waits, other):
                return name
        return None

    def _ordered_alike(self, waits: Set[Optional[str]], other: Set[str]) -> bool:
        """Whether one waits for the writes that the other waits for."""
        writes = {name for name in other if is_write(self.second.nodes[name])}
        return {name for name in waits if name is not None and is_write(self.second.nodes[name])} == writes and (
            None not in waits or not writes
        )

    def _same_name(self, node: NodeDef, inputs: List[Optional[str]]) -> Optional[str]:
        other = self.second.nodes.get(node.name)
        if (
            other is None
            or node.name in self.taken
            or node.name in self.excluded
            or node.name in self.second.context_of
            or node.name in self.behind
            or not inputs
            or attributes(node) != attributes(other)
            or len(inputs) != len(_data(other))
            or is_random(node)
            or not _share_an_operand(inputs, _data(other))
            or not _may_be_one(node, other)
        ):
            return None
        # What is read or written must be the same variable.
        if (is_write(node) or node.op in _ORDERED) and inputs[0] != _data(other)[0]:
            return None
        return node.name

    def _match_group(self, names: List[str]) -> None:
        """A whole loop or conditional, by names; the tensors that enter may differ where `Enter` or `Switch` takes
        them.
        """
        inside = set(names)
        for name in names:
            node, other = self.first.nodes[name], self.second.nodes.get(name)
            if other is None or name in self.taken or name in self.excluded or attributes(node) != attributes(other):
                return
            if name in self.behind:
                return
            if (name in self.first.context_of) != (name in self.second.context_of) or len(node.input) != len(
                other.input
            ):
                return
            for mine, theirs in zip(node.input, other.input):
                if node_of(mine) in inside:
                    same = mine == theirs
                elif is_control(mine):
                    same = self.pairs.get(node_of(mine)) == node_of(theirs)
                else:
                    same = self._translated(mine) == tensor_name(theirs) or (
                        self.by_name and _takes_from_outside(node) and node_of(theirs) not in inside
                    )
                if not same:
                    return
        if _group_size(self.second, names) != len(names):
            return
        self.pairs.update({name: name for name in names})
        self.taken |= inside
        self._look_behind(names)

    def _look_behind(self, names: Iterable[str]) -> None:
        if self.by_name:
            self.behind |= self.second.ancestors(names, stop=self.behind)

    def _translated(self, tensor: str) -> Optional[str]:
        return moved(tensor_name(tensor), self.pairs) if node_of(tensor) in self.pairs else None


def keeps_order(node: NodeDef) -> bool:
    """Whether it matters when a node runs, so that two of the same value are not one."""
    return node.op in _ORDERED or is_write(node) or is_random(node)


def is_random(node: NodeDef) -> bool:
    """Whether a NodeDef draws other numbers at each run."""
    return any(part in node.op for part in _RANDOM) and not node.op.startswith("Stateless")


def units(graph: EditableGraph) -> List[List[str]]:
    """Lists of node names that belong together - a lone node, or all of an outermost loop or conditional - inputs
    first.
    """
    group_of = {name: _outermost(context) for name, context in graph.context_of.items()}
    members: Dict[Union[int, str], List[str]] = {}
    for name in graph.nodes:
        members.setdefault(id(group_of[name]) if name in group_of else name, []).append(name)
    key_of = {name: key for key, names in members.items() for name in names}
    done: Set[Union[int, str]] = set()
    order: List[List[str]] = []
    for root in members:
        stack = [(root, False)]
        while stack:
            key, expanded = stack.pop()
            if expanded:
                order.append(members[key])
            elif key not in done:
                done.add(key)
                stack.append((key, True))
                sources = [key_of[node_of(tensor)] for name in members[key] for tensor in graph.nodes[name].input]
                stack.extend((source, False) for source in reversed(sources) if source not in done)
    return order


def group_key(graph: EditableGraph, name: str) -> Optional[int]:
    """What names the outermost loop or conditional that a node stands in, or None."""
    context = graph.context_of.get(name)
    return None if context is None else id(_outermost(context))


def _outermost(context: Context) -> Context:
    return list(context.outwards())[-1]


def _group_size(graph: EditableGraph, names: List[str]) -> int:
    keys = {group_key(graph, name) for name in names} - {None}
    return sum(group_key(graph, name) in keys for name in graph.context_of) + sum(
        name not in graph.context_of for name in names
    )


def _share_an_operand(mine: List[Optional[str]], theirs: List[str]) -> bool:
    """Whether one of several operands is the same: another line of Python may have given its op the same name, two
    quotients for example.
    """
    return len(mine) == 1 or any(one == other for one, other in zip(mine, theirs))


def _takes_from_outside(node: NodeDef) -> bool:
    return node.op in ("Enter", "Switch")


def _data(node: NodeDef) -> List[str]:
    return [tensor_name(tensor) for tensor in data_inputs(node)]
