"""Writes which functions of TensorFlow only compute, as data for the package:

    python scripts/make_pure_operations.py

A model file names functions of TensorFlow, and those that read and write files, load libraries or change the process
are among them. The list goes to `keras_gensynth_callback/model_files/data/pure_operations.json`: `ops`, by name, and
`functions`, the names of functions in TensorFlow's API. The same TensorFlow gives the same bytes.

An op only computes where its definition says so: it keeps no state (but that of random numbers), and takes no function,
no handle, no file, no host and no library. A function does where the code that it reaches calls no other op.
"""

import inspect
import json
import os
import re
import types

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.util import tf_decorator, tf_export

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = os.path.join(ROOT, "keras_gensynth_callback", "model_files", "data", "pure_operations.json")

# Words in the name of an argument or an attribute that leads out of the graph.
_OUTSIDE = set(
    "address container descriptor device dir directory file filename filenames files host library memory path plugin "
    "server url urls".split()
)
# Ops that do more than their definitions tell.
_HOST = re.compile(
    "^_|Abort|PyFunc|Debug|^Print|Timestamp|Summary|Dataset|Iterator|Checkpoint|^Save|^Restore|Rpc|Remote|TPU|Tpu|Xla|Mlir"
    "|Nccl|Collective|^Send|^Recv|Mesh|Relayout|DTensor|Preempt|CheckPinned|Custom|Placeholder|^Arg$|Retval|Enter|^Exit"
    "|Switch|Merge$|NextIteration|LoopCond|Infeed|Outfeed|Lmdb|Reader|Sdca|Barrier|Compile|Global|Delete|Fake(Param|Queue)"
)
# These keep state by their definition so that they are not pruned, or not shared.
_HARMLESS = ("Assert", "CheckNumerics", "Empty", "GuaranteeConst")
_FUNCTIONS = ("func", "list(func)")
_HANDLES = (types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT)

# Where TensorFlow has what models compute with.
_NAMESPACES = (
    " __operators__ audio bitwise debugging dtypes experimental.numpy image io linalg manip math math.special nn "
    "nn.experimental quantization ragged random random.experimental sets signal sparse spectral strings"
).split(" ")
# What changes the process, its graph or its variables instead of computing a tensor.
_NO_COMPUTATION = re.compile(
    "^(add_to|assign|check_preemption|colocate|control_dep|count_up_to|create_|disable_|enable_|exec|experimental_enable"
    "|get_|global_v|gradients|group|hessians|init|inside|is_variable|local_v|make_|model_v|moving_average_v|name_scope|No|no_"
    "|op_scope|report_|reset_default|set_(log|random|seed)|tables_|variable|scatter_(add|div|max|min|mul|sub|update)"
    "|scatter_nd_|batch_scatter)|_initializer$|_partitioner$|_variables|_enabled$|(dynamic|static|saving)_rnn$"
)
_TAKES_FUNCTION = re.compile("^(fn|func|function|f|body|cond|true_fn|false_fn|branch_fns|cell)$")
# Whose code is followed; the rest of TensorFlow makes tensors of arguments, and runs what these ask for.
_FOLLOWED = "tensorflow.python.ops."
# Control flow and variables: the code that uses them is followed, their own is about graphs.
_NOT_FOLLOWED = re.compile(
    r"\.(cond|cond_v2|while_loop|while_v2|control_flow_\w+|map_fn|functional_ops|tensor_array_ops|gradients\w*"
    r"|custom_gradient|parallel_for\..*|(gen_)?resource_variable_ops|variables|ref_variable|(gen_)?state_ops"
    r"|variable_scope|(gen_)?list_ops)$"
)
_FORBIDDEN_NAMES = set(
    "eval exec file_io gfile load_library numpy_function open py_func py_function subprocess".split()
)


def op_definitions():
    """dict, name -> OpDef."""
    buffer = pywrap_tf_session.TF_GetAllOpList()
    found = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(buffer))
    return {op.name: op for op in found.op}


def leads_outside(name):
    """Whether an argument of that name says where something is."""
    return bool(_OUTSIDE & set(name.lower().split("_"))) or "shared_name" in name


def only_computes(op):
    """Whether an op does no more than compute, by its definition."""
    arguments = [*op.input_arg, *op.output_arg]
    names = [part.name for part in [*arguments, *op.attr]]
    if op.name in _HARMLESS:
        return True
    if _HOST.search(op.name) or any(map(leads_outside, names)):
        return False
    if any(argument.type in _HANDLES or argument.is_ref for argument in arguments):
        return False
    if any(attribute.type in _FUNCTIONS for attribute in op.attr):
        return False
    return not op.is_stateful or {"seed", "seed2"} <= set(names)


def parts(code):
    """The names, and the constants, in a code object and those inside of it."""
    names, constants = list(code.co_names), []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            more = parts(constant)
            names += more[0]
            constants += more[1]
        else:
            constants.append(constant)
    return names, constants


class Judge:
    """Judges functions by the ops that they can reach."""

    def __init__(self):
        self.definitions = op_definitions()
        self.ops = sorted(name for name, op in self.definitions.items() if only_computes(op))

    def only_computes(self, name, function):
        """Whether a function of TensorFlow's API does no more than compute."""
        plain = tf_decorator.unwrap(function)[1]
        try:
            arguments = inspect.signature(plain).parameters
        except (TypeError, ValueError):
            return False
        if _NO_COMPUTATION.search(name.rpartition(".")[2]):
            return False
        if any(map(leads_outside, arguments)) or any(map(_TAKES_FUNCTION.match, arguments)):
            return False
        return self._reaches_pure_ops_only(function)

    def _reaches_pure_ops_only(self, function):
        seen, queue = set(), [function]
        while queue:
            plain = inspect.unwrap(tf_decorator.unwrap(queue.pop())[1])
            code = getattr(plain, "__code__", None)
            if code is None or code in seen:
                continue
            seen.add(code)
            names, constants = parts(code)
            if (plain.__module__ or "").split(".")[-1].startswith("gen_"):
                called = [text for text in constants if isinstance(text, str) and text in self.definitions]
                if not set(called) <= set(self.ops):
                    return False
                continue
            if _FORBIDDEN_NAMES & set(names):
                return False
            queue += _reached(plain, set(names))
        return True


def _reached(function, names):
    """The functions that a function may call: by a name, by a name of a module, or since it wraps them."""
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        if isinstance(value, types.FunctionType) and _is_followed(value):
            yield value
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, types.ModuleType):
            yield from filter(_is_followed, (vars(value).get(inner) for inner in names))
        elif _is_followed(value):
            yield value


def _is_followed(value):
    if not callable(value) or isinstance(value, type):
        return False
    module = getattr(tf_decorator.unwrap(value)[1], "__module__", None) or ""
    return module.startswith(_FOLLOWED) and not _NOT_FOLLOWED.search(module)


def candidates():
    """dict, name -> function, of what stands in the namespaces."""
    found = {}
    for name, value in tf_export._NAME_TO_SYMBOL_MAPPING.items():
        space = re.sub(r"^compat\.v1\.", "", name).rpartition(".")[0]
        if space in _NAMESPACES and callable(value) and not isinstance(value, type):
            found[name] = value
    return found


def main():
    judge = Judge()
    functions = sorted(name for name, function in candidates().items() if judge.only_computes(name, function))
    os.makedirs(os.path.dirname(PATH), exist_ok=True)
    table = {"functions": functions, "ops": judge.ops, "tensorflow": tf.__version__}
    with open(PATH, "w") as file:
        json.dump(table, file, indent=0, sort_keys=True)
        file.write("\n")
    print(f"{PATH}: {len(functions)} functions, {len(judge.ops)} ops")
    return functions


if __name__ == "__main__":
    main()
