"""What is changed, by kind of file: each function takes a folder with seeds, and returns a prefix or a file."""

import json
import os
import shutil
import zipfile

import crafted
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2, tensor_bundle_pb2

from keras_gensynth_callback.checkpoint import index_file

from . import protos, readers
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
    if not nodes:
        return
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
    _change_pairs(rng, path)
    return prefix


def _change_pairs(rng, path):
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
            try:
                message = kind.FromString(pairs[key])
            except DecodeError:  # it was changed before
                message = kind()
            protos.change(rng, message)
            pairs[key] = message.SerializeToString()
    path.write_bytes(crafted.table(pairs))


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
    path.unlink()
    path.write_text("".join(f"all_model_checkpoint_paths: {json.dumps(name)}\n" for name in names))
    return prefix


def keras_file(rng, folder):
    """A field of the configuration in a `.keras` file, or its bytes."""
    path = rng.choice(sorted(folder.glob("*.keras")))
    if rng.random() < 0.3:
        return _bytes(rng, path)
    with zipfile.ZipFile(path) as have:
        members = {name: have.read(name) for name in have.namelist()}
    chance = rng.random()
    if chance < 0.3:
        weights = folder / "weights"
        weights.write_bytes(members["model.weights.h5"])
        rng.choice((_bytes, _values))(rng, weights)
        members["model.weights.h5"] = weights.read_bytes()
    else:
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
    chance = rng.random()
    if chance < 0.3:
        return _bytes(rng, path)
    if chance < 0.5:
        _values(rng, path)
        return path
    with h5py.File(path, "r+") as file:
        key = rng.choice([key for key in ("model_config", "training_config") if key in file.attrs])
        config = json.loads(file.attrs[key])
        _json(rng, config)
        file.attrs[key] = json.dumps(config)
    return path


def _values(rng, path):
    """Puts something else in the place of a dataset or a group in HDF5."""
    import h5py

    with h5py.File(path, "r+") as file:
        names = []
        file.visit(names.append)
        name = rng.choice(names)
        shape = getattr(file[name], "shape", ())
        del file[name]
        chance = rng.random()
        if chance < 0.5:
            odd = ([1.0, float("nan")], b"text", [b"a", b"b"], h5py.Empty("f4"), [[]])
            links = (h5py.SoftLink("/" + rng.choice(names)), h5py.ExternalLink("secret.h5", "/x"))
            file[name] = rng.choice((*odd, *links))
        elif chance < 0.9:
            shape = rng.choice((shape, shape[::-1], (*shape, 1), (2**40,), (0,)))
            dtype = rng.choice(("f2", "f8", "i1", "u8", "c8", "S5", h5py.string_dtype(), [("a", "f4")]))
            chunks = tuple(min(size, 1000) or 1 for size in shape) or None
            file.create_dataset(name, shape, dtype, chunks=chunks if max(shape, default=0) > 1000 else None)


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
    content = bytearray(path.read_bytes() or b"\0")
    chance = rng.random()
    if chance < 0.25:
        del content[rng.randrange(len(content)) :]
    elif chance < 0.4:
        content += bytes(rng.randrange(256) for _ in range(20))
    else:
        for _ in range(rng.choice((1, 3, 30))):
            content[rng.randrange(len(content))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    path.unlink()  # it may be another name of what lies outside
    path.write_bytes(content)
    return path


def saved_model(rng, folder):
    """What Keras says in a SavedModel, its protos, its values, or their bytes."""
    path = rng.choice(sorted(path for path in folder.iterdir() if path.is_dir()))
    inner = rng.choice(sorted(inner for inner in path.rglob("*") if inner.is_file()))
    chance = rng.random()
    if chance < 0.2:
        _bytes(rng, inner)
    elif chance < 0.3:
        _replace(rng, inner)
    elif chance < 0.5:
        _change_pairs(rng, path / "variables" / "variables.index")
    elif chance < 0.6:
        message = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        protos.change(rng, message)
        (path / "saved_model.pb").write_bytes(message.SerializeToString())
    else:
        _change_metadata(rng, path / "keras_metadata.pb")
    return path


def _change_metadata(rng, path):
    from tf_keras.protobuf import saved_metadata_pb2

    message = saved_metadata_pb2.SavedMetadata.FromString(path.read_bytes())
    root = json.loads(message.nodes[0].metadata)
    _json(rng, root)
    message.nodes[0].metadata = json.dumps(root)
    path.write_bytes(message.SerializeToString())


def in_place(rng, folder):
    """Files of an export that are something else: links, pipes, folders."""
    prefix = folder / rng.choice(EXPORTS)
    paths = [*sorted(folder.glob(f"{prefix.name}.*")), folder / "checkpoint"]
    for path in rng.sample(paths, rng.choice((1, 1, 2))):
        _replace(rng, path)
    return prefix


def _replace(rng, path):
    """Puts what is no file of ours in the place of one, or of nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
    _put(rng, path)


def _put(rng, path):
    """Puts something at a path where nothing is."""
    top = path.parents[len(path.parts) - 2 - path.parts.index("work")].parent
    canary, chance = top / "canary", rng.randrange(8)
    if chance < 3:
        near = os.path.relpath(canary / "own", path.parent), path.name, ".."
        far = canary, canary / "own", canary / "none", "/dev/zero", "/dev/stdin", "/proc/self/mem"
        os.symlink(rng.choice((*near, *far)), path)
    elif chance == 3:
        os.mkfifo(path)
    elif chance == 4:
        path.mkdir()
    elif chance == 5:
        os.link(canary / "own", path)
    else:
        path.write_bytes(rng.choice((b"", b"\x00", b"\xff\xfe", b"net", b"../../../canary/own", b"cnn", b"[" * 9999)))


SCRATCH = ".gensynth-tmp-00000000-1-00000000-"
_IN_SCRATCH = ("journal", "previous", "new", "draft", "previous/cnn.index", "previous/net.meta", "new/cnn.json")
_IN_FOLDER = ("net.meta", "net.index", "net.json", "net.data-00000-of-00001", "net.html", "cnn.json", "checkpoint")


def exports_folder(rng, folder):
    """A folder of exports out of an archive: scratch folders, journals, locks, states that are none."""
    for number in range(rng.randrange(4)):
        scratch = folder / f"{SCRATCH}{number}"
        if rng.random() < 0.2:
            _put(rng, scratch)
            continue
        scratch.mkdir()
        for name in rng.sample(_IN_SCRATCH, rng.randrange(5)):
            if not os.path.lexists((scratch / name).parent):
                (scratch / name).parent.mkdir()
            if (scratch / name).parent.is_dir() and not (scratch / name).parent.is_symlink():
                _replace(rng, scratch / name)
        os.utime(scratch, (1, 1))
    if rng.random() < 0.4:
        _put(rng, folder / readers.lock_name())
    for name in rng.sample(_IN_FOLDER, rng.randrange(3)):
        _replace(rng, folder / name)
    state = folder / "checkpoint"
    if rng.random() < 0.4 and state.is_file() and not state.is_symlink():
        _replace(rng, state) if rng.random() < 0.3 else state_file(rng, folder)
    return folder / rng.choice(("cnn", "net"))


EXPORT = ("cnn.*", "lstm.*", "checkpoint")
_VALUES = readers.of("inspect", "diff", "freeze", "load", "verify")
_CHECKED = {"verify's checks": readers.checked}
# {kind: (patterns of seeds, function that changes, readers)}
KINDS = {
    "meta": (EXPORT, meta, crafted.READERS),
    "index": (EXPORT, index, _VALUES),
    "data": (EXPORT, data, {**_VALUES, **_CHECKED}),
    "manifest": (EXPORT, manifest, {**readers.of("inspect", "report"), **_CHECKED}),
    "state": (EXPORT, state_file, {**readers.of("report"), "listing": readers.listed}),
    "in place": (EXPORT, in_place, {**crafted.READERS, **_VALUES, **_CHECKED, "training": readers.trained}),
    "folder": (EXPORT, exports_folder, {"training": readers.trained}),
    "keras": (("*.keras",), keras_file, readers.OF_MODELS),
    "h5": (("*.h5",), h5_file, readers.OF_MODELS),
    "saved": (("*-saved",), saved_model, readers.OF_MODELS),
}
