"""The pass that makes a graph fit a target: rewrite what it lacks, drop what it need not know, refuse the rest."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from keras_gensynth_callback.graph import drop_lost_colocation, node_of, op_definition, stands_in_loop, type_name

from . import rewrites
from .attributes import fit_attributes
from .channels_last import put_channels_last
from .problems import Problem, raise_problems
from .rewriting import Rewriter, Unfit
from .table import OpTable

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef
    from keras_gensynth_callback.graph import EditableGraph


class Change(NamedTuple):
    """What was done: which rule, to which op, to the nodes of which names."""

    rule: str
    op: str
    nodes: List[str]


def told(changes: Iterable[Change]) -> List[Dict[str, Any]]:
    """What a manifest tells of Changes: dicts. That private attributes go is no change of the graph."""
    return [dict(change._asdict()) for change in changes if change.rule != "drop_private_attributes"]


# They load in the target, but what they call is an object in the process that wrote them.
PROCESS_LOCAL = frozenset(
    ["PyFunc", "PyFuncStateless", "EagerPyFunc", "NumericFunction", "IteratorGetNext", "OneShotIterator"]
)


# Their importer looks, at each node, at what the nodes before it take.
_READ_IN_ORDER = ("1.4",)


def fit_to_target(
    graph: EditableGraph, target: str, data_format: str = "channels_last", kept: Iterable[str] = ()
) -> List[Change]:
    """Edits a graph until the target can load and run it.

    Args:
        graph: EditableGraph, edited in place. Static shapes in `_output_shapes` attributes make the result shorter, and
            grouped convolutions are only found with them; they are dropped in the end.
        target: str, one of `known_targets()`.
        data_format: "channels_last": images with channels in front are computed with channels last; "keep": as the
            graph has it.
        kept: names of nodes whose results keep their layout.

    Returns:
        A list of Change, empty if the graph fitted before.

    Raises:
        UnsupportedOpError: some ops cannot be carried. All of them are named in one message.
    """
    table = OpTable.load(target)
    changes = _Changes()
    problems: List[Problem] = []
    if data_format == "channels_last":
        for node in put_channels_last(graph, table, kept):
            changes.add("put_channels_last", (node.op, node.name))
    if not table.is_current:
        _rewrite(graph, table, changes, problems)
    _check(graph, table, changes, problems)
    raise_problems(problems, table.version)
    drop_lost_colocation(graph)
    if table.version in _READ_IN_ORDER:
        nodes = {name: graph.nodes[name] for name in graph.topological()}
        graph.nodes.clear()
        graph.nodes.update(nodes)
    return changes.records()


class _Changes:
    def __init__(self) -> None:
        self._nodes: Dict[Tuple[str, str], List[str]] = collections.OrderedDict()

    def add(self, rule: str, node: Tuple[str, str]) -> None:
        self._nodes.setdefault((rule, node[0]), []).append(node[1])

    def records(self) -> List[Change]:
        return [Change(rule, op, nodes) for (rule, op), nodes in self._nodes.items()]


def _rewrite(graph: EditableGraph, table: OpTable, changes: _Changes, problems: List[Problem]) -> None:
    """Tries all rules until none changes anything: what one rewrite is made of may be what another one rewrites."""
    while _rewritten_once(graph, table, changes, problems) and not problems:
        pass
    _widen(graph, table, changes)


def _rewritten_once(graph: EditableGraph, table: OpTable, changes: _Changes, problems: List[Problem]) -> bool:
    nodes: Dict[str, List[NodeDef]] = collections.defaultdict(list)
    changed = False
    for node in graph.nodes.values():
        nodes[node.op].append(node)
    for op, rules in rewrites.RULES.items():
        for rule in rules if op in nodes else ():
            rewriter = Rewriter(graph, table)
            for node in nodes[op]:
                if node.name not in graph.nodes or node.op != op:
                    continue
                try:
                    if rule(rewriter, node):
                        changes.add(rule.__name__, (op, node.name))
                        changed = True
                except Unfit as reason:
                    problems.append(Problem(node.name, op, str(reason)))
            rewriter.remove_unused()
    return changed


def _widen(graph: EditableGraph, table: OpTable, changes: _Changes) -> None:
    rewriter = Rewriter(graph, table)
    for node in list(graph.nodes.values()):
        op = node.op
        if op not in rewrites.WIDENED or table.has_cpu_kernel(node):
            continue
        if rewrites.compute_in_wider_integers(rewriter, node):
            changes.add("compute_in_wider_integers", (op, node.name))


def _check(graph: EditableGraph, table: OpTable, changes: _Changes, problems: List[Problem]) -> None:
    reported = {problem.node for problem in problems}
    for node in graph.nodes.values():
        if node.name in reported:
            continue
        found = _problem(graph, node, table, changes)
        if found:
            problems.append(Problem(node.name, node.op, found))


def _writes_one_index(graph: EditableGraph, node: NodeDef) -> bool:
    """Whether a loop writes the same index of a TensorArray in each step, which a v1 TensorArray refuses."""
    return stands_in_loop(graph, node.name) and graph.nodes[node_of(node.input[1])].op == "Const"


def _problem(graph: EditableGraph, node: NodeDef, table: OpTable, changes: _Changes) -> Optional[str]:
    """Cleans a node; returns what is wrong with it, or None."""
    if node.op in PROCESS_LOCAL:
        return "it calls an object of the process that wrote it"
    definition = table.op(node.op)
    if definition is None:
        return "the op does not exist there"
    if node.device:
        node.device = ""
        changes.add("drop_devices", (node.op, node.name))
    if node.op == "TensorArrayWriteV3" and not table.is_current and _writes_one_index(graph, node):
        return "it writes one index in each step of a loop, which fails there at the second step"
    found = fit_attributes(node, definition, op_definition(node.op), changes.add)
    if found:
        return found
    unknown = [value.type for value in node.attr.values() if not table.knows_type(value.type)]
    if unknown:
        return f"the type {type_name(unknown[0])} does not exist there"
    if not table.has_cpu_kernel(node):
        return "there is no CPU kernel for " + _types(node)
    return None


def _types(node: NodeDef) -> str:
    types = {key: value.type for key, value in node.attr.items() if value.WhichOneof("value") == "type"}
    return ", ".join(f"{key}={type_name(types[key])}" for key in sorted(types)) or "any type"
