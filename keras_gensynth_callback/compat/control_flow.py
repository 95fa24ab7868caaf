"""Loops and conditionals of TF 1.x."""

import contextlib

import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.ops import cond_v2, control_flow_ops, control_flow_util, functional_ops
from tensorflow.python.ops.parallel_for import control_flow_ops as vectorization

from .operations import VARIABLE_READS
from .patching import patched


@contextlib.contextmanager
def inside_context_of(op):
    """Inside of the block, new ops stand in the v1 loop or conditional that `op` stands in.

    What belongs to an op of a loop can be built nowhere else, and a context that is finished cannot be entered again by
    a public name. TF 1.0 to 2.21.
    """
    before = op.graph._get_control_flow_context()
    op.graph._set_control_flow_context(op._get_control_flow_context())
    try:
        yield
    finally:
        op.graph._set_control_flow_context(before)


def inside_control_flow(graph):
    """Whether what is made now stands in a v1 loop or conditional. TF 1.0 to 2.21; there is no public way to ask."""
    return graph._get_control_flow_context() is not None


def ask_for_v1_control_flow(graph):
    """Lets `tf.cond` and `tf.while_loop` build v1 control flow in a FuncGraph, once `disable_control_flow_v2` was
    called.

    `control_flow_util.EnableControlFlowV2` answers by the presence of this attribute, which only the FuncGraphs of TF
    1.x had. TF 1.13 to 2.21.
    """
    graph._captured = ()


@contextlib.contextmanager
def without_control_flow_v2():
    """Inside of the block, graphs get the control flow and the TensorArrays of TF 1.x.

    The switch is public from TF 1.15 on; in TF 1.14 it is a variable of a module.
    """
    if hasattr(tf.compat.v1, "control_flow_v2_enabled"):
        enabled, switch = tf.compat.v1.control_flow_v2_enabled(), _switch_control_flow
    else:
        enabled, switch = control_flow_util.ENABLE_CONTROL_FLOW_V2, _set_control_flow
    switch(False)
    try:
        yield
    finally:
        switch(enabled)


def _switch_control_flow(v2):
    (tf.compat.v1.enable_control_flow_v2 if v2 else tf.compat.v1.disable_control_flow_v2)()


def _set_control_flow(v2):
    control_flow_util.ENABLE_CONTROL_FLOW_V2 = v2


def by_identity(wrapped, instance, args, kwargs):
    """A wrapt wrapper: what it wraps compares tensors by identity, as all of TF 1.x does."""
    equality = getattr(tf.Tensor, "_USE_EQUALITY", False)
    tf.Tensor._USE_EQUALITY = False
    try:
        return wrapped(*args, **kwargs)
    finally:
        tf.Tensor._USE_EQUALITY = equality


@contextlib.contextmanager
def identity_inside_contexts():
    """Lets v1 control flow contexts compare tensors by identity while they add an op.

    `CondContext._AddOpInternal` and `WhileContext._AddOpInternal` say `real_x != x`, which in a FuncGraph builds a
    NotEqual op, which is added to the context, and so on. TF 2.0 to 2.21; `Tensor._USE_EQUALITY` is what
    `tf.compat.v1.disable_tensor_equality` sets.
    """

    with contextlib.ExitStack() as stack:
        for context in (control_flow_ops.CondContext, control_flow_ops.WhileContext):
            stack.enter_context(patched(context, "_AddOpInternal", by_identity))
        yield


@contextlib.contextmanager
def loops_built_by(build):
    """Inside of the block, `build(wrapped, instance, args, kwargs)` builds each v1 `while_loop`.

    `BuildLoop` is the one place through which they are built, under whichever alias. What ends their gradient,
    `PostProcessing`, finds a loop variable that a step does not read with `==`, which between tensors of TF 2 builds an
    op. TF 1.13 to 2.21.
    """
    with patched(control_flow_ops.WhileContext, "BuildLoop", build):
        with patched(gradient_of_loops(), "PostProcessing", by_identity):
            yield


def gradient_of_loops():
    """The class that ends the gradient of v1 loops (`PostProcessing`).

    It is in a module of its own in TF 1.15 to 2.21, and in `control_flow_ops` under another name in TF 1.14.
    """
    try:
        from tensorflow.python.ops.control_flow_state import _ControlFlowState
    except ImportError:
        return control_flow_ops.ControlFlowState
    return _ControlFlowState


@contextlib.contextmanager
def loops_of_defuns_inlined():
    """Lets `functional_ops.While` build an ordinary loop: its condition and body are functions in a library, which an
    export has none of.

    `tf.nn.ctc_loss` calls it with `Defun`s (tensorflow/python/ops/ctc_ops.py, `_scan`), which keep the Python that they
    were made of in `_func`. TF 1.13 to 2.21.
    """

    def build(wrapped, instance, args, kwargs):
        inputs, condition, body = args[:3]
        inputs = [tf.convert_to_tensor(value) for value in inputs]

        def same_shapes(*values):
            results = [tf.convert_to_tensor(value) for value in body._func(*values)]
            for result, value in zip(results, inputs):
                result.set_shape(value.shape)
            return results

        return tf.compat.v1.while_loop(condition._func, same_shapes, inputs)

    with patched(functional_ops, "While", build):
        yield


def vectorized_loops(entered):
    """A context in which the Python of `tf.vectorized_map` and `tape.jacobian`, which is run once and then rewritten
    for many values at a time, runs inside of the context `entered()`.

    Both call `pfor` by its name in this module. TF 1.15 to 2.21.
    """

    def pfor(wrapped, instance, args, kwargs):
        with entered():
            return wrapped(*args, **kwargs)

    return patched(vectorization, "pfor", pfor)


@contextlib.contextmanager
def cases_as_conditionals():
    """Lets `tf.switch_case` build conditionals: its op `Case` has functions, and v1 control flow has nothing like it.

    `cond_v2.indexed_case` is what it calls, whatever control flow is asked for; the last branch is the default. TF 1.15
    to 2.21.
    """

    def build(wrapped, instance, args, kwargs):
        index, branches = args[:2]
        if tf.executing_eagerly():
            return wrapped(*args, **kwargs)

        def choose(number):
            if number == len(branches) - 1:
                return branches[number]()
            return tf.cond(tf.equal(index, number), branches[number], lambda: choose(number + 1))

        return choose(0)

    with patched(cond_v2, "indexed_case", build):
        yield


@contextlib.contextmanager
def branches_without_result():
    """Lets a branch of `tf.cond` return None, as it may in TF 2: what stands for its result is an op that runs after
    all that the branch changes.

    `CondContext.BuildCondBranch` runs a branch's Python; v1's `cond` takes an operation, but not None. TF 1.13 to 2.21.
    """

    def build(wrapped, context, args, kwargs):
        def branch(function=args[0]):
            graph = ops.get_default_graph()
            before = len(graph.get_operations())
            result = function()
            if result is not None:
                return result
            return tf.group(*[op for op in graph.get_operations()[before:] if changes_something(op, context)])

        return wrapped(branch, *args[1:], **kwargs)

    with patched(control_flow_ops.CondContext, "BuildCondBranch", build):
        yield


def changes_something(op, context):
    """Whether an op of a branch, or the end of a conditional inside of it, may change a variable."""
    if op._control_flow_context is not context:
        return False
    return op.type == "Merge" or op.op_def.is_stateful and op.type not in VARIABLE_READS


def order_reads_before_branches(graph):
    """Lets what a branch does with a variable wait for the reads that come before the conditional.

    `AutomaticControlDependencies` sees to it for writes alone where control flow is v1. TF 2.0 to 2.21.
    """
    position = {op: index for index, op in enumerate(graph.get_operations())}
    for switch in position:
        if switch.type != "Switch" or switch.inputs[0].dtype != tf.resource:
            continue
        outside = switch._control_flow_context.outer_context
        for op in switch.inputs[0].consumers():
            if op.type in VARIABLE_READS and op._control_flow_context is outside and position[op] < position[switch]:
                switch._add_control_input(op)


def list_outputs_in_contexts(graph):
    """Lets each context of v1 control flow list all outputs of its ops.

    `AutomaticControlDependencies` puts a `Merge` into a branch for each variable that a conditional there takes, and
    sets `_control_flow_context` alone. TF 2.0 to 2.21.
    """
    for op in graph.get_operations():
        context = op._control_flow_context
        if context is not None and op.type == "Merge":
            for tensor in op.outputs:
                context.AddName(tensor.name)
