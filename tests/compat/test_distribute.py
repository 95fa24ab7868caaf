"""Training under `tf.distribute`: exports hold the values of all devices and workers, and the graph of one."""

import collections
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import distributed_program
import numpy as np
import pytest
import tensorflow as tf
from kerases import KERAS2, importable
from needs import needs

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint
from keras_gensynth_callback.checkpoint import changed_files, read_manifest
from keras_gensynth_callback.errors import UnsupportedStrategyError

PROGRAM = pathlib.Path(distributed_program.__file__)

EVALUATE = """
import json, sys
import numpy as np
import tensorflow as tf

prefix, data = sys.argv[1:]
data = np.load(data)
saver = tf.train.import_meta_graph(prefix + ".meta")
meta_graph = tf.MetaGraphDef()
meta_graph.ParseFromString(open(prefix + ".meta", "rb").read())
signature = meta_graph.signature_def["eval"]
names = {name: tensor.name for name, tensor in signature.outputs.items()}
with tf.Session() as session:
    saver.restore(session, prefix)
    counted = {v.op.name: float(session.run(v)) for v in tf.get_collection(tf.GraphKeys.METRIC_VARIABLES)}
    session.run(tf.local_variables_initializer())
    predictions = []
    for at in range(0, len(data["x"]), 8):
        feeds = {"features:0": data["x"][at : at + 8], "kind_target:0": data["y"][at : at + 8]}
        updates = [name for key, name in names.items() if key.endswith("update_op")]
        predictions += session.run([names["predictions/kind"], updates], feeds)[0].tolist()
    found = session.run({key.split("/")[1]: name for key, name in names.items() if key.endswith("/value")})
print(json.dumps(dict({key: float(value) for key, value in found.items()}, predictions=predictions, counted=counted)))
"""


def started(command, keras_name, folder, tf_config=None):
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    if tf_config is not None:
        environ["TF_CONFIG"] = json.dumps(tf_config)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(PROGRAM), command, keras_name, str(folder)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process, timeout=300):
    said, errors = process.communicate(timeout=timeout)
    assert process.returncode == 0, errors
    return json.loads(said.splitlines()[-1])


def evaluated(reader, prefix, folder):
    np.savez(folder / "data.npz", x=distributed_program.X, y=distributed_program.Y)
    return json.loads(reader.run(EVALUATE, prefix, folder / "data.npz"))


def assert_as_on_one_device(found, alone):
    np.testing.assert_allclose(found["predictions"], alone["predictions"], atol=1e-5)
    np.testing.assert_allclose([found["loss"], found["accuracy"]], [alone["loss"], alone["accuracy"]], rtol=1e-5)


def nodes_of(prefix):
    graph_def = tf.compat.v1.MetaGraphDef.FromString(pathlib.Path(f"{prefix}.meta").read_bytes()).graph_def
    assert not [node.name for node in graph_def.node if node.device]
    return collections.Counter(node.op for node in graph_def.node)


@needs(keras3="3.1", reason="metrics fail in Keras 3.0 under a strategy")
def test_two_devices_are_exported_as_one(keras_name, tmp_path, reader):
    found = finished(started("mirrored", importable(keras_name), tmp_path))
    assert found["replicas"] == 2
    assert found["samples counted"] == len(distributed_program.X)
    assert found["as at its moment"] == [True, True]
    assert found["trained as without"] and found["trained as without, after an export"] and found["loaded"]
    assert nodes_of(tmp_path / "net-2") == nodes_of(tmp_path / "plain")
    assert_as_on_one_device(evaluated(reader, tmp_path / "net-2", tmp_path), found["alone"])


def cluster():
    """The TF_CONFIG of each of two workers over loopback."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    addresses = [f"localhost:{server.getsockname()[1]}" for server in sockets]
    for server in sockets:
        server.close()
    return [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in range(2)]


# Keras 3 does not train under MultiWorkerMirroredStrategy: https://github.com/keras-team/keras/issues/20585
@pytest.mark.slow
def test_of_two_workers_the_chief_decides_and_writes(tmp_path, reader):
    chief, other = map(finished, [started("worker", importable(KERAS2), tmp_path, config) for config in cluster()])
    assert chief["replicas"] == other["replicas"] == 2
    # The chief's clock asked for an export at each of 8 steps and at two epochs' ends, the other's at none.
    assert (chief["written"], other["written"]) == (10, 0)
    assert chief["checkpoints"] == [str(tmp_path / "net-1"), str(tmp_path / "net-2")]
    assert other["checkpoints"] == []
    assert chief["as at its moment"] == [True, True]
    assert chief["trained as without"] and other["trained as without"]
    found = evaluated(reader, tmp_path / "net-2", tmp_path)
    assert found["counted"]["metrics/accuracy/count"] == len(distributed_program.X)
    assert_as_on_one_device(found, chief["alone"])


@pytest.mark.slow
@pytest.mark.parametrize("dies", [0, 1], ids=["the chief dies", "the other dies"])
def test_a_worker_that_dies_leaves_the_last_export_intact(tmp_path, reader, dies):
    workers = [started("victim", importable(KERAS2), tmp_path, config) for config in cluster()]
    try:
        for _ in range(3):
            assert workers[dies].stdout.readline(), workers[dies].communicate()[1]
        workers[dies].send_signal(signal.SIGKILL)
    finally:
        for worker in workers:
            worker.kill() if worker is not workers[dies] and worker.poll() is None else None
            worker.communicate(timeout=60)
    latest = tf.train.latest_checkpoint(str(tmp_path))
    assert changed_files(latest, read_manifest(latest)) == []
    assert evaluated(reader, latest, tmp_path)["predictions"]


def test_one_device_by_name_is_exported(keras, tmp_path):
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        model = distributed_program.make_model(keras)
    callback = GenSynthExportCallback(tmp_path / "net")
    distributed_program.fitted(model, [callback], epochs=1)
    assert nodes_of(callback.latest_checkpoint)["ResourceApplyAdam"] == 6


def test_another_strategy_is_refused_by_name_before_training(keras, tmp_path):
    with tf.distribute.experimental.CentralStorageStrategy(["CPU:0"]).scope():
        model = distributed_program.make_model(keras)
    before = model.get_weights()
    said = "trains under CentralStorageStrategy, of which no exports can be made. Expected as the strategy: Mirrored"
    with pytest.raises(UnsupportedStrategyError, match=said):
        distributed_program.fitted(model, [GenSynthExportCallback(tmp_path / "net")])
    with pytest.raises(UnsupportedStrategyError, match=said):
        export_checkpoint(model, tmp_path / "net")
    assert all(map(np.array_equal, before, model.get_weights()))
    assert not list(tmp_path.iterdir())
