"""The function that shows what is in a checkpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple

from keras_gensynth_callback.arguments import check_target
from keras_gensynth_callback.checkpoint import as_text, files_of, list_tensors, read_manifest, storage
from keras_gensynth_callback.errors import CheckpointFormatError
from keras_gensynth_callback.graph import EditableGraph
from keras_gensynth_callback.target import known_targets

from .collections import members
from .damaged import told_if_damaged
from .gaps import gaps_of
from .layers import layers_of
from .meta_file import read_meta_graph
from .signatures import inputs_and_outputs, signatures_of
from .variables import variables_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Inspection, MetaGraphDef, Path, Target

    from .variables import Variable

DEFAULT_TARGET = "1.15"


def inspect_checkpoint(filepath: Path, *, target: Optional[Target] = None) -> Inspection:
    """What is in a checkpoint with a graph, whoever wrote it. Its files are read, and nothing of it is run.

    Args:
        filepath: str or PathLike, the checkpoint prefix.
        target: str, the oldest TensorFlow that must read it, for the warnings; None: what it was exported for, else
            "1.15".

    Returns:
        dict of plain values, as JSON has them: `prefix`; `target`; `written_by`, versions by name; `exported`, the
        manifest without its files, or None; `inputs` and `outputs`, name -> `tensor`, `dtype` and `shape`; `layers`, a
        list of `name`, `ops`, `parameters`, `trainable` and `variables`; `parameters`, `total` and `trainable`;
        `signatures`; `collections`, name -> list of the names of members; `variables` and `nodes`, how many;
        `functions`, names; `files`, name -> bytes; `size`, bytes; `warnings`, a list of what a TensorFlow 1.x program
        will miss.

    Raises:
        CheckpointFormatError: there is no such checkpoint, it has no graph, or a file is truncated or of another kind.
        InvalidArgumentError: `target` is not one of the known targets.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="level")])
        >>> record = gensynth.export_checkpoint(model, tmp_path / "net")
        >>> found = gensynth.inspect_checkpoint(record.prefix)
        >>> [(layer["name"], layer["parameters"]) for layer in found["layers"]]
        [('level', 4)]
        >>> found["warnings"]
        []
    """
    with told_if_damaged(as_text(filepath)):
        return inspected(filepath, target).found


class Inspected(NamedTuple):
    """What `inspect_checkpoint` returns, and what it was read from."""

    found: Inspection
    meta_graph: MetaGraphDef
    graph: EditableGraph
    variables: Dict[str, Variable]


def inspected(filepath: Path, target: Optional[Target] = None) -> Inspected:
    """The same as `inspect_checkpoint`, for those that go on with the graph: an Inspected."""
    prefix = as_text(filepath)
    if target is not None:
        check_target(target)
    meta_graph, tensors = read_meta_graph(prefix), list_tensors(prefix)
    manifest, warnings = _manifest(prefix)
    wanted = target or _target_of(manifest)
    graph = EditableGraph.from_meta_graph(meta_graph)
    variables = variables_of(meta_graph, graph)
    inputs, outputs = inputs_and_outputs(meta_graph, graph)
    layers = layers_of(graph, variables, [output["tensor"] for output in outputs.values()])
    files = {os.path.basename(path): storage.size(path) for path in files_of(prefix).values()}
    found: Inspection = {
        "prefix": prefix,
        "target": wanted,
        "written_by": _written_by(meta_graph, manifest),
        "exported": {key: value for key, value in manifest.items() if key != "files"} if manifest else None,
        "inputs": inputs,
        "outputs": outputs,
        "layers": layers,
        "parameters": {
            "total": sum(layer["parameters"] for layer in layers),
            "trainable": sum(layer["trainable"] for layer in layers),
        },
        "signatures": signatures_of(meta_graph),
        "collections": {key: members(meta_graph, key) for key in sorted(meta_graph.collection_def)},
        "variables": len(tensors),
        "nodes": len(graph.nodes),
        "functions": sorted(function.signature.name for function in meta_graph.graph_def.library.function),
        "files": files,
        "size": sum(files.values()),
        "warnings": [*warnings, *gaps_of(meta_graph, graph, variables, tensors, wanted)],
    }
    return Inspected(found, meta_graph, graph, variables)


def _target_of(manifest: Optional[Dict[str, Any]]) -> str:
    target = (manifest or {}).get("target")
    return target if target in known_targets() else DEFAULT_TARGET


def _written_by(meta_graph: MetaGraphDef, manifest: Optional[Dict[str, Any]]) -> Dict[str, str]:
    if manifest and isinstance(manifest.get("writer"), dict):
        return manifest["writer"]
    return {"tensorflow": meta_graph.meta_info_def.tensorflow_version or "unknown"}


def _manifest(prefix: str) -> Tuple[Optional[Dict[str, Any]], List[str]]:
    """The manifest of this checkpoint, or None, and a warning where it is damaged or another one's."""
    try:
        manifest = read_manifest(prefix)
    except CheckpointFormatError as error:
        return None, [str(error)]
    folder = os.path.dirname(prefix)
    for name, record in sorted(manifest["files"].items() if manifest else ()):
        path = os.path.join(folder, name)
        if not storage.exists(path) or storage.size(path) != record["size"]:
            return None, [
                f"The manifest {prefix + '.json'!r} is of another checkpoint: {name} is missing or has another size, "
                "as after a program that saved under the same prefix. It is not shown here."
            ]
    return manifest, []
