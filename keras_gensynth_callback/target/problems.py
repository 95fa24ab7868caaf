"""Ops that cannot be carried: each with its layer and a way out, all in one error."""

from __future__ import annotations

import collections
from typing import Dict, List, NamedTuple, Sequence, Tuple

from keras_gensynth_callback.errors import UnsupportedOpError


class Problem(NamedTuple):
    """What a target cannot take: the name of a node, its op, and why."""

    node: str
    op: str
    reason: str


_PYTHON = "express it in TensorFlow ops, or move it to the input pipeline"
_TEXT = "do the text preprocessing before the model, in tf.data"
_DISTRIBUTED = "export the model as it is without a distribution strategy"
_PRECISION = "export a graph that computes in float32, by the argument compute_dtype='float32'"
# The first part of an op's name that fits decides.
_HINTS = (
    ("PyFunc", _PYTHON),
    ("EagerPyFunc", _PYTHON),
    ("NumericFunction", _PYTHON),
    ("Iterator", "feed the model with tensors; take what reads data out of it"),
    ("OneShotIterator", "feed the model with tensors; take what reads data out of it"),
    ("HashTable", _TEXT),
    ("MutableHashTable", _TEXT),
    ("LookupTable", _TEXT),
    ("InitializeTable", _TEXT),
    ("String", _TEXT),
    ("StaticRegex", _TEXT),
    ("Regex", _TEXT),
    ("Unicode", _TEXT),
    ("Ragged", "use dense tensors with a mask instead of ragged ones"),
    ("Collective", _DISTRIBUTED),
    ("Nccl", _DISTRIBUTED),
    ("Xla", "compile the model with jit_compile=False"),
    ("StatefulUniform", "use keras.random with a SeedGenerator, or tf.random.stateless_* functions"),
    ("Rng", "use keras.random with a SeedGenerator, or tf.random.stateless_* functions"),
    ("PartitionedCall", "call the function's ops directly, without tf.function"),
    ("StatefulPartitionedCall", "call the function's ops directly, without tf.function"),
    ("TensorArrayWrite", "carry the value through the loop as a loop variable"),
    ("TensorList", "build the loop with v1 control flow: tf.compat.v1.disable_control_flow_v2()"),
)
_GRADIENT = 'use another op there, or export with graph="inference"'
_DEFAULT_HINT = 'replace it by ops that the target has, or ask for a newer target, at the most target="current"'


def raise_problems(problems: List[Problem], target: str) -> None:
    """Raises UnsupportedOpError with all problems, if there are any."""
    if not problems:
        return
    # What the train step lacks is most often only the gradient of what a layer lacks.
    problems = [problem for problem in problems if not problem.node.startswith("training/")] or problems
    grouped: Dict[Tuple[str, str, str], List[str]] = collections.OrderedDict()
    for problem in problems:
        grouped.setdefault((layer_of(problem.node), problem.op, problem.reason), []).append(problem.node)
    lines = [_line(layer, op, reason, nodes) for (layer, op, reason), nodes in grouped.items()]
    reader = "the installed TensorFlow" if target == "current" else f"TensorFlow {target}"
    raise UnsupportedOpError(
        f"{len(problems)} {'op' if len(problems) == 1 else 'ops'} of the model cannot be carried to {reader}:\n"
        + "\n".join(lines)
    )


def layer_of(node: str) -> str:
    """The scope that a node was made in: everything before the last `/`."""
    return node.rpartition("/")[0]


def _line(layer: str, op: str, reason: str, nodes: Sequence[str]) -> str:
    where = f"layer {layer!r}" if layer else "outside of any layer"
    more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
    return f"- {where}: op {op} (node {nodes[0]!r}{more}): {reason}. Way out: {_hint(op, reason)}."


def _hint(op: str, reason: str) -> str:
    if "float16" in reason and "kernel" in reason:
        return _PRECISION
    if "gradient" in reason:
        return _GRADIENT
    return next((hint for start, hint in _HINTS if op.startswith(start)), _DEFAULT_HINT)
