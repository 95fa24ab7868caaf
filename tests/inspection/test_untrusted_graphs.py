"""Reading the checkpoints of others runs nothing of them, ends, and says what is wrong."""

import os

import pytest
import tensorflow as tf
from crafted import READERS, constant, node, with_meta, with_output_behind, with_shape_computed_by

from keras_gensynth_callback import inspect_checkpoint, write_report
from keras_gensynth_callback.errors import CheckpointFormatError, GenSynthExportError
from keras_gensynth_callback.graph import EditableGraph
from keras_gensynth_callback.report.gathering import gather
from keras_gensynth_callback.static import StaticShapes

v1 = tf.compat.v1
FLOAT = tf.float32


def read_by_all(prefix, folder):
    """Lets all readers read; what they do not know what to do with, they say."""
    for read in READERS.values():
        try:
            read(prefix, folder)
        except GenSynthExportError:
            pass


def test_no_reader_runs_an_op_of_the_graph(small_export, tmp_path):
    planted = tmp_path / "planted"

    def build():
        tf.raw_ops.DebugIdentity(
            input=tf.constant([-1, 1]), tensor_name="x:0", debug_urls=[f"file://{planted}"], name="crafted/shape"
        )

    prefix = with_meta(tmp_path, small_export.prefix, with_shape_computed_by(build, "crafted/shape"))
    read_by_all(prefix, tmp_path)
    assert not planted.exists()


def test_no_reader_imports_a_graph_into_tensorflow(small_export, tmp_path, monkeypatch):
    """Whose shape inference folds constants, and so runs ops."""

    def refused(*args, **kwargs):
        raise AssertionError("a reader imported or ran a graph")

    for place, name in (
        (tf, "import_graph_def"),
        (tf.graph_util, "import_graph_def"),
        (v1, "import_graph_def"),
        (v1.train, "import_meta_graph"),
        (v1.Session, "run"),
    ):
        monkeypatch.setattr(place, name, refused)
    for read in READERS.values():
        read(small_export.prefix, tmp_path)
    assert gather(small_export.prefix)["flops"]


def test_a_long_chain_is_read(small_export, tmp_path):
    names = [f"chain/{place}" for place in range(5000)]  # five times as deep as Python calls functions
    nodes = [node("Identity", name, [source], T=FLOAT) for name, source in zip(names, ["{output}", *names])]
    prefix = with_meta(tmp_path, small_export.prefix, with_output_behind(nodes))
    for read in READERS.values():
        read(prefix, tmp_path)


def diamonds(op, depth, first, **attrs):
    names = [f"diamond/{place}" for place in range(depth)]
    return [node(op, name, [source, source], **attrs) for name, source in zip(names, [first, *names])]


def test_ways_that_part_and_meet_are_not_gone_one_by_one(small_export, tmp_path):
    logic = diamonds("LogicalAnd", 60, "diamond/start")
    switch = node("Switch", "diamond/Switch", ["{output}", logic[-1].name], T=FLOAT)
    merge = node("Merge", "diamond/Merge", [switch.name, switch.name + ":1"], T=FLOAT, N=2)
    sums = diamonds("AddV2", 60, merge.name, T=FLOAT)
    for place, added in enumerate(sums):
        added.name, added.input[:] = f"sum/{place}", [merge.name if not place else f"sum/{place - 1}"] * 2
    nodes = [constant("diamond/start", True), *logic, switch, merge, *sums]
    prefix = with_meta(tmp_path, small_export.prefix, with_output_behind(nodes))
    for read in READERS.values():
        read(prefix, tmp_path)


def test_a_constant_that_stands_for_gigabytes_is_not_written_out(small_export, tmp_path):
    huge = constant("huge", 1, [2**31, 2**31])
    texts = constant("texts", [b"name"], [3 * 10**9])
    predicate = constant("predicate", True, [10**12])
    switch = node("Switch", "huge/Switch", ["{output}", predicate.name], T=FLOAT)
    reshape = node("Reshape", "huge/Reshape", [switch.name + ":1", huge.name], T=FLOAT, Tshape=tf.int32)

    def edit(meta_graph):
        with_output_behind([huge, texts, predicate, switch, reshape])(meta_graph)
        for restore in meta_graph.graph_def.node:
            if restore.op == "RestoreV2":
                restore.input[1] = texts.name

    prefix = with_meta(tmp_path, small_export.prefix, edit)
    for name in ("inspect", "report", "diff", "downgrade"):
        READERS[name](prefix, tmp_path)


def test_a_million_outputs_in_a_few_bytes_take_no_memory(small_export, tmp_path):
    axis = constant("axis", 0)
    splits = [node("Split", f"split/{i}", ["axis", "{output}"], num_split=65536, T=FLOAT) for i in range(100)]
    unpacks = [node("Unpack", f"unpack/{i}", ["{output}"], num=65536, T=FLOAT) for i in range(100)]
    prefix = with_meta(tmp_path, small_export.prefix, with_output_behind([axis, *unpacks, *splits]))
    for read in READERS.values():
        read(prefix, tmp_path)
    with open(f"{prefix}.meta", "rb") as file:
        shapes = StaticShapes(EditableGraph.from_meta_graph(v1.MetaGraphDef.FromString(file.read())))
    assert sum(len(shapes.shapes_of(each.name)) for each in [*splits, *unpacks]) <= 2**16


def test_sizes_do_not_overflow(small_export, tmp_path):
    large = node("Placeholder", "large", dtype=FLOAT, shape=v1.AttrValue(shape=tf.TensorShape([2**62]).as_proto()))
    nodes = [large]
    for place in range(8):
        inputs = [nodes[-1].name, "times"]
        nodes.append(node("Tile", f"tile/{place}", inputs, T=FLOAT, Tmultiples=tf.int32))
        nodes.append(node("Square", f"square/{place}", [nodes[-1].name], T=FLOAT))
    nodes.insert(0, constant("times", [2**31 - 1]))
    prefix = with_meta(tmp_path, small_export.prefix, with_output_behind(nodes))
    assert gather(prefix)["flops"] >= 2**62
    write_report(prefix)


def first(meta_graph, op):
    return next(node for node in meta_graph.graph_def.node if node.op == op)


def cycle(meta_graph):
    nodes = [node("Identity", "a", ["b"], T=FLOAT), node("Identity", "b", ["a"], T=FLOAT)]
    meta_graph.graph_def.node.extend(nodes)


def cycle_of_controls(meta_graph):
    meta_graph.graph_def.node.extend([node("NoOp", "a", ["^b"]), node("NoOp", "b", ["^a"])])


def loop_without_next_iteration(meta_graph):
    enter = node("Identity", "a", ["b"], T=FLOAT)
    meta_graph.graph_def.node.extend([enter, node("Merge", "b", ["a", "a"], T=FLOAT, N=2)])


def nested_contexts(meta_graph):
    content = b""
    for _ in range(10000):
        content = b"\x12" + tagged_length(content)  # values_def or nested_contexts: either is nested too deep
    meta_graph.collection_def["cond_context"].bytes_list.value.append(content)


def tagged_length(content):
    size, found = len(content), b""
    while size > 127:
        found += bytes([size & 127 | 128])
        size >>= 7
    return found + bytes([size]) + content


def wrong_kind(meta_graph):
    first(meta_graph, "Conv2D").attr["strides"].s = b"1"


def wrong_list(meta_graph):
    first(meta_graph, "Conv2D").attr["strides"].list.CopyFrom(v1.AttrValue.ListValue(f=[1.0]))


def negative_size(meta_graph):
    first(meta_graph, "Placeholder").attr["shape"].shape.dim[0].size = -7


def too_many_elements(meta_graph):
    for dimension in first(meta_graph, "Placeholder").attr["shape"].shape.dim:
        dimension.size = 2**40


def many_dimensions(meta_graph):
    shape = first(meta_graph, "Placeholder").attr["shape"].shape
    for _ in range(300):
        shape.dim.add(size=1)


def damaged_constant(meta_graph):
    tensor = first(meta_graph, "Const").attr["value"].tensor
    tensor.tensor_content = b"abc"
    tensor.tensor_shape.dim.add(size=7)


def other_type(meta_graph):
    first(meta_graph, "Const").attr["dtype"].type = tf.complex64.as_datatype_enum


def signature_of_nothing(meta_graph):
    next(iter(meta_graph.signature_def["serving_default"].outputs.values())).name = "nothing:0"


def collection_of_nothing(meta_graph):
    meta_graph.collection_def["update_ops"].node_list.value.append("nothing")


def escape_sequence(meta_graph):
    meta_graph.collection_def["\x1b[2J"].node_list.value.append(meta_graph.graph_def.node[0].name)


def changed(**fields):
    def edit(meta_graph):
        for name, value in fields.items():
            setattr(first(meta_graph, "Conv2D"), name, value)

    return edit


def inputs(*names):
    def edit(meta_graph):
        first(meta_graph, "Conv2D").input[:] = names

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (cycle, "nodes wait for each other, or for those that do: 'a', 'b' (2 in all)"),
        (cycle_of_controls, "nodes wait for each other"),
        (loop_without_next_iteration, "nodes wait for each other"),
        (nested_contexts, "the collection cond_context does not hold conditionals"),
        (wrong_kind, "the attribute 'strides' of the node 'edges/Conv2D' ('Conv2D') is of the kind s, and list(int)"),
        (wrong_list, "is of the kind list, and list(int) was expected"),
        (lambda meta: first(meta, "Conv2D").attr.pop("padding"), "(Conv2D) lacks the attribute padding"),
        (lambda meta: setattr(first(meta, "Conv2D").attr["T"], "type", 999), "names the type 999, which the installed"),
        (lambda meta: setattr(first(meta, "Conv2D").attr["T"], "type", 0), "names the type 0, which the installed"),
        (
            lambda meta: setattr(first(meta, "Conv2D").attr["T"], "placeholder", "T"),
            "of the kind placeholder, and type was expected",
        ),
        (negative_size, "is a shape with a size of -7"),
        (too_many_elements, "elements, and TensorFlow has at most 9223372036854775807"),
        (many_dimensions, "dimensions, and TensorFlow has at most 254"),
        (damaged_constant, "and holds 3 bytes"),
        (other_type, "holds another type than it says"),
        (signature_of_nothing, "is the tensor 'nothing:0', which the graph does not have"),
        (
            lambda meta: meta.collection_def["losses"].bytes_list.value.append(b"a"),
            "the collection losses holds a bytes_list, and the names of tensors and ops were expected",
        ),
        (collection_of_nothing, "the collection 'update_ops' names 'nothing', which the graph does not have"),
        (escape_sequence, "is too long or has control characters"),
        (inputs("image"), "has 1 inputs, and 2 were expected"),
        (inputs("image", "nothing"), "takes 'nothing', which the graph does not have"),
        (inputs("image", "image:-1"), "has the input 'image:-1', which names no tensor"),
        (inputs("^image", "image"), "behind its control inputs"),
        (changed(name="image"), "two nodes have the name 'image'"),
        (changed(name=""), "a node has the name '', which TensorFlow does not allow"),
        (changed(name="a:0"), "a node has the name 'a:0', which TensorFlow does not allow"),
        (changed(name="a" * 10**7), "has 10000000 characters and 0 scopes, and at most 4096 and 128 are read"),
        (changed(name="a/" * 1000 + "a"), "characters and 1000 scopes"),
    ],
)
def test_a_graph_that_tensorflow_does_not_load_is_told_with_what_is_wrong(small_export, tmp_path, edit, words):
    prefix = with_meta(tmp_path, small_export.prefix, edit)
    with pytest.raises(CheckpointFormatError) as raised:
        inspect_checkpoint(prefix)
    assert f"{prefix + '.meta'!r}" in str(raised.value)
    assert words in str(raised.value)


def test_each_reader_tells_it(small_export, tmp_path):
    prefix = with_meta(tmp_path, small_export.prefix, cycle)
    assert READERS["diff"](prefix, tmp_path)["equal"]  # it follows no inputs
    for name in ("inspect", "report", "downgrade", "freeze"):
        with pytest.raises(CheckpointFormatError, match="nodes wait for each other"):
            READERS[name](prefix, tmp_path)


def test_texts_that_are_none_are_told(small_export, tmp_path):
    def edit(meta_graph):
        del meta_graph.graph_def.node[:]
        meta_graph.graph_def.node.add(name="@@@@", op="NoOp")

    prefix = with_meta(tmp_path, small_export.prefix, edit)
    with open(prefix + ".meta", "rb") as file:
        content = file.read()
    with open(prefix + ".meta", "wb") as file:
        file.write(content.replace(b"@@@@", b"\xff\xfe\xff\xfe"))
    with pytest.raises(CheckpointFormatError, match="is not a MetaGraphDef, or truncated"):
        inspect_checkpoint(prefix)


@pytest.mark.parametrize("suffix", [".meta", ".index", ".json"])
def test_a_pipe_is_not_waited_for(small_export, tmp_path, suffix):
    prefix = with_meta(tmp_path, small_export.prefix, lambda meta_graph: None)
    os.remove(prefix + suffix)
    os.mkfifo(prefix + suffix)
    if suffix == ".json":
        (warning,) = inspect_checkpoint(prefix)["warnings"][:1]
        assert "a pipe, a socket or a device stands in the place of this file" in warning
        return
    with pytest.raises(CheckpointFormatError, match="is no file but a folder, a pipe or a device"):
        inspect_checkpoint(prefix)
