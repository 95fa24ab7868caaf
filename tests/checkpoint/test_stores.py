"""Exports to stores: `ram://`, which TensorFlow knows, and S3, which fsspec knows, as a real server over HTTP."""

import json
import logging
import os
import subprocess
import sys

import boto3
import fsspec
import numpy as np
import pytest
import tf_keras
from moto.server import ThreadedMotoServer
from needs import needs

from keras_gensynth_callback import (
    GenSynthExportCallback,
    export_checkpoint,
    inspect_checkpoint,
    load_checkpoint,
    verify_checkpoint,
)
from keras_gensynth_callback.checkpoint import (
    changed_files,
    fsspec_store,
    read_manifest,
    read_tensors,
    storage,
    write_checkpoint,
)
from keras_gensynth_callback.checkpoint import state as state_file
from keras_gensynth_callback.errors import CheckpointWriteError, InvalidArgumentError, MissingExtraError

pytestmark = needs(tf="newest", reason="stores are tested beside the newest TensorFlow")

X = np.random.RandomState(0).standard_normal((8, 3)).astype("float32")
Y = X[:, :1]

RESTORE = """
import sys
import tensorflow as tf

prefix = tf.train.latest_checkpoint(sys.argv[1])
saver = tf.train.import_meta_graph(prefix + ".meta")
with tf.Session() as session:
    saver.restore(session, prefix)
    print(session.run({v.op.name: v for v in tf.global_variables()}["level/bias"]).tolist())
"""


@pytest.fixture(scope="module")
def s3():
    """A client of a real S3 server on this machine, in which there is a bucket `exports`."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0)
    server.start()
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://%s:%d" % server.get_host_and_port(),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="exports")
        yield client
    server.stop()


@pytest.fixture(params=["ram://", "s3://exports/"])
def folder(request):
    """An empty folder in a store, as a URL."""
    if request.param.startswith("s3"):
        request.getfixturevalue("s3")
    return request.param + request.node.name.replace("[", "-").split("-")[0]


def make_model(keras):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="level")])
    model.compile("adam", "mse")
    return model


def fit(model, callbacks, epochs):
    model.fit(X, Y, verbose=0, epochs=epochs, callbacks=callbacks)


def monitored(keras, values):
    class Monitored(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = values[epoch]

    return Monitored()


def download(s3, folder, to):
    """What a reader does that knows no stores."""
    for item in s3.list_objects_v2(Bucket="exports", Prefix=folder.split("exports/")[1] + "/").get("Contents", []):
        name = item["Key"].split("/", 1)[1]
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file("exports", item["Key"], str(to / name))
    return to


def names_in(folder):
    return sorted(storage.list_folder(folder))


def files_of(base):
    return [base + suffix for suffix in (".data-00000-of-00001", ".index", ".json", ".meta")]


def assert_sound(prefix):
    assert changed_files(prefix, read_manifest(prefix)) == []


def test_a_training_keeps_restarts_and_reads_its_exports_there(keras_name, keras, folder):
    folder = f"{folder}_{keras_name}"
    model = make_model(keras)
    callback = GenSynthExportCallback(f"{folder}/net-{{epoch}}", max_to_keep=1)
    fit(model, [monitored(keras, [0.3, 0.1, 0.2]), callback], epochs=3)
    assert callback.checkpoints == [f"{folder}/net-2", f"{folder}/net-3"]
    assert names_in(folder) == ["checkpoint", *files_of("net-2"), *files_of("net-3")]
    assert state_file.listed(folder) == ["net-2", "net-3"]
    assert_sound(f"{folder}/net-3")

    other = make_model(keras)
    load_checkpoint(other, f"{folder}/net-3")
    assert all(map(np.array_equal, model.get_weights(), other.get_weights()))

    again = GenSynthExportCallback(f"{folder}/net-{{epoch}}", save_best_only=True, max_to_keep=1)
    fit(other, [monitored(keras, [0.15, 0.05]), again], epochs=2)
    assert again.best == 0.05
    assert names_in(folder) == ["checkpoint", *files_of("net-2")]
    assert read_manifest(f"{folder}/net-2")["logs"]["val_loss"] == 0.05


def test_a_clean_process_verifies_what_is_there(folder):
    """It has no part in what this process holds in memory, and knows no S3."""
    record = export_checkpoint(make_model(tf_keras), f"{folder}/net")
    assert verify_checkpoint(record.prefix)["variables"] == len(read_tensors(record.prefix))


def test_an_export_is_inspected_there(folder):
    prefix = export_checkpoint(make_model(tf_keras), folder + "/net").prefix
    found = inspect_checkpoint(prefix)
    assert [layer["name"] for layer in found["layers"]] == ["level"]
    assert not found["warnings"]
    assert found["files"]["net.index"] == storage.size(prefix + ".index")


def test_an_export_is_verified_before_it_is_sent_and_restored_by_tensorflow_1_15(s3, tmp_path, reader):
    model = make_model(tf_keras)
    fit(model, [GenSynthExportCallback("s3://exports/sent/net-{epoch}", verify=True)], epochs=1)
    bias = json.loads(reader.run(RESTORE, download(s3, "s3://exports/sent", tmp_path)))
    assert bias == model.layers[-1].bias.numpy().tolist()


# Half an export


def write(prefix, number):
    tensors = {"a": np.full([50], number, "float32")}
    write_checkpoint(prefix, tensors, b"graph %d" % number, {"number": number})


STEPS = ["write_file", "move", "copy", "remove"]


@pytest.mark.parametrize("stage", ["new", "overwritten"])
def test_a_store_that_fails_at_any_step_never_shows_half_an_export(monkeypatch, stage):
    """Requests fail from the n-th on, as when the program is killed there: nothing can be put right."""
    for step in range(1, 60):
        folder = f"memory://exports/{stage}-{step}"
        write(f"{folder}/older", 1)
        if stage == "overwritten":
            write(f"{folder}/net", 2)
        count = [0]
        with monkeypatch.context() as patch:
            for name in STEPS:
                patch.setattr(fsspec_store, name, failing_from(step, count, getattr(fsspec_store, name)))
            try:
                write(f"{folder}/net", 3)
                break
            except CheckpointWriteError:
                pass
        newest = f"{folder}/{state_file.listed(folder)[-1]}"
        assert_sound(newest)
        manifest = f"{folder}/net.json"
        # Whoever finds a manifest finds the export of which it tells.
        if storage.exists(manifest):
            assert_sound(f"{folder}/net")
        write(f"{folder}/last", 4)
        assert_sound(f"{folder}/older")
        assert not [name for name in names_in(folder) if name.startswith(".")]
        whole = files_of("net") if stage == "overwritten" or storage.exists(manifest) else []
        assert names_in(folder) == sorted(["checkpoint", *files_of("last"), *files_of("older"), *whole])
    assert step > 8


def failing_from(step, count, original):
    def failing(*args):
        count[0] += 1
        if count[0] >= step:
            raise OSError("the network is down")
        return original(*args)

    return failing


KILLED = """
import os, signal, sys
from keras_gensynth_callback.checkpoint import fsspec_store, write_checkpoint
import numpy as np

move, count = fsspec_store.move, []
def dying(source, destination):
    if destination.endswith(".index"):
        os.kill(os.getpid(), signal.SIGKILL)
    return move(source, destination)
fsspec_store.move = dying
write_checkpoint(sys.argv[1], {"a": np.ones(5)}, b"graph", {})
"""


def test_a_program_that_is_killed_while_it_sends_leaves_the_export_before(s3):
    folder = "s3://exports/killed"
    write(f"{folder}/net-1", 1)
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), TF_CPP_MIN_LOG_LEVEL="3")
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, f"{folder}/net-2"], env=environ)
    assert killed.returncode == -9
    assert "net-2.data-00000-of-00001" in names_in(folder)
    assert state_file.listed(folder) == ["net-1"]
    assert_sound(f"{folder}/net-1")
    write(f"{folder}/net-3", 3)
    assert names_in(folder) == ["checkpoint", *files_of("net-1"), *files_of("net-3")]


# What is refused


def test_a_bucket_that_is_missing_is_an_error_before_training(s3, keras):
    model = make_model(keras)
    before = model.get_weights()
    with pytest.raises(CheckpointWriteError, match="bucket does not exist"):
        fit(model, [GenSynthExportCallback("s3://nobody-has-this/net")], epochs=1)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["exports"]


def test_a_server_that_is_not_there_is_an_error_of_writing(s3, monkeypatch):
    def unreachable(*args):
        raise RuntimeError("no such host")

    monkeypatch.setattr(fsspec_store._opened("s3://exports")[0], "pipe_file", unreachable)
    with pytest.raises(CheckpointWriteError, match="RuntimeError: no such host"):
        write("s3://exports/nowhere/net", 1)


def test_without_fsspec_the_extra_is_named(monkeypatch, keras):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"pip install keras-gensynth-callback\[fsspec\]"):
        export_checkpoint(make_model(keras), "s3://exports/net")


def test_without_the_package_for_the_store_it_is_named(monkeypatch):
    def missing(*args, **kwargs):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match="Install s3fs to access S3"):
        write("s3://exports/net", 1)


def test_a_scheme_that_nobody_knows_is_refused():
    with pytest.raises(InvalidArgumentError, match="neither TensorFlow nor fsspec knows"):
        write("nosuch://exports/net", 1)


def test_a_folder_in_memory_is_made(tmp_path):
    write("memory://exports/deep/net", 1)
    assert_sound("memory://exports/deep/net")
    assert names_in("memory://exports/deep") == ["checkpoint", *files_of("net")]
