"""`inspect` shows what is in a checkpoint, whoever wrote it, and tells what is wrong with one that cannot be read."""

import json
import os
import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
from cli_export import copied_to
from needs import needs

from keras_gensynth_callback import inspect_checkpoint
from keras_gensynth_callback.cli import shared
from keras_gensynth_callback.errors import CheckpointFormatError, InvalidArgumentError

pytestmark = needs(tf="newest", reason="the command line is tested beside the newest TensorFlow")

v1 = tf.compat.v1
ROOT = pathlib.Path(__file__).parents[2]

# A compiled and fitted tf.keras model of TensorFlow 1.15, saved as tutorials do.
PLAIN = """
    import sys
    import numpy as np
    import tensorflow as tf

    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.Dense(4, input_shape=(3,)), layers.BatchNormalization(), layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)
    tf.compat.v1.train.Saver().save(tf.compat.v1.keras.backend.get_session(), sys.argv[1])
"""


@pytest.fixture
def copied(small_export, tmp_path):
    """The prefix of a copy of the export, which a test may spoil, in a folder with a space and Unicode in its name."""
    folder = tmp_path / "nets of Zoë 中"
    folder.mkdir()
    return copied_to(folder, small_export.prefix)


def test_layers_have_their_parameters_and_stand_in_order(small_export):
    found = inspect_checkpoint(small_export.prefix)
    layers = [(layer["name"], layer["parameters"], layer["trainable"]) for layer in found["layers"]]
    assert layers[:2] == [("edges", 112, 112), ("level", 16, 8)]
    assert layers[-1] == ("digit", 20, 20)
    assert [layer["ops"][0] for layer in found["layers"]] == [
        "Conv2D", "FusedBatchNormV3", "Relu", "RandomUniform", "Mean", "MatMul"
    ]  # fmt: skip
    assert found["parameters"]["total"] == small_export.model.count_params()


def test_tensors_collections_and_sizes_are_those_of_the_manifest(small_export):
    found = inspect_checkpoint(small_export.prefix)
    manifest = json.loads(pathlib.Path(small_export.prefix + ".json").read_text())
    assert {name: of["tensor"] for name, of in found["inputs"].items()} == {"image": "image:0"}
    assert found["inputs"]["image"]["shape"] == [None, 6, 6, 3]
    assert found["outputs"]["digit"] == {"tensor": "digit/Softmax:0", "dtype": "float32", "shape": [None, 4]}
    assert {name: len(members) for name, members in found["collections"].items()} == manifest["collections"]
    assert found["parameters"] == manifest["parameters"]
    assert found["size"] == sum(os.path.getsize(small_export.prefix + s) for s in (".meta", ".index", ".json")) + (
        os.path.getsize(small_export.prefix + ".data-00000-of-00001")
    )
    assert found["written_by"] == manifest["writer"]
    assert found["warnings"] == []


def test_the_command_shows_it_in_plain_text_where_nobody_looks_at_a_terminal(small_export, run_command):
    done = run_command("inspect", small_export.prefix)
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["level", "FusedBatchNormV3", "16", "8"] in lines
    assert ["image", "image:0", "float32", "?", "x", "6", "x", "6", "x", "3"] in lines
    assert ["update_ops", "6", "metrics/AssignVariableOp_1,", "metrics/AssignVariableOp,", "..."] in lines
    assert done.stdout.endswith("Nothing is missing for TensorFlow 1.15.\n")


def test_json_is_what_the_function_returns(small_export, run_command):
    done = run_command("inspect", small_export.prefix, "--json")
    assert json.loads(done.stdout) == json.loads(json.dumps(inspect_checkpoint(small_export.prefix)))


def test_nothing_is_wider_than_a_terminal_of_40_columns(small_export, run_command):
    done = run_command("inspect", small_export.prefix, COLUMNS="40")
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 40


def test_no_color_is_honoured_on_a_terminal(small_export, run_command):
    colours = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}
    assert "\x1b[2m" in run_command("inspect", small_export.prefix, **colours).stdout
    assert "\x1b[3" not in run_command("inspect", small_export.prefix, NO_COLOR="1", **colours).stdout


def test_what_a_plain_saver_of_tensorflow_1_leaves_out_is_told(reader, tmp_path, run_command):
    prefix = tmp_path / "plain"
    reader.run(PLAIN, prefix)
    found = inspect_checkpoint(prefix)
    assert [layer["name"] for layer in found["layers"]] == ["dense", "batch_normalization", "dense_1"]
    assert found["parameters"] == {"total": 37, "trainable": 29}
    assert found["written_by"] == {"tensorflow": "1.15.5"}
    assert found["inputs"] == {"dense_input": {"tensor": "dense_input:0", "dtype": "float32", "shape": [None, 3]}}
    warnings = "\n".join(found["warnings"])
    assert "UPDATE_OPS is empty: batch_normalization/moving_mean, batch_normalization/moving_variance" in warnings
    assert "METRIC_VARIABLES lack the variables of metrics (count, total)" in warnings
    assert "cannot take" not in warnings
    assert run_command("inspect", prefix, "--strict").exit_code == 1


def test_what_tensorflow_2_wrote_is_compared_with_the_target(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        kernel = v1.get_variable("layer/kernel", [3, 2], use_resource=True)
        tf.raw_ops.BatchMatMulV3(x=x[None], y=kernel[None], Tout=tf.float32, name="layer/product")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "new"))
    warnings = "\n".join(inspect_checkpoint(tmp_path / "new")["warnings"])
    assert (
        "TensorFlow 1.15 cannot take the op BatchMatMulV3 (node 'layer/product'): the op does not exist there"
        in warnings
    )
    assert "has the attribute debug_name, which is unknown there" in warnings
    assert "cannot take" not in "\n".join(inspect_checkpoint(tmp_path / "new", target="current")["warnings"])


def test_an_unknown_target_is_told_with_those_there_are(small_export, run_command):
    with pytest.raises(
        InvalidArgumentError, match="one of '1.4', '1.8', '1.10', '1.12', '1.13', '1.14', '1.15', 'current'"
    ):
        inspect_checkpoint(small_export.prefix, target="1.2")
    done = run_command("inspect", small_export.prefix, "--target", "1.2")
    assert done.exit_code == 2
    assert "'1.2' is not one of '1.4', '1.8', '1.10', '1.12', '1.13', '1.14', '1.15', 'current'" in done.stderr


def test_tensorboard_reads_the_graph(small_export, tmp_path, run_command):
    done = run_command("inspect", small_export.prefix, "--tensorboard", tmp_path / "logs")
    assert f"tensorboard --logdir {tmp_path / 'logs'}" in done.stdout
    (path,) = (tmp_path / "logs").iterdir()
    graphs = [event.graph_def for event in v1.train.summary_iterator(str(path)) if event.graph_def]
    names = [node.name for node in v1.GraphDef.FromString(graphs[0]).node]
    assert "edges/Conv2D" in names


def test_a_program_that_saved_under_the_same_prefix_makes_the_manifest_stale(copied):
    with open(copied + ".meta", "ab") as file:
        file.write(b"\x0a\x00")  # an empty meta_info_def, merged into the one that is there
    found = inspect_checkpoint(copied)
    assert found["exported"] is None
    assert "is of another checkpoint: net.meta is missing or has another size" in found["warnings"][0]


def bad(run_command, prefix, words):
    """Both ways tell it in the same words, and the command ends with status 2."""
    with pytest.raises(CheckpointFormatError) as raised:
        inspect_checkpoint(prefix)
    done = run_command("inspect", prefix)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == f"Error: {raised.value}\n"
    assert words in str(raised.value)


def test_a_file_that_is_missing_is_named(copied, tmp_path, run_command):
    bad(run_command, str(tmp_path / "nte"), "nte.index' is missing. Pass the prefix under which")
    bad(run_command, copied + ".meta", "this names one of its files. Pass what they have in common")
    bad(run_command, str(pathlib.Path(copied).parent), "this is a folder, and a prefix was expected")
    os.rename(copied + ".data-00000-of-00001", copied + ".aside")
    bad(run_command, copied, "net.data-00000-of-00001' missing. Copy all files whose names begin with the prefix")
    os.rename(copied + ".aside", copied + ".data-00000-of-00001")
    os.remove(copied + ".meta")
    bad(run_command, copied, "has no graph: the file")
    os.remove(copied + ".index")
    bad(run_command, copied, "net.index' is missing")


@pytest.mark.parametrize(
    "suffix, words",
    [
        (".meta", "is not a MetaGraphDef, or truncated"),
        (".index", "cannot be read"),
        (".data-00000-of-00001", "is truncated: its values take"),
    ],
)
def test_a_file_that_is_truncated_is_named(copied, suffix, words, run_command):
    content = pathlib.Path(copied + suffix).read_bytes()
    pathlib.Path(copied + suffix).write_bytes(content[: len(content) // 2 + 1])
    bad(run_command, copied, words)


def test_a_meta_file_of_another_kind_is_told(copied, run_command):
    for content in (np.random.RandomState(0).bytes(5000), b"", b"\x00" * 100, b"{}", b"graph_def {\n}\n"):
        pathlib.Path(copied + ".meta").write_bytes(content)
        bad(run_command, copied, f"({len(content)} bytes) ")


def test_a_meta_file_that_is_too_large_is_not_even_read(copied, run_command):
    os.truncate(copied + ".meta", 2**31 + 2**29)  # a hole: it takes no room
    bad(run_command, copied, "has 2.7 GB, and a MetaGraphDef has at most 2.1 GB")


@pytest.mark.slow
def test_a_meta_file_of_500_mb_that_is_none_is_told(copied, run_command):
    os.truncate(copied + ".meta", 500_000_000)
    bad(run_command, copied, "is not a MetaGraphDef, or truncated")


def test_a_checkpoint_of_objects_is_told_from_one_with_a_graph(tmp_path, run_command):
    prefix = tf.train.Checkpoint(step=tf.Variable(1)).save(str(tmp_path / "objects"))
    bad(run_command, prefix, "was written by tf.train.Checkpoint (TensorFlow 2")


def test_help_needs_no_tensorflow_and_the_module_can_be_run():
    code = "import sys; from keras_gensynth_callback.cli.app import commands; print('tensorflow' in sys.modules)"
    environ = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, encoding="utf-8")
    assert done.stdout == "False\n"
    command = [sys.executable, "-m", "keras_gensynth_callback", "--help"]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, encoding="utf-8")
    assert done.stdout.startswith("Usage: keras-gensynth [OPTIONS] COMMAND")


def test_without_the_extra_the_error_names_it():
    code = "import sys; sys.modules['click'] = None; from keras_gensynth_callback.cli import main; main()"
    environ = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], env=environ, stderr=subprocess.PIPE, encoding="utf-8")
    assert done.returncode == 2
    assert done.stderr.endswith("Install them: pip install 'keras-gensynth-callback[cli]'\n")


def test_importing_the_package_imports_neither_tensorflow_nor_what_the_command_line_needs():
    code = "import sys, keras_gensynth_callback; print(sorted({'click', 'rich', 'tensorflow'} & set(sys.modules)))"
    environ = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, encoding="utf-8")
    assert done.stdout == "[]\n"


def test_a_command_that_takes_long_says_so_on_a_terminal_alone(monkeypatch, capsys):
    monkeypatch.setattr(shared, "AFTER_SECONDS", 0.0)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with shared.waiting("Reading 'net'"):
        pass
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes what it writes to for a terminal
    written = threading.Event()
    real = sys.stderr.write
    monkeypatch.setattr(sys.stderr, "write", lambda text: (real(text), "Reading" in text and written.set())[0])
    with shared.waiting("Reading 'net'"):
        assert written.wait(30)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Reading 'net' ..." in err
