"""`downgrade` mends what TensorFlow 2 wrote, so that TensorFlow 1.15 loads it, and leaves the original as it is."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from crafted import with_meta
from needs import needs

from keras_gensynth_callback import inspect_checkpoint
from keras_gensynth_callback.errors import UnsupportedModelError
from keras_gensynth_callback.inspection.meta_file import read_meta_graph
from keras_gensynth_callback.tools.compare import compare_checkpoints
from keras_gensynth_callback.tools.downgrade import downgrade_checkpoint
from keras_gensynth_callback.tools.trying import try_checkpoint

pytestmark = needs(tf="newest", reason="the command line is tested beside the newest TensorFlow")

v1 = tf.compat.v1

# A tf.keras model in TensorFlow 2, trained in graph mode and saved by a Saver, as migrated programs do.
PROGRAM = """
import sys
import numpy as np
import tensorflow as tf
try:
    import tf_keras as keras
    from tf_keras.src.backend import get_session
except ImportError:
    keras, get_session = tf.keras, tf.compat.v1.keras.backend.get_session
getattr(tf.compat.v1, sys.argv[1])()
layers = keras.layers
model = keras.Sequential(
    [
        layers.Conv2D(4, 3, input_shape=(6, 6, 3), name="edges"),
        layers.BatchNormalization(name="level"),
        layers.Dropout(0.3),
        layers.GlobalAveragePooling2D(),
        layers.Dense(4, activation="softmax", name="digit"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
x = np.random.RandomState(0).rand(16, 6, 6, 3).astype("float32")
model.fit(x, np.arange(16) % 4, verbose=0, batch_size=8)
tf.compat.v1.train.Saver().save(get_session(), sys.argv[2])
np.savez(sys.argv[2] + ".npz", x=x, predicted=model.predict(x), loss=model.evaluate(x, np.arange(16) % 4, verbose=0)[0])
"""


def saved_by_tensorflow_2(switch, prefix):
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM, switch, str(prefix)], check=True)
    return np.load(str(prefix) + ".npz")


def test_what_a_saver_of_tensorflow_2_wrote_is_trained_by_tensorflow_1(tmp_path, reader, run_command):
    prefix = tmp_path / "net"
    keras = saved_by_tensorflow_2("disable_v2_behavior", prefix)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not try_checkpoint(prefix, python=reader.python)["ok"]
    done = run_command("downgrade", prefix, "--json")
    assert done.exit_code == 0, done.output
    assert all((tmp_path / name).read_bytes() == before[name] for name in before if name != "checkpoint")
    found = json.loads(done.stdout)
    assert found["prefix"] == f"{prefix}-tf1.15"
    assert sorted(found["added"]) == [
        "local_variables", "losses", "metric_variables", "model_variables", "signature_def", "train_op", "update_ops"
    ]  # fmt: skip
    assert "drop_default_attributes" in {change["rule"] for change in found["rewritten"]}
    assert inspect_checkpoint(found["prefix"])["warnings"] == []
    assert compare_checkpoints(prefix, found["prefix"])["values"]["changed"] == {}

    data = {"edges_input": keras["x"], "digit_target": (np.arange(16) % 4)[:, None].astype("float32")}
    tried = try_checkpoint(found["prefix"], python=reader.python, data=data)
    said = {verdict["name"]: (verdict["ok"], verdict["words"]) for verdict in tried["verdicts"]}
    assert tried["tensorflow"] == "1.15.5"
    assert tried["ok"], said
    assert said["evaluates"] == (True, f"loss {float(keras['loss']):.4g}")
    assert said["runs the updates"] == (True, "4 ops move 2 of 2 weights that are not trained")
    assert said["trains by train_op"] == (True, "moves 6 of 6 trained weights")
    assert said["trains by an optimizer of its own"] == (True, "moves 6 of 6 trained weights")

    again = run_command("downgrade", prefix)
    assert again.exit_code == 2
    assert "must be a prefix under which nothing is yet" in again.stderr
    assert run_command("downgrade", prefix, prefix).exit_code == 2
    assert (tmp_path / "net.meta").read_bytes() == before["net.meta"]


def test_functions_of_tensorflow_2_are_told_with_a_way_out(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        weight = v1.get_variable("weight", [], use_resource=True)
        tf.function(lambda x: x * weight)(tf.constant(1.0))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "net"))
    with pytest.raises(UnsupportedModelError, match="has functions .*write the checkpoint after .*disable_v2_behavior"):
        downgrade_checkpoint(tmp_path / "net")
    assert not list(tmp_path.glob("*tf1.15*"))


def test_an_export_that_fits_already_stays_as_it_is_but_for_its_name(small_export, tmp_path):
    found = downgrade_checkpoint(small_export.prefix, tmp_path / "copy")
    assert found["added"] == {}
    assert compare_checkpoints(small_export.prefix, tmp_path / "copy")["equal"]
    assert pathlib.Path(found["prefix"] + ".json").exists()


def test_colocation_stays_where_its_node_does(small_export, tmp_path):
    def stand_beside(meta_graph):
        node = next(node for node in meta_graph.graph_def.node if node.op == "Softmax")
        node.attr["_class"].list.s[:] = [b"loc:@digit/kernel", b"loc:@gone"]

    prefix = with_meta(tmp_path, small_export.prefix, stand_beside)
    meta_graph = read_meta_graph(downgrade_checkpoint(prefix, tmp_path / "new" / "net")["prefix"])
    places = {node.name: node.attr["_class"].list.s for node in meta_graph.graph_def.node}
    assert places["digit/Softmax"] == places["training/Adam/digit/kernel/m"] == [b"loc:@digit/kernel"]


def test_the_doctor_shows_what_is_there_and_tries_an_export(reader, run_command):
    done = run_command("doctor", "--json", KERAS_GENSYNTH_READER=reader.python)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["readers"][0] == {"python": reader.python, "tensorflow": "1.15.5"}
    assert found["versions"]["tensorflow"] and found["versions"]["python"] == sys.version.split()[0]
    assert found["self_test"]["tensorflow"] == "1.15.5"
    assert found["self_test"]["ok"]


def test_the_doctor_says_how_to_get_a_tensorflow_1(tmp_path, monkeypatch, run_command):
    for name in ("PATH", "CONDA_EXE", "WORKON_HOME", "HOME", "PYENV_ROOT"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.delenv("KERAS_GENSYNTH_READER", raising=False)
    done = run_command("doctor", "--no-self-test")
    assert done.exit_code == 0
    assert "none was found; name one in KERAS_GENSYNTH_READER" in done.stdout
