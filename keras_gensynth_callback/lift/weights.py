"""Sample weights that need not be fed: ones, as many as there are samples."""
import tensorflow as tf

from ..graphdef import attr_value


def default_weights(graph, spec, names):
    """Turns the placeholders of sample weights into ones with default ones.

    Args:
        graph: EditableGraph, changed in place.
        spec: DataSpec.
        names: list of str, the placeholders of `spec.names()`.
    """
    first_weight = len(spec.input_names) + len(spec.target_names)
    for name, tensor_spec in list(zip(names, spec.specs()))[first_weight:]:
        node = graph.nodes.get(name)
        if node is not None:
            ones = _ones(graph, names[len(spec.input_names)], tensor_spec, name)
            node.op = "PlaceholderWithDefault"
            node.attr["shape"].CopyFrom(attr_value(tensor_spec.shape))
            node.input.append(ones)


def _ones(graph, target, spec, name):
    """Ones of the shape of `spec`, for as many samples as `target` has."""
    constant = lambda value, label: graph.add("Const", f"{name}/{label}", dtype=tf.as_dtype(value.dtype), value=value).name  # noqa: E731
    shape = graph.add("Shape", f"{name}/Shape", [target], T=_dtype(graph, target), out_type=tf.int32).name
    begin, size = constant(_ints([0]), "begin"), constant(_ints([1]), "size")
    dims = graph.add("Slice", f"{name}/batch", [shape, begin, size], T=tf.int32, Index=tf.int32).name
    rest = spec.shape.as_list()[1:]
    if rest:
        # An open inner dimension of weights broadcasts.
        known = constant(_ints([1 if size is None else size for size in rest]), "rest")
        dims = graph.add("ConcatV2", f"{name}/shape", [dims, known, constant(_ints(0), "axis")], T=tf.int32, Tidx=tf.int32, N=2).name
    one = graph.add("Const", f"{name}/one", dtype=spec.dtype, value=tf.make_tensor_proto(1, spec.dtype)).name
    return graph.add("Fill", f"{name}/ones", [dims, one], T=spec.dtype, index_type=tf.int32).name


def _ints(value):
    return tf.make_tensor_proto(value, tf.int32)


def _dtype(graph, placeholder):
    return tf.as_dtype(graph.nodes[placeholder].attr["dtype"].type)
