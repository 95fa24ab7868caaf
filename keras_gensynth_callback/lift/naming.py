"""Gives ops the names that tf.keras of TF 1.15 would give: `dense/MatMul`, `loss/...`, `metrics/...`,
`training/Adam/...`.
"""

import re
from typing import Dict, Set

from keras_gensynth_callback.graph import LEARNING_PHASE, unique

# Keras 3 calls a Conv2D `convolution`; in TF 1.15 an op is called by its type.
_KERAS_3_OPS = re.compile(r"^(convolution|depthwise)(_\d+)?$")
_OWN_SCOPES = {"loss", "metrics", "training", LEARNING_PHASE}


def tf1_scopes(graph, layers, model_scope):
    """The scopes that TF 1.15 would give to the calls of layers: dict, name scope in the graph -> new name scope.

    Args:
        graph: EditableGraph.
        layers: dict, name scope of a layer's call -> the layer's name.
        model_scope: str, the name of a model whose own scope TF 1.15 would not have, or ''.
    """
    return _scopes(_used_scopes(graph), layers, model_scope)


def rename_contexts(graph, scopes):
    """Gives loops and conditionals the scopes of their layers, too; a loop's frame is called as its context is."""
    taken: Set[str] = set()
    frames = {}
    for context in graph.contexts:
        old = context.name
        scope, inner = _split(old, scopes)
        name = "/".join(filter(None, [scopes[scope], inner])) if scope is not None else old
        context.fields.context_name = unique(re.sub(r"/cond_\d+$", "/cond", name), taken)
        frames[old] = context.name
    for node in graph.nodes.values():
        if node.op in ("Enter", "RefEnter") and node.attr["frame_name"].s.decode() in frames:
            node.attr["frame_name"].s = frames[node.attr["frame_name"].s.decode()].encode()


def tf1_names(graph, scopes, optimizer, step_only, fixed):
    """The new names of nodes, as a dict, node name -> new name.

    Args:
        graph: EditableGraph.
        scopes: dict, from `tf1_scopes`.
        optimizer: str, the optimizer's class name, or ''.
        step_only: node names that only the train step has.
        fixed: node names that stay: placeholders, variables, the learning phase.
    """
    fixed, step_only = set(fixed), set(step_only)
    taken = {name.lower() for name in fixed}
    found = {}
    for name in graph.nodes:
        if name not in fixed:
            scope, inner = _split(name, scopes)
            if scope is None:
                own = name.split("/")[0] in _OWN_SCOPES
                scope = "" if own else f"training/{optimizer}" if name in step_only and optimizer else "metrics"
            else:
                scope = scopes[scope]
                inner = _by_type(graph, name, inner)
            found[name] = unique("/".join(filter(None, [scope, inner])), taken)
    return {old: new for old, new in found.items() if old != new}


def _used_scopes(graph):
    used: Set[str] = set()
    for name in graph.nodes:
        parts = name.split("/")
        used.update("/".join(parts[:length]) for length in range(1, len(parts)))
    return used


def _scopes(used, layers, model_scope):
    """dict, name scope of a layer in the graph -> the scope that TF 1.15 would give it."""
    final: Dict[str, str] = {}
    taken: Set[str] = set()
    for scope in sorted(used & set(layers), key=lambda scope: (scope.count("/"), _natural(scope))):
        if "/" not in scope and layers[scope] == model_scope:
            final[scope] = ""
            continue
        parent, between = _split(scope, final)
        path = [final[parent] if parent is not None else "", *between.split("/")[:-1], layers[scope]]
        final[scope] = unique("/".join(filter(None, path)), taken)
    return final


def _split(name, scopes):
    """The innermost of `scopes` that `name` stands in, or None, and the rest of the name."""
    parts = name.split("/")
    for length in range(len(parts) - 1, 0, -1):
        scope = "/".join(parts[:length])
        if scope in scopes:
            return scope, "/".join(parts[length:])
    return None, name


def _by_type(graph, name, inner):
    parts, whole = inner.split("/"), name.split("/")
    for index, part in enumerate(parts):
        if _KERAS_3_OPS.match(part):
            node = graph.nodes.get("/".join(whole[: len(whole) - len(parts) + index + 1]))
            if node is not None:
                parts[index] = node.op
    return "/".join(parts)


def _natural(text):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]
