"""Takes the gradients that the train step asked for, in the graph that serves both phases."""

import tensorflow as tf

from keras_gensynth_callback.errors import DefectError, UnsupportedModelError
from keras_gensynth_callback.graph import node_of, tensor_name

from .normalize import drop_private_attributes
from .tracing import Flow, editable, v1_control_flow


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


def fill_gradients(graph, calls, scope, others=()):
    """Puts real gradients where a trace has placeholders.

    Args:
        graph: EditableGraph.
        calls: list of GradientCall, in the order in which they were made; a later one may depend on what is done with
            an earlier one's result. Changed in place.
        scope: str, the name scope of the new nodes.
        others: list of GradientCall that stay placeholders. Changed in place.

    Returns:
        A new EditableGraph.

    Raises:
        DefectError: a source that had a gradient in the trace has none in this graph.
        UnsupportedModelError: TensorFlow 1.x cannot take the gradient.
    """
    for index, call in enumerate(calls):
        later = [*calls[index + 1 :], *others]
        stops = {tensor_name(name) for one in later for name in one.stops}
        with v1_control_flow(), tf.Graph().as_default() as live:
            tf.compat.v1.train.import_meta_graph(meta_graph_of(graph))
            with tf.name_scope(scope):
                replaced = _gradients(live, call, stops)
            graph = editable(live)
        drop_private_attributes(graph)
        graph.redirect(replaced)
        graph.remove({node_of(name) for name in replaced})
        for one in later:
            one.rename(lambda tensor, moved=replaced: moved.get(tensor_name(tensor), tensor))
    return graph


def _gradients(live, call, stops):
    """dict, placeholder -> the gradient that it stands for, of its own op where it is one of `stops`."""
    asked = [(source, result) for source, result in zip(call.sources, call.results) if result is not None]
    if not asked:
        return {}
    tensor = live.get_tensor_by_name
    targets, sources = [tensor(name) for name in call.targets], [tensor(source) for source, _ in asked]
    given = None
    if call.output_gradients is not None:
        given = [None if name is None else tensor(name) for name in call.output_gradients]
    try:
        gradients = tf.gradients(targets, sources, given, stop_gradients=[tensor(name) for name in call.stops])
    except (LookupError, NotImplementedError, TypeError, ValueError) as error:
        raise UnsupportedModelError(
            "TensorFlow 1.x cannot take a gradient that the train step asks for: "
            f"{type(error).__name__}: {str(error).splitlines()[0]} Use another op there, or export with "
            'graph="inference".'
        ) from error
    replaced = {}
    for (_, result), source, gradient in zip(asked, sources, gradients):
        if gradient is None:
            gradient = _nothing(live, targets, source, result)
        if isinstance(result, tuple):
            if not isinstance(gradient, tf.IndexedSlices):
                gradient = tf.IndexedSlices(gradient, tf.range(tf.shape(gradient, tensor(result[1]).dtype)[0]))
            pairs = [*zip(result, (gradient.values, gradient.indices))]
        else:
            pairs = [(result, tf.convert_to_tensor(gradient))]
        for name, value in pairs:
            name = tensor_name(name)
            replaced[name] = (tf.identity(value) if name in stops else value).name
    return replaced


def _nothing(live, targets, source, result):
    """Zeros, where each op between a source and its targets has no gradient for it; Keras sees none either."""
    if not Flow(targets).reached_consumers(source):
        raise DefectError(
            f"The gradient of the train step for `{source.op.name}` is lost: it is there in the trace of the step, and "
            "not in the graph of both phases."
        )
    placeholder = live.get_tensor_by_name(tensor_name(result[0] if isinstance(result, tuple) else result))
    shape = source.op.get_attr("shape") if source.dtype == tf.resource else placeholder.shape
    return tf.zeros(shape, placeholder.dtype)
