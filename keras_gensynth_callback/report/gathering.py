"""All that a report says of a checkpoint, as plain values: `gather`. Nothing of the graph is run."""

from typing import Any, Dict, Optional

from keras_gensynth_callback.inspection import inspected, layers_of, outputs_of

from .flops import Predictions
from .layer_graph import LayerGraph, groups_of
from .learning_phase import switched_by_learning_phase


def gather(prefix, *, target=None):
    """What a report shows of a checkpoint, whoever wrote it.

    Args:
        prefix: str or PathLike.
        target: str, the TensorFlow that must read it, for the warnings; None: what it was exported for.

    Returns:
        dict of plain values: what `inspect_checkpoint` returns, with `flops` and `shape` for each layer (None where not
        known); `flops`, of one prediction, or None; `notes`, about them; `graph`, a dict of `nodes` and `edges`;
        `learning_phase`, what it switches, by layer.

    Raises:
        CheckpointFormatError, InvalidArgumentError: as `inspect_checkpoint`.
    """
    inspection, meta_graph, graph, variables = inspected(prefix, target)
    found: Dict[str, Any] = {**inspection}
    inputs, outputs = ({name: of["tensor"] for name, of in found[key].items()} for key in ("inputs", "outputs"))
    if not outputs:
        outputs = outputs_of(graph)
        found["layers"] = layers_of(graph, variables, list(outputs.values()))
    names = [layer["name"] for layer in found["layers"]]
    between = LayerGraph(graph, variables, names, inputs, outputs)
    predictions = Predictions(meta_graph, list(outputs.values()))
    _add_costs(found["layers"], between, predictions)
    found["flops"] = sum(predictions.flops.values()) if predictions.flops is not None else None
    found["notes"] = predictions.notes
    if not between.is_complete:
        found["notes"].append("Some edges of the graph are missing: there are too many nodes between its layers.")
    found["graph"] = _drawn(found["layers"], between.edges)
    switched = switched_by_learning_phase(graph, between.layer_of)
    places = {name: place for place, name in enumerate([*names, None])}
    found["learning_phase"] = sorted(switched, key=lambda row: places[row["layer"]])
    return found


def _add_costs(layers, between, predictions):
    flops: Dict[Optional[str], int] = {}
    for node, count in (predictions.flops or {}).items():
        layer = between.layer_of(node)
        flops[layer] = flops.get(layer, 0) + count
    for layer in layers:
        layer["flops"] = flops.get(layer["name"], 0) if predictions.flops is not None else None
        shapes = map(predictions.shape, between.results.get(layer["name"], ()))
        layer["shape"] = next(filter(None, shapes), None)


def _drawn(layers, edges):
    """The nodes and edges of the picture: inputs, layers, the groups that they are in, outputs."""
    parents = groups_of([layer["name"] for layer in layers])
    ends = sorted({end for edge in edges for end in edge if end.startswith(("input:", "output:"))})
    nodes = [{"id": end, "name": end.partition(":")[2], "kind": end.partition(":")[0], "parent": None} for end in ends]
    details = {layer["name"]: layer for layer in layers}
    for name, parent in parents.items():
        scope = parent if parent and parent.endswith("/") else ""
        node = {"id": name, "name": name[len(scope) :].rstrip("/_") or name, "parent": parent}
        if name in details:
            node["kind"] = "layer"
            node.update({key: details[name][key] for key in ("ops", "parameters", "flops", "shape")})
        else:
            node["kind"] = "group"
        nodes.append(node)
    return {"nodes": nodes, "edges": [list(edge) for edge in edges]}
