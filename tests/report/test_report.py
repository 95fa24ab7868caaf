"""What a report says of a checkpoint, and when and where it is written. What the page does: test_report_page.py."""

import json
import pathlib
import subprocess
import sys

import pytest
import reported_models
import tensorflow as tf
from cli_export import copied_to
from needs import needs
from reported_models import LONG_NAME

from keras_gensynth_callback import GenSynthExportCallback, write_report
from keras_gensynth_callback.checkpoint import read_manifest
from keras_gensynth_callback.errors import CheckpointFormatError, CheckpointWriteError
from keras_gensynth_callback.inspection.meta_file import read_meta_graph
from keras_gensynth_callback.report.flops import Predictions
from keras_gensynth_callback.report.gathering import gather
from keras_gensynth_callback.report.layer_graph import groups_of

pytestmark = needs(tf="newest", reason="the report is tested beside the newest TensorFlow")

v1 = tf.compat.v1
ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """The prefix of `reported_models.nested`."""
    return reported_models.nested(tmp_path_factory.mktemp("nested"))


def edges(found):
    return {tuple(edge) for edge in found["graph"]["edges"]}


def test_numbers_are_those_of_the_manifest(small_export):
    found, manifest = gather(small_export.prefix), read_manifest(small_export.prefix)
    assert found["parameters"] == manifest["parameters"]
    assert found["nodes"] == manifest["nodes"]
    assert {key: len(members) for key, members in found["collections"].items()} == manifest["collections"]
    assert found["exported"]["rewritten"] == manifest["rewritten"]
    json.dumps(found, allow_nan=False)


def test_data_goes_from_layer_to_layer_and_through_what_the_learning_phase_switches(small_export):
    found = gather(small_export.prefix)
    chain = ["input:image", *(layer["name"] for layer in found["layers"]), "output:digit"]
    assert len(chain) == 8
    assert edges(found) == set(zip(chain, chain[1:]))


def test_branches_meet_and_part_where_those_of_the_model_do(nested):
    found = gather(nested)
    parents = {node["id"]: node["parent"] for node in found["graph"]["nodes"]}
    assert parents["encoder/dense"] == "encoder/"
    assert parents["encoder/"] is parents["both"] is parents[LONG_NAME] is None
    assert {edge for edge in edges(found) if "memory" not in edge[0] + edge[1]} == {
        ("input:image", "encoder/dense"),
        ("encoder/dense", "encoder/level"),
        ("encoder/level", "encoder/drop"),
        ("encoder/drop", "both"),
        ("both", "one"),
        ("both", LONG_NAME),
        ("one", "output:one"),
        (LONG_NAME, "output:two"),
    }
    assert {edge[0].split("/")[0] for edge in edges(found) if edge[1].startswith("memory/")} == {
        "input:words",
        "memory",
    }


def test_layers_of_a_scope_are_one_group_and_so_are_neighbours_in_a_crowd():
    assert groups_of(["a/b", "a/c", "d", "e/f"]) == {"a/b": "a/", "a/c": "a/", "d": None, "e/f": None, "a/": None}
    blocks = [f"conv{i}_block{j}_{name}" for i in (1, 2) for j in (1, 2, 3) for name in ("pad", "conv", "bn", "relu")]
    parents = groups_of([*blocks, "pool_conv", "predictions"])
    assert parents["conv2_block3_bn"] == "conv2_block3_"
    assert parents["conv2_block3_"] == "conv2_"
    assert parents["conv2_"] is parents["pool_conv"] is None
    mixed = [name + number for number in ("", *(f"_{i}" for i in range(20))) for name in ("dense", "relu")]
    assert set(groups_of(mixed).values()) == {None}


def test_flops_are_those_that_the_profiler_of_tensorflow_counts(small_export):
    found = gather(small_export.prefix)
    flops = {layer["name"]: layer["flops"] for layer in found["layers"]}
    # 4 x 4 pixels of 4 channels, each of 27 products and sums, and its bias.
    assert flops["edges"] == 2 * 27 * 64 + 64
    assert found["flops"] == sum(flops.values())
    meta_graph = read_meta_graph(small_export.prefix)
    predictions = Predictions(meta_graph, [of["tensor"] for of in found["outputs"].values()])
    ours, theirs = predictions.flops, profiled(predictions)
    assert {"Conv2D", "MatMul", "Softmax", "BiasAdd", "Mean"} <= {name.split("/")[-1] for name in theirs}
    assert {name: ours[name] for name in theirs} == theirs


def profiled(predictions):
    options = v1.profiler.ProfileOptionBuilder.float_operation()
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(predictions.graph.graph_def(), name="")
    root = v1.profiler.profile(graph, options=dict(options, output="none"))
    todo, found = list(root.children), {}
    while todo:
        node = todo.pop()
        todo.extend(node.children)
        if node.float_ops:
            found[node.name] = node.float_ops
    return found


def test_what_stands_in_a_loop_is_counted_as_often_as_it_turns(nested):
    (cell,) = [layer for layer in gather(nested)["layers"] if layer["name"] == "memory/lstm_cell"]
    # Two products with four gates of six units, from three inputs and six states, and biases; five times.
    assert cell["flops"] == 5 * (2 * 3 * 24 + 2 * 6 * 24 + 24)


def test_what_the_learning_phase_switches_is_told_by_layer(small_export):
    switched = {row["layer"]: row for row in gather(small_export.prefix)["learning_phase"]}
    assert list(switched) == ["level", "dropout", None]
    assert switched["level"]["training"]["FusedBatchNormV3"] == 1
    assert switched["level"]["inference"] == {"FusedBatchNormV3": 1}
    assert switched["dropout"]["training"]["RandomUniform"] == 1
    assert switched["dropout"]["inference"] == {}
    nodes = {node.name: node for node in read_meta_graph(small_export.prefix).graph_def.node}
    for row in switched.values():
        assert all(nodes[name].op == "Merge" for name in row["merges"])
        assert all(nodes[name].input[1].startswith("keras_learning_phase") for name in row["switches"])
    assert switched["level"]["merges"] and switched["dropout"]["merges"]


def test_a_checkpoint_that_others_wrote_has_a_report_too(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        kernel = v1.get_variable("dense/kernel", [3, 2], use_resource=False)
        for _ in range(1500):  # many nodes between an input and a layer, which belong to none
            x = tf.identity(x)
        tf.nn.relu(tf.matmul(x, kernel, name="dense/MatMul"), name="dense/Relu")
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, str(tmp_path / "net"))
    found = gather(prefix)
    assert found["exported"] is None
    assert [layer["name"] for layer in found["layers"]] == ["dense"]
    assert edges(found) == {("input:x", "dense")}
    assert found["flops"] is None
    assert found["notes"] == ["FLOPs are not counted: there is no signature that says what a prediction gives."]
    written = write_report(prefix)
    assert written["path"] == prefix + ".html"
    page = pathlib.Path(written["path"]).read_text()
    assert "There are none: a program has to know the names of the tensors." in page
    assert "Rewritten" not in page


def test_each_export_of_a_run_has_a_report_that_goes_with_it(keras, tmp_path):
    foreign = tmp_path / "net-1.html"
    foreign.write_text("<!doctype html>\n<p>mine")
    reports = []

    def report(record):
        reports.append(write_report(record, tmp_path / "aside.html" if record.epoch == 1 else None))

    callback = GenSynthExportCallback(str(tmp_path / "net-{epoch}"), max_to_keep=1, on_export=report)
    reported_models.fit(keras, 3, [callback])
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["aside.html", "net-1.html", "net-3.html"]
    assert foreign.read_text() == "<!doctype html>\n<p>mine"
    last = (tmp_path / "net-3.html").read_text()
    assert [name in last for name in ("<code>net-1</code>", "<code>net-2</code>", "<code>net-3</code>")] == [True] * 3
    assert "Until on the disk" in last
    assert "<code>net-2</code>" not in (tmp_path / "aside.html").read_text()


def test_a_second_run_lists_its_own_exports_alone(keras, tmp_path):
    for _ in range(2):
        callback = GenSynthExportCallback(str(tmp_path / "net-{epoch}"), on_export=write_report)
        reported_models.fit(keras, 2, [callback])
    page = (tmp_path / "net-1.html").read_text()
    assert "<code>net-2</code>" not in page
    assert (tmp_path / "net-2.html").read_text().count('<th scope="row"><code>net-1</code></th>') == 1


def test_a_report_that_is_written_later_lists_what_is_there(keras, tmp_path):
    reported_models.fit(keras, 3, [GenSynthExportCallback(str(tmp_path / "net-{epoch}"), max_to_keep=2)])
    write_report(tmp_path / "net-2", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert [f"<code>net-{epoch}</code>" in page for epoch in (1, 2, 3)] == [False, True, True]
    assert "How long each took is known to reports" in page


def test_another_programs_page_is_not_overwritten_unless_its_path_is_given(small_export, tmp_path):
    prefix = copied_to(tmp_path, small_export.prefix)
    page = tmp_path / "net.html"
    page.write_text("mine")
    with pytest.raises(CheckpointWriteError, match="another program wrote a file of this name. Pass another one"):
        write_report(prefix)
    assert page.read_text() == "mine"
    write_report(prefix, page)
    write_report(prefix)
    assert page.read_text().startswith("<!doctype html>")


def test_a_report_where_none_can_be_written_is_told(small_export, tmp_path):
    with pytest.raises(CheckpointWriteError, match="The report '.*nowhere/net.html' could not be written: "):
        write_report(small_export.prefix, tmp_path / "nowhere" / "net.html")
    with pytest.raises(CheckpointFormatError, match="There is no checkpoint"):
        write_report(tmp_path / "net")


def test_the_command_writes_the_page_and_its_status_is_that_of_the_verdicts(small_export, tmp_path, run_command):
    done = run_command("report", small_export.prefix, "-o", tmp_path / "net.html", "--target", "1.13")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{tmp_path / 'net.html'}: ")
    assert 'For TensorFlow</dt><dd id="target">1.13<' in (tmp_path / "net.html").read_text()
    prefix = copied_to(tmp_path, small_export.prefix)
    with open(prefix + ".json", "r+") as file:
        manifest = json.load(file)
        manifest["files"]["net.index"]["sha256"] = "0" * 64
        file.seek(0)
        json.dump(manifest, file)
        file.truncate()
    done = run_command("report", prefix, "--verify", "--reader", sys.executable, "--json")
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)
    assert found["path"] == prefix + ".html"
    assert found["verification"]["verdicts"][0]["ok"] is False
    page = pathlib.Path(found["path"]).read_text()
    assert "<b>NO</b> files: net.index differ from the manifest, or are missing" in page
    assert "<b>ok</b> predicts: digit 8 x 4" in page
    done = run_command("report", tmp_path / "nothing")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: There is no checkpoint")


def test_without_the_extra_the_error_names_it():
    code = """
import sys
sys.modules["jinja2"] = None
from keras_gensynth_callback import write_report
try:
    write_report("net")
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
    assert done.stdout.startswith("MissingExtraError A report needs Jinja2")
    assert done.stdout.endswith("pip install 'keras-gensynth-callback[report]'\n")
