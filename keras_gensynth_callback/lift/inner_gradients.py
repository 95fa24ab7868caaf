"""Gradients that are part of a forward pass, in a form that is not taken for a layer.

Tools that look for layers find them by the ops that apply a kernel: `MatMul(x, kernel)`. The gradient of one applies
the same kernel, transposed by an attribute, and would be taken for a second use of it.
"""

import tensorflow as tf

from keras_gensynth_callback.compat import VARIABLE_READS
from keras_gensynth_callback.graph import CASTS, data_inputs


def transpose_kernels_of_gradients(graph, forward):
    """Gives gradients of products with a kernel the transposed kernel.

    Args:
        graph: EditableGraph, changed in place.
        forward: names of the nodes of the forward pass.
    """
    for name in [name for name in graph.nodes if name in forward and name not in graph.context_of]:
        node = graph.nodes[name]
        if node.op == "MatMul" and "_grad/" in name and node.attr["transpose_b"].b and _is_kernel(graph, node):
            axes = graph.add("Const", f"{name}/axes", dtype=tf.int32, value=tf.make_tensor_proto([1, 0], tf.int32)).name
            kernel = data_inputs(node)[1]
            turned = graph.add("Transpose", f"{name}/kernel", [kernel, axes], T=node.attr["T"], Tperm=tf.int32)
            node.input[1] = turned.name
            node.attr["transpose_b"].b = False


def _is_kernel(graph, product):
    node = graph.origin(data_inputs(product)[1], CASTS)
    return node is not None and node.op in VARIABLE_READS
