"""Brings two graphs together that have nodes in common."""

from __future__ import annotations

from typing import Container, Dict, Mapping

from .editable import EditableGraph
from .match import match
from .nodes import node_of, unique


def unite(first: EditableGraph, second: EditableGraph) -> Dict[str, str]:
    """Adds to `second` what `first` has and it has not; both are of one phase.

    Args:
        first, second: EditableGraph; `second` is changed in place.

    Returns:
        dict, node name in `first` -> node name in `second`.
    """
    pairs = match(first, second, by_name=False)
    names = names_apart(first, second, pairs)
    kept = [name for name in first.nodes if name not in pairs]
    alone = EditableGraph()
    alone.nodes = {name: first.nodes[name] for name in kept}
    alone.contexts = [context for context in first.contexts if any(node_of(value) in kept for value in context.values)]
    alone.context_of = {name: first.context_of[name] for name in kept if name in first.context_of}
    alone.rename({name: fresh for name, fresh in names.items() if name != fresh})
    frames_apart(alone, (), second)
    second.nodes.update(alone.nodes)
    second.contexts.extend(alone.contexts)
    second.context_of.update(alone.context_of)
    return names


def names_apart(graph: EditableGraph, other: EditableGraph, pairs: Mapping[str, str]) -> Dict[str, str]:
    """dict, node name in `graph` -> its name beside `other`: that of its pair, or one that is free there."""
    names, taken = dict(pairs), {name.lower() for name in other.nodes}
    for name in graph.nodes:
        if name not in names:
            names[name] = unique(name, taken)
    return names


def frames_apart(graph: EditableGraph, paired: Container[str], other: EditableGraph) -> None:
    """Gives the loops that `paired` nodes do not share with `other` frames of their own: a frame is one loop, by its
    name.
    """
    taken = {context.name.lower() for context in other.contexts}
    for context in graph.contexts:
        inside = [node_of(value) for value in context.values if graph.context_of.get(node_of(value)) is context]
        if context.name.lower() in taken and not any(name in paired for name in inside):
            old, context.fields.context_name = context.name, unique(context.name, taken)
            for node in graph.nodes.values():
                if node.op == "Enter" and node.attr["frame_name"].s.decode() == old:
                    node.attr["frame_name"].s = context.name.encode()
