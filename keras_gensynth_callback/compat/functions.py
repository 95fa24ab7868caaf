"""Functions: `tf.function`, `Defun`, ConcreteFunction, FuncGraph."""

import contextlib

import tensorflow as tf
from tensorflow.python.autograph.impl import api as autograph
from tensorflow.python.eager import def_function, function, tape
from tensorflow.python.eager.function import ConcreteFunction
from tensorflow.python.framework import func_graph, ops
from tensorflow.python.framework import function as defuns
from tensorflow.python.framework.convert_to_constants import _run_inline_graph_optimization
from tensorflow.python.util import tf_decorator

from .control_flow import changes_something
from .patching import patched

try:
    from tensorflow.python.eager import record
except ImportError:  # before TF 2.12
    record = tape
try:
    from tensorflow.python.autograph.core import ag_ctx
except ImportError:  # TF 1.14, whose AutoGraph has no status
    ag_ctx = None


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


def arguments_of_restored(function, args, kwargs):
    """The arguments of a function of a loaded SavedModel as its functions take them: by position, with the defaults.

    A `RestoredFunction` has no Python of its own, but a specification: `function_spec`, before TF 2.13 also
    `_function_spec`. TF 2.2 to 2.21.
    """
    if type(function).__name__ != "RestoredFunction":
        return args, kwargs
    declared = (getattr(function, "function_spec", None) or function._function_spec).fullargspec
    defaults = declared.defaults or ()
    values = dict(zip(declared.args[len(declared.args) - len(defaults) :], defaults))
    values.update(zip(declared.args, args))
    values.update(kwargs)
    given = tuple(values.pop(name) for name in declared.args if name in values)
    return given + args[len(declared.args) :], {**(declared.kwonlydefaults or {}), **values}


def function_calls(wrapper):
    """A context in which a wrapt wrapper stands around each call of a `tf.function`.

    `def_function.Function` is the class of them all. TF 1.15 to 2.21.
    """
    return patched(def_function.Function, "__call__", wrapper)


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
        writes = [op for op in graph.get_operations()[before:] if changes_something(op, context)]
        if result is None or isinstance(result, tf.Operation):
            return tf.group(*writes, *([] if result is None else [result]))
        with tf.control_dependencies(writes):
            return tf.nest.map_structure(lambda leaf: tf.identity(leaf) if tf.is_tensor(leaf) else leaf, result)

    with function_calls(call):
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
        _take_handles_from_their_variables(graph_def)
        outputs = tf.graph_util.import_graph_def(graph_def, feeds, names, name="call")
        _record_on_tapes(function, tensors, outputs)
        return tf.nest.pack_sequence_as(results, outputs, expand_composites=True)

    with patched(ConcreteFunction, "_call_flat", call):
        yield


def _record_on_tapes(function, tensors, outputs):
    """Lets a GradientTape differentiate what was imported, whose ops no tape has seen.

    `record_operation` and `variable_accessed` are private; a call of a ConcreteFunction uses both. TF 1.14 to 2.21.
    """

    def backward(*gradients):
        known = [(output, given) for output, given in zip(outputs, gradients) if given is not None]
        return tf.gradients([output for output, _ in known], tensors, [given for _, given in known])

    for variable in function.graph.variables:
        tape.variable_accessed(variable)
    record.record_operation("call", outputs, tensors, backward)


def _take_handles_from_their_variables(graph_def):
    """A function that was inlined hands variables on by Identities; ops get the handles from where these do."""
    sources = {}
    for node in graph_def.node:
        if node.op == "Identity" and node.attr["T"].type == tf.resource.as_datatype_enum:
            sources[node.name] = sources[node.name + ":0"] = node.input[0]
    for node in graph_def.node:
        for index, name in enumerate(node.input):
            while name in sources:
                name = sources[name]
            node.input[index] = name


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
