"""Takes the gradients that the train step asked for, in the graph that serves both phases."""

import tensorflow as tf

from ..graphdef import node_of, tensor_name
from .normalize import drop_private_attributes
from .trace import editable, v1_control_flow


def meta_graph_of(graph):
    """A MetaGraphDef of an EditableGraph, with its control flow contexts and nothing else."""
    versions = tf.Graph().as_graph_def().versions
    meta_graph = tf.compat.v1.MetaGraphDef(graph_def=graph.graph_def(versions))
    # With a saver, which nobody runs: in a notebook TensorFlow would print that there is none.
    meta_graph.saver_def.save_tensor_name = meta_graph.saver_def.restore_op_name = "none"
    meta_graph.saver_def.version = tf.compat.v1.train.SaverDef.V2
    for collection, protos in graph.context_protos().items():
        if protos:
            values = [proto.SerializeToString(deterministic=True) for proto in protos]
            meta_graph.collection_def[collection].bytes_list.value.extend(values)
    return meta_graph


def fill_gradients(graph, calls, scope):
    """Puts real gradients where the train step has placeholders.

    Args:
        graph: EditableGraph.
        calls: list of GradientCall, in the order in which they were made: a later one may differentiate an earlier
            one's result.
        scope: str, the name scope of the new nodes.

    Returns:
        A new EditableGraph.
    """
    for call in calls:
        with v1_control_flow(), tf.Graph().as_default() as live:
            tf.compat.v1.train.import_meta_graph(meta_graph_of(graph))
            with tf.name_scope(scope):
                replaced = _gradients(live, call)
            graph = editable(live)
        drop_private_attributes(graph)
        graph.redirect(replaced)
        graph.remove({node_of(name) for name in replaced})
    return graph


def _gradients(live, call):
    """dict, placeholder -> the gradient that it stands for."""
    asked = [(source, result) for source, result in zip(call.sources, call.results) if result is not None]
    if not asked:
        return {}
    tensor = live.get_tensor_by_name
    given = None if call.output_gradients is None else [tensor(name) for name in call.output_gradients]
    gradients = tf.gradients([tensor(name) for name in call.targets], [tensor(source) for source, _ in asked], given)
    replaced = {}
    for (_, result), gradient in zip(asked, gradients):
        if isinstance(result, tuple):
            values, indices = result
            replaced[tensor_name(values)] = gradient.values.name
            replaced[tensor_name(indices)] = gradient.indices.name
        elif gradient is None:
            placeholder = tensor(result)
            replaced[tensor_name(result)] = tf.zeros(placeholder.shape, placeholder.dtype).name
        else:
            replaced[tensor_name(result)] = tf.convert_to_tensor(gradient).name
    return replaced
