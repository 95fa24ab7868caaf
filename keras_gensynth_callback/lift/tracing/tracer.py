"""Runs a piece of Keras's own Python once, symbolically, and keeps what it built as a flat graph with v1 control flow.

The tracer is `tf.function` itself, so that layers, losses, metrics and optimizers meet what they meet in `fit`:
variables and eager constants are captured, variables created on the way are lifted out, and stateful ops keep their
order by control dependencies. Two things differ from `fit`: the ops of nested functions stand where these are called
(`functions.py`), so that no function library arises, and control flow is that of TF 1.x.
"""

import contextlib
import random
import threading
from dataclasses import dataclass
from typing import Any, Dict, List

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.compat import (
    ask_for_v1_control_flow,
    autograph_status,
    branches_without_result,
    cases_as_conditionals,
    concrete_functions_inlined,
    defuns_inlined,
    identity_inside_contexts,
    list_outputs_in_contexts,
    loops_of_defuns_inlined,
    order_reads_before_branches,
    without_control_flow_v2,
)
from keras_gensynth_callback.errors import UnsupportedModelError
from keras_gensynth_callback.graph import (
    COND_CONTEXT,
    WHILE_CONTEXT,
    EditableGraph,
    free_branches_of_outside,
    is_write,
    note_rank,
)

from ..tf1_forms import plain_selects, single_slot_arrays
from .devices import cpus_only
from .functions import functions_inlined
from .tables import table_of
from .tape import recorded_gradients

# The switches below are global to the process; two traces at once would put back each other's.
LOCK = threading.RLock()


@dataclass(frozen=True, eq=False)
class Trace:
    """What one piece of Python built.

    Attributes:
        graph: EditableGraph.
        inputs: list of str, the placeholder nodes of the arguments, in the order of the specs.
        variables: dict, node name of a captured handle -> the variable.
        constants: dict, node name of a captured eager tensor -> the tensor.
        tables: dict, node name of a captured lookup table -> Table.
        gradient_calls: list of GradientCall, the gradients that are placeholders.
        built_gradients: list of tensor names, the gradients outside of layers' calls that are there.
        result: what the Python returned, tensors replaced by their names.
    """

    graph: EditableGraph
    inputs: List[str]
    variables: Dict[str, tf.Variable]
    constants: Dict[str, tf.Tensor]
    tables: Dict[str, Any]
    gradient_calls: List[Any]
    built_gradients: List[str]
    result: Any

    def gradient_placeholders(self):
        """The names of the placeholders that stand for gradients."""
        return [name for call in self.gradient_calls for name in call.placeholders()]

    def stateful_writes(self):
        """The names of the nodes that write to a variable, in order."""
        return [name for name, node in self.graph.nodes.items() if is_write(node)]


def editable(graph):
    """The EditableGraph of a live graph, with its control flow contexts."""
    list_outputs_in_contexts(graph)
    meta_graph = tf.compat.v1.MetaGraphDef(graph_def=graph.as_graph_def())
    for collection in (COND_CONTEXT, WHILE_CONTEXT):
        contexts = [context.to_proto().SerializeToString() for context in graph.get_collection(collection)]
        meta_graph.collection_def[collection].bytes_list.value.extend(contexts)
    return EditableGraph.from_meta_graph(meta_graph)


def trace(function, specs, layer_of=str, afterwards=None, variables=tuple, live=None, of_a_step=False, converts=False):
    """Traces `function(*tensors)`.

    Args:
        function: callable of as many tensors as there are specs; returns any nest of tensors and Python values.
        specs: list of tf.TensorSpec.
        layer_of: callable, the name of an op -> the name of its layer, for error messages.
        afterwards: callable, called inside the trace with the graph and the list of GradientCall.
        variables: callable, returns tf.Variables whose handles may be used without the graph's knowing whose they are.
        live: LiveGraph that the variables live in, or None where they are eager.
        of_a_step: bool, whether this is a train step, whose own gradients are taken later: see `tape.py`.
        converts: bool, whether AutoGraph converts what asks it whether to, as Keras 2's layers do.

    Returns:
        A Trace.

    Raises:
        UnsupportedModelError: the Python fails, or uses a resource that is no variable.
    """
    runs = []  # tf.function runs this twice where it makes variables, each time in a new graph

    def body(*tensors):
        graph = tf.compat.v1.get_default_graph()
        ask_for_v1_control_flow(graph)
        with recorded_gradients(graph, of_a_step) as gradients, autograph_status(converts):
            runs.append((gradients, function(*tensors)))
        if afterwards is not None:
            afterwards(graph, gradients.calls)
        order_reads_before_branches(graph)

    with LOCK, _tf1_tracing(), _python_random_state():
        if live is None:
            concrete = tf.function(body, autograph=False).get_concrete_function(*specs)
        else:
            concrete = live.function_graph(body, specs)
    gradients, result = runs[-1]
    graph = editable(concrete.graph)
    _note_ranks(graph, concrete.graph)
    free_branches_of_outside(graph)
    inputs = [tensor.op.name for tensor in concrete.inputs[: len(specs)]]
    variables, constants, tables = _captures(concrete, len(specs), layer_of, variables(), live)
    calls, built = gradients.calls, gradients.built
    return Trace(graph, inputs, variables, constants, tables, calls, built, names_of(result))


def _note_ranks(graph, live):
    """Notes the ranks that `match` asks for: of what takes one tensor and gives one."""
    for op in live.get_operations():
        if len(op.inputs) == len(op.outputs) == 1:
            note_rank(graph.nodes[op.name], op.outputs[0].shape.rank)


def names_of(value):
    """`value` with every tensor in it replaced by its name."""
    return tf.nest.map_structure(lambda leaf: leaf.name if tf.is_tensor(leaf) and hasattr(leaf, "op") else leaf, value)


@contextlib.contextmanager
def _tf1_tracing():
    with contextlib.ExitStack() as stack:
        for switch in _SWITCHES:
            stack.enter_context(switch())
        yield


@contextlib.contextmanager
def v1_control_flow():
    """Inside of the block, graphs get the control flow and the TensorArrays of TF 1.x."""
    with LOCK, without_control_flow_v2():
        yield


# What is built differently while a trace is made.
_SWITCHES = (
    functions_inlined,
    v1_control_flow,
    identity_inside_contexts,
    branches_without_result,
    single_slot_arrays,
    plain_selects,
    loops_of_defuns_inlined,
    defuns_inlined,
    cases_as_conditionals,
    concrete_functions_inlined,
    cpus_only,
)


@contextlib.contextmanager
def _python_random_state():
    """The model's Python may draw random numbers when it is traced; training must not notice that it was."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _captures(concrete, count, layer_of, variables, live):
    handles = {id(variable.handle): variable for variable in (*concrete.graph.variables, *variables)}
    variables, constants, tables = {}, {}, {}
    for outside, inside in zip(concrete.captured_inputs, concrete.inputs[count:]):
        if id(outside) in handles:
            variables[inside.op.name] = handles[id(outside)]
        elif outside.dtype not in (tf.resource, tf.variant):
            constants[inside.op.name] = outside if live is None else live.value_of(outside, layer_of)
        else:
            tables[inside.op.name] = table_of(outside, inside, layer_of, live)
        if tables.get(inside.op.name, True) is None:
            raise UnsupportedModelError(_unknown_resource(inside, layer_of))
    return variables, constants, tables


def _unknown_resource(placeholder, layer_of):
    users = sorted({(op.name, op.type) for op in placeholder.consumers()}) or [
        (placeholder.op.name, placeholder.op.type)
    ]
    name, op_type = users[0]
    return (
        f"The layer `{layer_of(name)}` holds a resource that is neither a variable nor a lookup table that is "
        f"only read; the op {op_type} uses it. Expected variables, constants and lookup tables alone. Do what needs it "
        "before the model, in tf.data, and give the model the result."
    )
