"""Builds v1 conditionals on the learning phase: `Switch` in, `Merge` out, and the contexts that `tf.gradients` walks.

The nodes are those of `tf.compat.v1.cond` (tensorflow/python/ops/control_flow_ops.py of TF 1.15); one pair of pivots
serves all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Hashable, Optional, Tuple

import tensorflow as tf
from tensorflow.core.protobuf import control_flow_pb2

from .editable import COND_CONTEXT, Context
from .nodes import node_of, tensor_name

if TYPE_CHECKING:
    from keras_gensynth_callback._types import DType, NodeDef, TensorProto

    from .editable import EditableGraph


# The placeholder that Keras calls so in TF 1.x.
LEARNING_PHASE = "keras_learning_phase"
INFERENCE, TRAINING = 0, 1


class Conditionals:
    """The conditionals of one graph, all on one predicate.

    Each is known by a key, and has two branches, INFERENCE and TRAINING.

    Args:
        graph: EditableGraph that is added to.
        phase: str, the predicate.
    """

    def __init__(self, graph: EditableGraph, phase: str) -> None:
        self._graph = graph
        self._contexts: Dict[Tuple[Hashable, int], Context] = {}
        self._switches: Dict[Tuple[str, int], str] = {}
        self._owned: Dict[Tuple[str, int], str] = {}
        scope = node_of(phase)
        # Contexts name their predicate, and `input_map` moves inputs only: where it replaces the phase, this one stays.
        self._predicate = tensor_name(graph.add("Identity", f"{scope}/pred_id", [phase], T=tf.bool).name)
        switch = graph.add("Switch", f"{scope}/Switch", [phase, phase], T=tf.bool)
        self.pivots = [
            graph.add("Identity", f"{scope}/switch_{letter}", [f"{switch.name}:{branch}"], T=tf.bool).name
            for branch, letter in ((INFERENCE, "f"), (TRAINING, "t"))
        ]

    def context(self, key: Hashable, branch: int, name: str) -> Context:
        """The Context of a branch; `name` is a node in or near it, after whose scope it is called."""
        if (key, branch) not in self._contexts:
            fields = control_flow_pb2.CondContextDef(
                context_name=f"{scope_of(name)}/cond_{len(self._contexts)}",
                pred_name=self._predicate,
                pivot_name=tensor_name(self.pivots[branch]),
                branch=branch,
            )
            outside = [self._predicate, fields.pivot_name]
            context = Context(COND_CONTEXT, fields, external={tensor: tensor for tensor in outside})
            self._contexts[(key, branch)] = context
            self._graph.contexts.insert(0, context)
        return self._contexts[(key, branch)]

    def put_inside(self, name: str, context: Context, outputs: int) -> None:
        """Puts a node, with the loop or conditional of its own that it may stand in, into a branch."""
        own = self._graph.context_of.get(name)
        if own is None:
            self._graph.enter(name, context, outputs)
            return
        while own.outer is not None and own.outer is not context:
            own = own.outer
        own.outer = context

    def switch(self, tensor: str, context: Context, dtype: DType) -> str:
        """The tensor inside of a branch that stands for `tensor` outside."""
        key = (tensor, id(context))
        if key not in self._switches:
            name = f"{scope_of(context.name)}/Switch"
            node = self._graph.add("Switch", name, [tensor, self._predicate], context=context, outputs=2, T=dtype)
            self._switches[key] = f"{node.name}:{context.fields.branch}"
            context.external[tensor] = self._switches[key]
        return self._switches[key]

    def own(self, constant: NodeDef, context: Context) -> str:
        """The tensor inside of a branch that has the value of the node `constant` outside."""
        key = (constant.name, id(context))
        if key not in self._owned:
            name = self.constant(f"{scope_of(context.name)}/Const", constant.attr["value"].tensor, context)
            self._owned[key] = tensor_name(name)
        return self._owned[key]

    def constant(self, name: str, proto: TensorProto, context: Context, waits: Optional[str] = None) -> str:
        """A constant inside of a branch, that runs after the node `waits` inside of it; returns its name."""
        waits = waits or self.pivots[context.fields.branch]
        return self._graph.add(
            "Const", name, [f"^{waits}"], context=context, dtype=tf.as_dtype(proto.dtype), value=proto
        ).name

    def merge(self, name: str, inference: str, training: str, dtype: DType) -> str:
        """What the one branch or the other gives; returns its name."""
        return self._graph.add("Merge", name, [inference, training], T=dtype, N=2).name


def scope_of(name: str) -> str:
    """The name scope of a node: all but the last part of its name."""
    return name.rsplit("/", 1)[0]
