"""What an export's graph promises, whatever its numbers: checked in TensorFlow 1.15, without running it."""

from tensorflow.python.framework import tensor_util

FUNCTIONAL = ("While", "StatelessWhile", "If", "StatelessIf", "PartitionedCall", "StatefulPartitionedCall", "Case")
WEIGHTED = ("Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul", "BatchMatMul", "BatchMatMulV2")
PASSING = (
    "ReadVariableOp",
    "Identity",
    "Cast",
    "Enter",
    "RefEnter",
    "Switch",
    "Split",
    "StridedSlice",
    "Reshape",
    "Squeeze",
    "ExpandDims",
)
PHASE = "keras_learning_phase"


def problems(graph, meta, facts, trainable):
    """Yields a line for each promise that does not hold.

    Args:
        graph: tf.Graph, the imported one.
        meta: MetaGraphDef.
        facts: dict, what Keras said.
        trainable: list of trainable variables.
    """
    yield from _plain(meta)
    yield from _signatures(meta, facts)
    yield from _placeholders(graph, meta)
    yield from _values(graph, meta)
    yield from _collections(graph, facts, trainable)
    yield from _repeated(graph, meta, facts, trainable)


def _plain(meta):
    nodes = meta.graph_def.node
    if "savers" in meta.collection_def:
        yield "there is a savers collection"
    if meta.graph_def.library.function:
        yield "there are functions: %s" % [f.signature.name for f in meta.graph_def.library.function][:3]
    for title, found in (
        ("functional control flow", [n.name for n in nodes if n.op in FUNCTIONAL]),
        ("stateless random ops", [n.name for n in nodes if n.op.startswith("StatelessRandom")]),
        ("nodes with a device", [n.name for n in nodes if n.device]),
        ("nodes with _gradient_op_type", [n.name for n in nodes if "_gradient_op_type" in n.attr]),
    ):
        if found:
            yield "there are %s: %s" % (title, found[:3])


def _signatures(meta, facts):
    signatures = meta.signature_def
    missing = sorted({"serving_default", "eval", "train"} - set(signatures))
    if missing:
        yield "signatures are missing: %s" % missing
        return
    given = signatures["eval"].outputs
    for name in facts["metrics"]:
        if name != "loss" and "metrics/%s/value" % name not in given:
            yield "the metric %s is missing; there are %s" % (name, sorted(k for k in given if k.endswith("/value")))
    if PHASE not in signatures["train"].inputs:
        yield "the signature train does not take %s" % PHASE


def _placeholders(graph, meta):
    taken = {tensor.name for signature in meta.signature_def.values() for tensor in signature.inputs.values()}
    taken.add(meta.saver_def.filename_tensor_name)
    for op in graph.get_operations():
        if op.type.startswith("Placeholder") and op.outputs[0].name not in taken and op.name != "save/filename":
            yield "the placeholder %s is in no signature" % op.name


def _values(graph, meta):
    for key, signature in meta.signature_def.items():
        taken = {tensor.name for tensor in signature.inputs.values()}
        for name, tensor in signature.outputs.items():
            needs = [op.name for op in placeholders_of(graph.get_tensor_by_name(tensor.name))]
            if name.startswith("metrics/") and name.endswith("/value"):
                if needs:
                    yield "%s of %s depends on %s" % (name, key, needs)
            else:
                others = [n for n in needs if n + ":0" not in taken and n != PHASE]
                if others:
                    yield "%s of %s depends on %s, which it does not take" % (name, key, others)


def placeholders_of(tensor):
    return sorted((op for op in ancestors([tensor.op]) if op.type.startswith("Placeholder")), key=lambda op: op.name)


def _collections(graph, facts, trainable):
    names = {
        key: [getattr(v, "name", str(v)) for v in graph.get_collection(key)] for key in graph.get_all_collection_keys()
    }
    get = lambda key: names.get(key, [])  # noqa: E731
    if [v.shape.as_list() for v in trainable] != facts["trainable"]:
        yield "trainable_variables have the shapes %s, in Keras %s" % (
            [v.shape.as_list() for v in trainable],
            facts["trainable"],
        )
    if len(get("metric_variables")) != facts["metric_variables"]:
        yield "there are %d metric_variables, in Keras %d" % (len(get("metric_variables")), facts["metric_variables"])
    if not set(get("metric_variables")) <= set(get("local_variables")) & set(get("variables")):
        yield "metric_variables are not all local and saved"
    if not set(get("trainable_variables")) <= set(get("model_variables")) <= set(get("variables")):
        yield "trainable_variables, model_variables and variables are not within each other"
    for key in ("train_op", "global_step"):
        if len(get(key)) != 1:
            yield "the collection %s holds %s" % (key, get(key))
    if not get("losses"):
        yield "the collection losses is empty"
    for key in ("update_ops", "trainable_variables", "variables", "metric_variables"):
        if len(get(key)) != len(set(get(key))):
            yield "the collection %s holds something twice" % key


def _repeated(graph, meta, facts, trainable):
    """Kernels that more than one op of the forward pass applies: the layer stands more than once."""
    outputs = meta.signature_def["serving_default"].outputs.values()
    forward = ancestors([graph.get_tensor_by_name(t.name).op for t in outputs])
    users = {}
    for op in forward:
        if op.type in WEIGHTED:
            for tensor in op.inputs:
                source, path = _source(tensor)
                users.setdefault(source, {}).setdefault(path, []).append(op.name)
    for v in trainable:
        # Each slice of a kernel that holds several is applied once.
        for uses in users.get(v.handle.op, {}).values():
            if len(uses) > 1 and not any(part in v.name for part in facts["may_repeat"]):
                yield "%s is applied by %d ops: %s" % (v.op.name, len(uses), sorted(uses)[:3])


def _source(tensor):
    """The op behind what only passes a value on, and which part of its value that is."""
    path = []
    while tensor.op.type in PASSING:
        if tensor.op.type == "Split":
            path.append(tensor.value_index)
            tensor = tensor.op.inputs[1]
            continue
        if tensor.op.type == "StridedSlice":
            path.append(str([tensor_util.constant_value(bound) for bound in tensor.op.inputs[1:]]))
        tensor = tensor.op.inputs[0]
    return tensor.op, tuple(path)


def ancestors(ops):
    """The ops and all that they need."""
    seen, todo = set(), list(ops)
    while todo:
        op = todo.pop()
        if op not in seen:
            seen.add(op)
            todo += [t.op for t in op.inputs] + list(op.control_inputs)
    return seen
