"""What is changed, by kind of file, and who reads it: each takes a folder with seeds and returns a prefix or a file."""

import json
import zipfile

import crafted
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from keras_gensynth_callback import convert_model_file, load_checkpoint
from keras_gensynth_callback.checkpoint import changed_files, index_file, read_manifest, state

from . import protos
from .seeds import EXPORTS

v1 = tf.compat.v1
ODD = (None, True, -1, 0, 1e400, 2**70, "", "a", "../../a", "/etc/passwd", [], {}, [[]], {"a": 1}, "x" * 5000, "\x00")


def meta(rng, folder):
    """The MetaGraphDef: fields, nodes, inputs; sometimes bytes."""
    prefix = folder / rng.choice(EXPORTS)
    path = prefix.with_suffix(".meta")
    if rng.random() < 0.1:
        return _bytes(rng, path) and prefix
    message = v1.MetaGraphDef.FromString(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 5))):
        rng.choice((protos.change, _nodes, _nodes))(rng, message)
    path.write_bytes(message.SerializeToString())
    return prefix


def _nodes(rng, message):
    nodes = message.graph_def.node
    node, other = rng.choice(nodes), rng.choice(nodes)
    chance = rng.randrange(8)
    if chance == 0:
        node.op = other.op
    elif chance == 1:
        node.name = rng.choice((other.name, *protos.TEXTS))
    elif chance == 2 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice((other.name, f"{other.name}:1", *protos.TEXTS))
    elif chance == 3:
        node.input.append(rng.choice((other.name, "^" + other.name)))
    elif chance == 4 and node.input:
        del node.input[rng.randrange(len(node.input))]
    elif chance == 5 and node.attr:
        key = rng.choice(sorted(node.attr))
        protos.change(rng, node.attr[key])
    elif chance == 6:
        nodes.remove(node)
    else:
        protos.change(rng, node)


def index(rng, folder):
    """The table of tensors: entries and names, or its bytes."""
    prefix = folder / rng.choice(EXPORTS)
    path = prefix.with_suffix(".index")
    if rng.random() < 0.3:
        return _bytes(rng, path) and prefix
    pairs = dict(index_file._table(path.read_bytes()))
    for _ in range(rng.choice((1, 1, 3))):
        key = rng.choice(sorted(pairs))
        chance = rng.random()
        if chance < 0.1:
            pairs[key] = bytes(rng.randrange(256) for _ in range(rng.randrange(30)))
        elif chance < 0.2:
            pairs[bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))] = pairs[key]
        elif chance < 0.25 and len(pairs) > 2:
            del pairs[key]
        else:
            kind = tensor_bundle_pb2.BundleEntryProto if key else tensor_bundle_pb2.BundleHeaderProto
            message = kind.FromString(pairs[key]) if key or not pairs[key][:0] else kind()
            protos.change(rng, message)
            pairs[key] = message.SerializeToString()
    path.write_bytes(crafted.table(pairs))
    return prefix


def data(rng, folder):
    """The bytes of values."""
    prefix = folder / rng.choice(EXPORTS)
    return _bytes(rng, prefix.with_suffix(".data-00000-of-00001")) and prefix


def manifest(rng, folder):
    """A field of the manifest, or its bytes."""
    prefix = folder / rng.choice(EXPORTS)
    path = prefix.with_suffix(".json")
    if rng.random() < 0.2:
        return _bytes(rng, path) and prefix
    content = json.loads(path.read_text())
    _json(rng, content)
    path.write_text(json.dumps(content))
    return prefix


def state_file(rng, folder):
    """The state file `checkpoint`."""
    prefix, path = folder / rng.choice(EXPORTS), folder / "checkpoint"
    if rng.random() < 0.5:
        return _bytes(rng, path) and prefix
    names = [rng.choice((*protos.TEXTS[:-4], "cnn", "lstm", "../cnn", str(folder / "cnn"))) for _ in range(3)]
    path.write_text("".join(f"all_model_checkpoint_paths: {json.dumps(name)}\n" for name in names))
    return prefix


def keras_file(rng, folder):
    """A field of the configuration in a `.keras` file, or its bytes."""
    path = rng.choice(sorted(folder.glob("*.keras")))
    if rng.random() < 0.3:
        return _bytes(rng, path)
    with zipfile.ZipFile(path) as have:
        members = {name: have.read(name) for name in have.namelist()}
    config = json.loads(members["config.json"])
    _json(rng, config)
    members["config.json"] = json.dumps(config).encode()
    if rng.random() < 0.1:
        members[rng.choice(("../planted", "/planted", "a/../../planted"))] = b"planted"
    with zipfile.ZipFile(path, "w") as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def h5_file(rng, folder):
    """A field of the configuration in an HDF5 file, or its bytes."""
    import h5py

    path = rng.choice(sorted(folder.glob("*.h5")))
    if rng.random() < 0.4:
        return _bytes(rng, path)
    with h5py.File(path, "r+") as file:
        key = rng.choice([key for key in ("model_config", "training_config") if key in file.attrs])
        config = json.loads(file.attrs[key])
        _json(rng, config)
        file.attrs[key] = json.dumps(config)
    return path


def _json(rng, value):
    """Changes a value somewhere inside."""
    keys = sorted(value) if isinstance(value, dict) else range(len(value))
    deeper = [key for key in keys if isinstance(value[key], (dict, list)) and value[key]]
    if deeper and rng.random() < 0.85:
        _json(rng, value[rng.choice(deeper)])
    elif isinstance(value, dict) and keys and rng.random() < 0.15:
        del value[rng.choice(keys)]
    elif len(keys):
        value[rng.choice(keys)] = rng.choice(ODD)


def _bytes(rng, path):
    content = bytearray(path.read_bytes())
    chance = rng.random()
    if chance < 0.25:
        del content[rng.randrange(len(content)) :]
    elif chance < 0.4:
        content += bytes(rng.randrange(256) for _ in range(20))
    else:
        for _ in range(rng.choice((1, 3, 30))):
            content[rng.randrange(len(content))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    path.write_bytes(content)
    return path


def _loaded(prefix, folder):
    import keras

    from .seeds import model_of

    return load_checkpoint(model_of(keras, prefix.name, trained=False), prefix)


def _checked(prefix, folder):
    """What `verify` looks at before it starts a process."""
    found = read_manifest(prefix)
    return changed_files(prefix, found) if found else None


def _listed(prefix, folder):
    return state.listed(str(prefix.parent))


def _converted(path, folder):
    return convert_model_file(path, folder / "converted" / "net")


_GRAPH = crafted.READERS
_VALUES = {**{name: _GRAPH[name] for name in ("inspect", "diff", "freeze")}, "load": _loaded}
# {kind: (function that changes, readers)}
KINDS = {
    "meta": (meta, _GRAPH),
    "index": (index, _VALUES),
    "data": (data, {**_VALUES, "verify's checks": _checked}),
    "manifest": (manifest, {"inspect": _GRAPH["inspect"], "report": _GRAPH["report"], "verify's checks": _checked}),
    "state": (state_file, {"report": _GRAPH["report"], "listing": _listed}),
    "keras": (keras_file, {"convert": _converted}),
    "h5": (h5_file, {"convert": _converted}),
}
