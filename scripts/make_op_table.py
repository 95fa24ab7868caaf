"""Writes what a TensorFlow 1.x knows as data for the package. Run it with the interpreter of that TensorFlow:

    python3.7 scripts/make_op_table.py 1.15
    python3.6 scripts/make_op_table.py 1.12

The table goes to `keras_gensynth_callback/target/data/tensorflow-<version>.json.gz`: every op with its arguments and
attributes (an OpList), the ops that have a gradient or are registered as not differentiable, the types for which there
is a CPU kernel, and the collections of variables, if any, that it keeps as names and not as protos. The same TensorFlow
gives the same bytes.
"""

import argparse
import base64
import gzip
import io
import itertools
import json
import os

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2, op_def_pb2, types_pb2
from tensorflow.python import pywrap_tensorflow
from tensorflow.python.framework import ops

try:
    from tensorflow.python.framework import kernels
except ImportError:  # before TensorFlow 1.12
    kernels = None

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATA = os.path.join(ROOT, "keras_gensynth_callback", "target", "data")


def op_list():
    """All ops by name, without their documentation."""
    buffer = pywrap_tensorflow.TF_GetAllOpList()
    found = op_def_pb2.OpList.FromString(pywrap_tensorflow.TF_GetBuffer(buffer))
    for op in found.op:
        op.ClearField("summary")
        op.ClearField("description")
        for described in (*op.input_arg, *op.output_arg, *op.attr):
            described.ClearField("description")
    return op_def_pb2.OpList(op=sorted(found.op, key=lambda op: op.name))


def gradients():
    """The ops with a gradient function, and those registered as having none."""
    differentiable, constant = [], []
    for name in ops._gradient_registry.list():
        (differentiable if ops._gradient_registry.lookup(name) is not None else constant).append(name)
    return sorted(differentiable), sorted(constant)


def cpu_kernels():
    """dict, op -> list of kernels, each a dict, type attribute -> list of type numbers that it takes."""
    found = {"AccumulateNV2": [{}]}  # replaced by other ops when a graph is placed, so that it needs none
    for op, constraints in listed_kernels() if kernels else tried_kernels():
        found.setdefault(op, []).append(constraints)
    return {op: sorted(merged(forms), key=json.dumps) for op, forms in sorted(found.items())}


def listed_kernels():
    """The kernels that this TensorFlow lists: pairs of an op and the types that it is for."""
    for kernel in kernels.get_all_registered_kernels().kernel:
        if kernel.device_type in ("CPU", "DEFAULT") and not kernel.label:
            yield kernel.op, {c.name: sorted(c.allowed_values.list.type) for c in kernel.constraint}


def tried_kernels():
    """The same where there is no list: for each op all types of its attributes, of which it says whether it has one."""
    every = sorted(enum for enum in types_pb2.DataType.values() if 0 < enum < 100)
    for op in op_list().op:
        names = [attr.name for attr in op.attr if attr.type == "type"]
        allowed = [attr.allowed_values.list.type or every for attr in op.attr if attr.type == "type"]
        for types in itertools.product(*allowed):
            node = node_def_pb2.NodeDef(name="node", op=op.name, device="/cpu:0")
            for attr in op.attr:
                if attr.type == "list(type)":
                    node.attr[attr.name].list.type.append(types_pb2.DT_FLOAT)
            for name, enum in zip(names, types):
                node.attr[name].type = enum
            if pywrap_tensorflow.TryFindKernelClass(node.SerializeToString()):
                yield op.name, {name: [enum] for name, enum in zip(names, types)}


def merged(forms):
    """Kernels that differ in one attribute alone become one: there are thousands of them, mostly a type each."""
    groups = {}
    for form in forms:
        for key in sorted(form):
            if len(form[key]) == 1:
                rest = tuple(sorted((other, tuple(types)) for other, types in form.items() if other != key))
                groups.setdefault((key, rest), set()).update(form[key])
                break
        else:
            groups.setdefault((None, tuple(sorted((k, tuple(v)) for k, v in form.items()))), set())
    result = []
    for (key, rest), types in groups.items():
        form = {name: list(values) for name, values in rest}
        if key is not None:
            form[key] = sorted(types)
        result.append({name: form[name] for name in sorted(form)})
    return result


def collections_of_names():
    """The collections of variables for which there is no proto, so that a MetaGraphDef holds the names alone."""
    found = ("global_step", "local_variables", "metric_variables", "model_variables", "trainable_variables")
    return sorted(key for key in found if ops.get_collection_proto_type(key) is None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", help="major.minor of this TensorFlow, for example 1.15")
    parser.add_argument("--folder", default=DATA)
    arguments = parser.parse_args()
    if not tf.__version__.startswith(arguments.version + "."):
        parser.error("this interpreter has TensorFlow {}, not {}".format(tf.__version__, arguments.version))
    differentiable, constant = gradients()
    table = {
        "tensorflow": tf.__version__,
        "graph_def_version": getattr(tf, "version", tf).GRAPH_DEF_VERSION,
        "ops": base64.b64encode(op_list().SerializeToString(deterministic=True)).decode(),
        "gradients": differentiable,
        "not_differentiable": constant,
        "cpu_kernels": cpu_kernels(),
    }
    if collections_of_names():
        table["collections_of_names"] = collections_of_names()
    text = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=text, mode="wb", mtime=0) as packed:
        packed.write(json.dumps(table, sort_keys=True, separators=(",", ":")).encode())
    os.makedirs(arguments.folder, exist_ok=True)
    path = os.path.join(arguments.folder, "tensorflow-{}.json.gz".format(arguments.version))
    with open(path, "wb") as file:
        file.write(text.getvalue())
    print("{}: {} ops, {} bytes".format(path, len(op_list().op), len(text.getvalue())))


if __name__ == "__main__":
    main()
