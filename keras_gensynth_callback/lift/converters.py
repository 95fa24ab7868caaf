"""Forms that programs which convert graphs of TensorFlow 1.x know, with the same numbers."""

import tensorflow as tf

from keras_gensynth_callback.graph import become, node_of


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
        become(node, "Sub", [one.name, erf.name], T=dtype)
