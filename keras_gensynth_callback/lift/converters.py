"""Forms that programs which convert graphs of TensorFlow 1.x know, with the same numbers."""

import tensorflow as tf

from keras_gensynth_callback.graph import node_of


def spell_out_erfc(graph):
    """`Erfc(x)` is `1 - Erf(x)`: Keras 3 writes gelu with the one, tf.keras with the other, which ONNX has.

    Args:
        graph: EditableGraph of an inference graph, changed in place. (Where the result is next to 0 it is only right
            to the rounding of 1, which `tf.gradients` of a logarithm, say, would notice.)
    """
    for node in list(graph.nodes.values()):
        if node.op != "Erfc":
            continue
        dtype = tf.as_dtype(node.attr["T"].type)
        waits = ["^" + node_of(node.input[0])] if node.name in graph.context_of else []
        proto = tf.make_tensor_proto(1, dtype)
        one = graph.add("Const", f"{node.name}/one", waits, beside=node, dtype=dtype, value=proto)
        erf = graph.add("Erf", f"{node.name}/Erf", list(node.input), beside=node, T=dtype)
        _become(graph, node, "Sub", [one.name, erf.name], T=dtype)


def _become(graph, node, op, inputs, **attrs):
    made = graph.add(op, f"{node.name}/{op}", inputs, **attrs)
    node.op = op
    del node.input[:]
    node.input.extend(made.input)
    node.attr.clear()
    for key, value in made.attr.items():
        node.attr[key].CopyFrom(value)
    graph.remove([made.name])
