"""Sample weights that need not be fed: ones, as many as there are samples."""

import tensorflow as tf

from keras_gensynth_callback.graph import attr_value


def default_weights(graph, spec, names):
    """Turns the placeholders of sample weights into ones with default ones.

    Args:
        graph: EditableGraph, changed in place.
        spec: DataSpec.
        names: list of str, the placeholders of `spec.names()`.
    """
    first_target, first_weight = len(spec.input_names), len(spec.input_names) + len(spec.target_names)
    specs = dict(zip(names, spec.specs()))
    for index, (weight, name) in enumerate(zip(spec.weight_names, names[first_weight:])):
        node = graph.nodes.get(name)
        if node is not None and weight in spec.optional:
            target = names[first_target + _index_of_target(spec, weight, index)]
            if target not in graph.nodes:  # a loss need not look at it
                graph.add("Placeholder", target, dtype=specs[target].dtype, shape=specs[target].shape)
            ones = _ones(graph, target, specs[name], name)
            node.op = "PlaceholderWithDefault"
            node.attr["shape"].CopyFrom(attr_value(specs[name].shape))
            node.input.append(ones)


def _index_of_target(spec, weight, index):
    """Which target belongs to sample weights: that of the same output, or, where no name tells, of the same place."""
    target = weight[: -len("_sample_weights")] + "_target"
    if target in spec.target_names:
        return spec.target_names.index(target)
    return min(index, len(spec.target_names) - 1)


def _ones(graph, target, spec, name):
    """Ones of the shape of `spec`; what is open in it is as large as in the target."""

    def constant(value, label):
        return graph.add("Const", f"{name}/{label}", dtype=tf.int32, value=_ints(value)).name

    rank = spec.shape.rank
    shape = graph.add("Shape", f"{name}/Shape", [target], T=_dtype(graph, target), out_type=tf.int32).name
    known = spec.shape.as_list()[1:]
    count = 1 if None not in known else rank
    begin, size = constant([0], "begin"), constant([count], "size")
    dims = graph.add("Slice", f"{name}/batch", [shape, begin, size], T=tf.int32, Index=tf.int32).name
    if known and None not in known:
        inputs = [dims, constant(known, "known"), constant(0, "axis")]
        dims = graph.add("ConcatV2", f"{name}/shape", inputs, T=tf.int32, Tidx=tf.int32, N=2).name
    one = graph.add("Const", f"{name}/one", dtype=spec.dtype, value=tf.make_tensor_proto(1, spec.dtype)).name
    return graph.add("Fill", f"{name}/ones", [dims, one], T=spec.dtype, index_type=tf.int32).name


def _ints(value):
    return tf.make_tensor_proto(value, tf.int32)


def _dtype(graph, placeholder):
    return tf.as_dtype(graph.nodes[placeholder].attr["dtype"].type)
