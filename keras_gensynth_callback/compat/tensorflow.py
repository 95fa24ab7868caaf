"""Every private name of TensorFlow that lifting needs, each with its reason and the versions it was seen in.

`tests/compat/test_private_apis.py` touches each of them first, so that a release that moves one fails there and not in
a user's training.
"""

import contextlib
import types
from typing import Set

import tensorflow as tf
import wrapt
from tensorflow.python.autograph.impl import api as autograph
from tensorflow.python.client import device_lib
from tensorflow.python.eager import context as eager_context
from tensorflow.python.eager import def_function, function
from tensorflow.python.eager.function import ConcreteFunction
from tensorflow.python.framework import func_graph, op_def_registry, ops
from tensorflow.python.framework import function as defuns
from tensorflow.python.framework.convert_to_constants import _run_inline_graph_optimization
from tensorflow.python.ops import (
    cond_v2,
    control_flow_ops,
    control_flow_util,
    functional_ops,
    gen_math_ops,
    gradients_util,
    weights_broadcast_ops,
)
from tensorflow.python.ops.parallel_for import control_flow_ops as vectorization
from tensorflow.python.util import tf_decorator

try:
    from tensorflow.python.autograph.core import ag_ctx
except ImportError:  # TF 1.14, whose AutoGraph has no status
    ag_ctx = None

# Ops that read variables, by their handles; the sparse ones a part of them.
SPARSE_READS = ("ResourceGather", "ResourceGatherNd")
VARIABLE_READS = ("ReadVariableOp", *SPARSE_READS)


def op_definition(name):
    """The OpDef of an op in the TensorFlow that is installed, or None.

    TensorFlow has no public way to ask for it by the op's name. TF 1.13 to 2.21; 1.15 has no `get`, but a dict of all.
    """
    get = getattr(op_def_registry, "get", None) or op_def_registry.get_registered_ops().get
    return get(name)


def gradient_function(op):
    """The registered gradient of a tf.Operation, None where it has none by design; LookupError where it has none at
    all.

    Public TensorFlow registers gradients (`tf.RegisterGradient`) but does not look them up. TF 1.0 to 2.21.
    """
    return ops.get_gradient_function(op)


def eager_outside_of_functions():
    """Whether what is made outside of any function is made eagerly.

    `tf.compat.v1.executing_eagerly_outside_functions` is public from TF 2.0 on. TF 1.13 to 2.21.
    """
    return ops.executing_eagerly_outside_functions()


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


def ask_for_v1_control_flow(graph):
    """Lets `tf.cond` and `tf.while_loop` build v1 control flow in a FuncGraph, once `disable_control_flow_v2` was
    called.

    `control_flow_util.EnableControlFlowV2` answers by the presence of this attribute, which only the FuncGraphs of TF
    1.x had. TF 1.13 to 2.21.
    """
    graph._captured = ()


def watched_handle(variable):
    """The handle of a variable that an op takes without reading the variable; the graph that is traced notes it.

    What reads a variable says so by itself (`FuncGraph.watch_variable`); there is no public way. TF 2.0 to 2.21.
    """
    ops.get_default_graph().watch_variable(variable)
    return variable.handle


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


@contextlib.contextmanager
def defuns_inlined():
    """Puts the ops of a `Defun` where it is called: `tf.nn.swish` of TF 1.14 is one.

    A call comes by `__call__` of the class for given types, or of that for any. TF 1.14 to 2.21.
    """

    def call(wrapped, defun, args, kwargs):
        return wrapped(*args, **kwargs) if tf.executing_eagerly() else defun._func(*args)

    with patched(defuns._DefinedFunction, "__call__", call), patched(defuns._OverloadedFunction, "__call__", call):
        yield


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
def concrete_functions_inlined():
    """Puts the ops of a ConcreteFunction where it is called: `run_functions_eagerly` reaches those alone whose Python
    is there, and a loaded SavedModel has none.

    `ConcreteFunction._call_flat` is where every call of one comes by, with its tensors in order. TF 2.0 to 2.21. The
    functions that it calls in turn are inlined as for TensorFlow Lite (`convert_variables_to_constants_v2`).
    """

    def given(tensor_inputs, captured_inputs, *_, **__):
        graph = ops.get_default_graph()
        return [graph.capture(tf.convert_to_tensor(tensor)) for tensor in [*tensor_inputs, *captured_inputs]]

    def call(wrapped, function, args, kwargs):
        if tf.executing_eagerly() or not hasattr(ops.get_default_graph(), "capture"):
            return wrapped(*args, **kwargs)
        tensors = given(*args, **kwargs)
        feeds = {inside.name: tensor for inside, tensor in zip(function.inputs, tensors)}
        results = function.structured_outputs
        # Behind its results, a function that gradients were taken of gives what these need.
        names = [tensor.name for tensor in function.outputs[: len(tf.nest.flatten(results, expand_composites=True))]]
        graph_def = _run_inline_graph_optimization(function, lower_control_flow=True, aggressive_inlining=True)
        outputs = tf.graph_util.import_graph_def(graph_def, feeds, names, name="call")
        return tf.nest.pack_sequence_as(results, outputs, expand_composites=True)

    with patched(ConcreteFunction, "_call_flat", call):
        yield


@contextlib.contextmanager
def functions_run_eagerly():
    """Inside of the block, a `tf.function` that is called runs as plain Python.

    `tf.config.run_functions_eagerly` is public from TF 2.3 on. Before, in TF 1.15, it is `experimental_`, and what it
    is set to can be read in `def_function` alone.
    """
    switch = getattr(tf.config, "run_functions_eagerly", None) or tf.config.experimental_run_functions_eagerly
    before = getattr(tf.config, "functions_run_eagerly", lambda: def_function.RUN_FUNCTIONS_EAGERLY)()
    switch(True)
    try:
        with _defuns_run_eagerly():
            yield
    finally:
        switch(before)


def autograph_status(converts, options=None):
    """A context in which AutoGraph is on or off for what looks at its status: `tf_convert`, which Keras 2 calls for
    each `call`, loss and metric.

    A `tf.function` sets it by its argument `autograph` while it is traced; nothing public does so elsewhere. TF 1.15 to
    2.21.
    """
    if ag_ctx is None:
        return contextlib.nullcontext()
    return ag_ctx.ControlStatusCtx(ag_ctx.Status.ENABLED if converts else ag_ctx.Status.DISABLED, options)


@contextlib.contextmanager
def python_of(function):
    """The Python of a `tf.function`, in the form in which the function traces it: converted by AutoGraph where it
    converts.

    What a Function was made of and with is in `_python_function`, `_autograph` and `_experimental_autograph_options`.
    The converted Python stands inside of the decorators (`tf_decorator.rewrap`), a bound method's own among them. TF
    1.15 to 2.21.
    """
    python, options = function._python_function, function._experimental_autograph_options
    with autograph_status(function._autograph, options):
        if not function._autograph:
            yield python
            return
        _, target = tf_decorator.unwrap(python)
        asked = {"user_requested": True} if ag_ctx is not None else {}  # TF 1.14 takes no such argument
        converted = autograph.convert(recursive=True, optional_features=options, **asked)(target)
        decorated = tf_decorator.rewrap(python, target, converted)
        try:
            yield decorated
        finally:
            if decorated is not converted:
                tf_decorator.rewrap(python, converted, target)


def function_calls(wrapper):
    """A context in which a wrapt wrapper stands around each call of a `tf.function`.

    `def_function.Function` is the class of them all. TF 1.15 to 2.21.
    """
    return patched(def_function.Function, "__call__", wrapper)


def _defuns_run_eagerly():
    """The same for `defun_with_attributes`, of which Keras makes its LSTM and GRU: that switch does not reach them.

    Its functions have a class of their own: `function.Function` in TF 1.13 to 2.10, `TracingCompiler` in 2.11 to 2.13;
    since then they are those of `tf.function`.
    """
    try:
        from tensorflow.python.eager.polymorphic_function.tracing_compiler import TracingCompiler as kind
    except ImportError:
        kind = getattr(function, "Function", None)
    if kind is None:
        return contextlib.nullcontext()

    def call(wrapped, defun, args, kwargs):
        return wrapped(*args, **kwargs) if tf.executing_eagerly() else defun.python_function(*args, **kwargs)

    return patched(kind, "__call__", call)


@contextlib.contextmanager
def functions_wait_for_their_writes():
    """Inside of the block, what a `tf.function` returns that runs as plain Python waits for all that it changes, and
    what stands for None is an op, as where it is called in a graph.

    Keras's graph mode makes a `tf.function` of each custom metric's `update_state`. TF 1.15 to 2.21.
    """

    def call(wrapped, function, args, kwargs):
        graph = ops.get_default_graph()
        before = len(graph.get_operations())
        result = wrapped(*args, **kwargs)
        context = graph._get_control_flow_context()
        writes = [op for op in graph.get_operations()[before:] if _changes_something(op, context)]
        if result is None or isinstance(result, tf.Operation):
            return tf.group(*writes, *([] if result is None else [result]))
        with tf.control_dependencies(writes):
            return tf.nest.map_structure(lambda leaf: tf.identity(leaf) if tf.is_tensor(leaf) else leaf, result)

    with function_calls(call):
        yield


@contextlib.contextmanager
def initialisers_left_out():
    """Inside of the block, a session that is asked to run ops of a trace runs nothing: a metric's Python initialises
    the variables that it makes, in the session of Keras.

    `BaseSession.run` refuses ops of another graph than its own. TF 1.13 to 2.21.
    """

    def run(wrapped, session, args, kwargs):
        fetches = args[0] if args else kwargs["fetches"]
        ops_alone = all(isinstance(leaf, tf.Operation) for leaf in tf.nest.flatten(fetches))
        graph = getattr(next(iter(tf.nest.flatten(fetches)), None), "graph", None)
        if ops_alone and isinstance(graph, func_graph.FuncGraph):
            return tf.nest.map_structure(lambda leaf: None, fetches)
        return wrapped(*args, **kwargs)

    with patched(tf.compat.v1.Session, "run", run):
        yield


class FunctionGraph:
    """A FuncGraph with what a ConcreteFunction says of it.

    Attributes:
        graph: the FuncGraph.
        inputs: list of placeholders, for the arguments and then for what is captured.
        captured_inputs: list of tensors outside of it.
    """

    def __init__(self, graph):
        self.graph, self.inputs, self.captured_inputs = graph, graph.inputs, list(graph.external_captures)


def function_graph(body, specs):
    """The FunctionGraph of `body(*tensors)`, beside the default graph, to which nothing is added.

    `tf.function` runs what a trace initialises as ops of the default graph. TF 1.15 to 2.21.
    """
    with functions_wait_for_their_writes():
        return FunctionGraph(func_graph.func_graph_from_py_func("lifted", body, (), {}, specs, collections={}))


def gradients_of_graphs(take):
    """A context in which `tf.gradients` calls `take(wrapped, ys, xs, grad_ys)` for its result; `wrapped()` is what it
    would give.

    Both `tf.gradients` and optimizers, under whichever alias, go through `_GradientsHelper`. TF 1.15 to 2.21.
    """

    def helper(wrapped, instance, args, kwargs):
        with loops_behind_sources_left_alone():
            return take(lambda: wrapped(*args, **kwargs), *_targets_and_sources(*args, **kwargs))

    return patched(gradients_util, "_GradientsHelper", helper)


@contextlib.contextmanager
def loops_behind_sources_left_alone():
    """Inside of the block `tf.gradients` changes no loop that a source is the result of.

    It would count the turns of such a loop for a gradient that never goes through it, and one phase would have a loop
    that the other has not. `MaybeCreateControlFlowState` is where it looks for loops, `IsLoopExit` how it knows them
    later. TF 1.15 to 2.21.
    """
    sources: Set[tf.Operation] = set()

    def create(wrapped, instance, args, kwargs):
        on_the_way, known = args[0], args[1]
        exits = filter(control_flow_util.IsLoopExit, on_the_way)
        sources.update(op for op in exits if not any(tensor.op in known for tensor in op.inputs))
        return wrapped(*args, **kwargs)

    def is_exit(wrapped, instance, args, kwargs):
        return args[0] not in sources and wrapped(*args, **kwargs)

    module = getattr(gradients_util, "control_flow_state", control_flow_ops)  # the latter before TF 1.15
    with patched(module, "MaybeCreateControlFlowState", create):
        with patched(control_flow_util, "IsLoopExit", is_exit):
            yield


def _targets_and_sources(ys, xs, grad_ys=None, *_, **__):
    return ys, xs, grad_ys


@contextlib.contextmanager
def observed_tapes(observer):
    """While the block runs, `observer` is told when a `tf.GradientTape` is opened (`pushed`), closed (`popped`), and
    what it is told to watch (`watched`).

    `_push_tape` and `_pop_tape` are where `with`, `stop_recording`, `reset` and `jacobian` come by; `_tape` is None
    where nothing is recorded yet. TF 2.0 to 2.21.
    """

    def push(wrapped, tape, args, kwargs):
        is_new = tape._tape is None
        wrapped(*args, **kwargs)
        observer.pushed(tape, is_new)

    def pop(wrapped, tape, args, kwargs):
        wrapped(*args, **kwargs)
        observer.popped(tape)

    def watch(wrapped, tape, args, kwargs):
        wrapped(*args, **kwargs)
        observer.watched(tape, *args, **kwargs)

    with contextlib.ExitStack() as stack:
        for name, wrapper in (("_push_tape", push), ("_pop_tape", pop), ("watch", watch)):
            stack.enter_context(patched(tf.GradientTape, name, wrapper))
        yield


def inside_control_flow(graph):
    """Whether what is made now stands in a v1 loop or conditional. TF 1.0 to 2.21; there is no public way to ask."""
    return graph._get_control_flow_context() is not None


def vectorized_loops(entered):
    """A context in which the Python of `tf.vectorized_map` and `tape.jacobian`, which is run once and then rewritten
    for many values at a time, runs inside of the context `entered()`.

    Both call `pfor` by its name in this module. TF 1.15 to 2.21.
    """

    def pfor(wrapped, instance, args, kwargs):
        with entered():
            return wrapped(*args, **kwargs)

    return patched(vectorization, "pfor", pfor)


def broadcasts_unasserted():
    """A context in which sample weights are multiplied with losses without an assertion on their shapes.

    Where shapes are open `assert_broadcastable` builds conditionals, and a loss that depends on them waits for all that
    was written before, the statistics of batch normalisation too; `Mul` checks the shapes as well. TF 1.13 to 2.21.
    """
    return patched(weights_broadcast_ops, "assert_broadcastable", lambda *_: tf.no_op())


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
            return tf.group(*[op for op in graph.get_operations()[before:] if _changes_something(op, context)])

        return wrapped(branch, *args[1:], **kwargs)

    with patched(control_flow_ops.CondContext, "BuildCondBranch", build):
        yield


def _changes_something(op, context):
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


def device_lists():
    """What answers, behind all public names, which devices there are: (owner, name, whether it counts GPUs) each.

    `tf.config` asks the `Context`, and so do layers of TensorFlow's own Kerases; `tf.test.is_gpu_available` and
    `tf.test.gpu_device_name` ask `device_lib`. TF 1.15 to 2.21.
    """
    names = ("list_logical_devices", "list_physical_devices", "get_visible_devices")
    found = [(eager_context.Context, name, False) for name in names if hasattr(eager_context.Context, name)]
    return [*found, (eager_context.Context, "num_gpus", True), (device_lib, "list_local_devices", False)]


@contextlib.contextmanager
def outside_of_strategies():
    """Inside of the block there is no `tf.distribute` strategy, and a variable with a copy on each device is the first.

    A scope cannot be left by a public name before it ends. What a variable stands for is what it stands for while a
    SavedModel is written without devices (`values_util.is_saving_non_distributed`). TF 2.4 to 2.21.
    """
    from tensorflow.python.distribute import distribute_lib
    from tensorflow.python.saved_model import save_context, save_options

    distribute_lib._push_per_thread_mode(distribute_lib._get_default_replica_mode())
    try:
        with save_context.save_context(save_options.SaveOptions()):
            yield
    finally:
        distribute_lib._pop_per_thread_mode()


def spec_of_one_replica(spec):
    """The spec of what one replica gets of the batches of a distributed dataset.

    `PerReplicaSpec` keeps one for each replica in `_value_specs`. TF 2.4 to 2.21.
    """
    return spec._value_specs[0] if type(spec).__name__ == "PerReplicaSpec" else spec


def specs_of_calls(function):
    """The first argument of each call that a tf.function was traced for, as a spec: a list.

    A tf.function has no public list of its traces. TF 2.4 to 2.21.
    """
    traces = getattr(function, "_list_all_concrete_functions", None)
    signatures = [trace.structured_input_signature[0] for trace in traces()] if traces is not None else []
    return [arguments[0] for arguments in signatures if arguments]


def element_spec_of(spec):
    """The spec of an iterator's elements, of that of the iterator; any other spec as it is.

    `tf.data.IteratorSpec`, and that of `tf.distribute`, do not tell it. TF 2.4 to 2.21.
    """
    return getattr(spec, "_element_spec", spec) if not isinstance(spec, tf.TensorSpec) else spec


@contextlib.contextmanager
def patched(owner, name, wrapper):
    """Wraps the attribute `name` of `owner` with a wrapt wrapper function, for the time of the block."""
    own = name in vars(owner)
    original = getattr(owner, name)
    # object.__setattr__ keeps Keras models, which track what is set on them, out of it.
    kind = next(kind for kind in (type, types.ModuleType, object) if isinstance(owner, kind))
    put, drop = kind.__setattr__, kind.__delattr__
    before = vars(owner).get(name)
    put(owner, name, wrapt.FunctionWrapper(original, wrapper))
    try:
        yield
    finally:
        if own:
            put(owner, name, before)
        else:
            drop(owner, name)


def selects_built_by(build):
    """A context in which `build(wrapped, instance, args, kwargs)` builds the op of `tf.where`.

    `select_v2` is the one place through which `tf.where` of TF 2, under whichever alias, builds it. TF 1.15 to 2.21.
    """
    return patched(gen_math_ops, "select_v2", build)


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
