"""Checkpoints that somebody crafted: copies of an export with another graph, index or manifest."""

import json
import struct

import tensorflow as tf
from cli_export import copied_to
from tensorflow.core.protobuf import tensor_bundle_pb2

from keras_gensynth_callback import inspect_checkpoint, write_report
from keras_gensynth_callback.tools.compare import compare_checkpoints
from keras_gensynth_callback.tools.downgrade import downgrade_checkpoint
from keras_gensynth_callback.tools.freeze import freeze_checkpoint

v1 = tf.compat.v1

# All that read the checkpoints of others: {name: function of a prefix and a folder to write to}.
READERS = {
    "inspect": lambda prefix, folder: inspect_checkpoint(prefix),
    "report": lambda prefix, folder: write_report(prefix, folder / "page.html"),
    "diff": lambda prefix, folder: compare_checkpoints(prefix, prefix),
    "downgrade": lambda prefix, folder: downgrade_checkpoint(prefix, folder / "down" / "net"),
    "freeze": lambda prefix, folder: freeze_checkpoint(prefix, folder / "net.pb"),
}


def with_meta(folder, prefix, edit):
    """A copy of an export whose MetaGraphDef `edit` changed; its prefix."""
    copy = copied_to(folder, prefix)
    with open(copy + ".meta", "rb") as file:
        meta_graph = v1.MetaGraphDef.FromString(file.read())
    edit(meta_graph)
    with open(copy + ".meta", "wb") as file:
        file.write(meta_graph.SerializeToString())
    return copy


def with_shape_computed_by(build, name):
    """An edit: the prediction goes through a Reshape, the shape of which the op `name` gives, which `build` makes."""

    def edit(meta_graph):
        with tf.Graph().as_default() as graph:
            build()
        meta_graph.graph_def.node.extend(graph.as_graph_def().node)
        (output,) = meta_graph.signature_def["serving_default"].outputs.values()
        node = meta_graph.graph_def.node.add(name="crafted/Reshape", op="Reshape")
        node.input.extend([output.name.split(":")[0], name])
        node.attr["T"].type, node.attr["Tshape"].type = tf.float32.as_datatype_enum, tf.int32.as_datatype_enum
        output.name = "crafted/Reshape:0"

    return edit


def with_output_behind(nodes):
    """An edit: the prediction is the last of these NodeDefs; `{output}` in their inputs is what it was."""

    def edit(meta_graph):
        (output,) = meta_graph.signature_def["serving_default"].outputs.values()
        for node in nodes:
            node.input[:] = [tensor.format(output=output.name.split(":")[0]) for tensor in node.input]
        meta_graph.graph_def.node.extend(nodes)
        output.name = nodes[-1].name + ":0"

    return edit


def node(op, name, inputs=(), **attrs):
    """A NodeDef; attributes are AttrValues, DTypes, bools or ints."""
    made = v1.NodeDef(op=op, name=name, input=inputs)
    for key, value in attrs.items():
        if isinstance(value, tf.DType):
            made.attr[key].type = value.as_datatype_enum
        elif isinstance(value, bool):
            made.attr[key].b = value
        elif isinstance(value, int):
            made.attr[key].i = value
        else:
            made.attr[key].CopyFrom(value)
    return made


def constant(name, value, shape=None):
    """A Const node; `shape` may say that there are more elements than are spelt out."""
    tensor = tf.make_tensor_proto(value)
    if shape is not None:
        tensor.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return node("Const", name, dtype=tf.as_dtype(tensor.dtype), value=v1.AttrValue(tensor=tensor))


def with_manifest(folder, prefix, edit):
    """A copy of an export whose manifest `edit` changed; its prefix."""
    copy = copied_to(folder, prefix)
    with open(copy + ".json", encoding="utf-8") as file:
        manifest = json.load(file)
    edit(manifest)
    with open(copy + ".json", "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    return copy


# -- tables, as tensorflow/core/lib/io/table_builder.cc writes them


def with_index(folder, prefix, entries):
    """A copy of an export with another index; its prefix.

    Args:
        entries: {name: BundleEntryProto, or bytes}, without the header.
    """
    copy = copied_to(folder, prefix)
    header = tensor_bundle_pb2.BundleHeaderProto(num_shards=1)
    header.version.producer = 1
    found = {b"": header.SerializeToString()}
    for name, entry in entries.items():
        key = name if isinstance(name, bytes) else name.encode()
        found[key] = entry if isinstance(entry, bytes) else entry.SerializeToString()
    with open(copy + ".index", "wb") as file:
        file.write(table(found))
    return copy


def entry(dtype=tf.float32, shape=(), offset=0, size=4, shard=0):
    """A BundleEntryProto."""
    made = tensor_bundle_pb2.BundleEntryProto(dtype=dtype.as_datatype_enum, offset=offset, size=size, shard_id=shard)
    for length in shape:
        made.shape.dim.add(size=length)
    return made


def table(pairs):
    """The bytes of a table of {key: value}."""
    content, handles = b"", []
    for block in (_block(sorted(pairs.items())), _block([])):
        handles.append(_varint(len(content)) + _varint(len(block)))
        content += block + _trailer(block)
    index = _block([(max(pairs), handles[0])])
    footer = handles[1] + _varint(len(content)) + _varint(len(index))
    content += index + _trailer(index)
    return content + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def _block(pairs):
    entries = [_varint(0) + _varint(len(key)) + _varint(len(value)) + key + value for key, value in pairs]
    restarts, place = [], 0
    for item in entries or [b""]:
        restarts.append(place)
        place += len(item)
    return b"".join(entries) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def _trailer(block):
    crc = crc32c(block + b"\0")
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return b"\0" + struct.pack("<I", masked)


def _varint(value):
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def crc32c(content):
    """CRC-32C, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _CRC[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _crc_of(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC = [_crc_of(byte) for byte in range(256)]
