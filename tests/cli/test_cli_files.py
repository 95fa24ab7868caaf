"""`convert`, `freeze` and `diff`: model file to checkpoint, checkpoint to graph, checkpoint beside checkpoint."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback import export_checkpoint
from keras_gensynth_callback.checkpoint import read_tensors, write_checkpoint
from keras_gensynth_callback.errors import CheckpointFormatError, InvalidArgumentError, UnsupportedModelError
from keras_gensynth_callback.tools.compare import compare_checkpoints
from keras_gensynth_callback.tools.freeze import freeze_checkpoint

pytestmark = needs(tf="newest", reason="the command line is tested beside the newest TensorFlow")

v1 = tf.compat.v1

# Feeds a frozen graph, as programs of TensorFlow 1.x do: GRAPH.pb, what freeze_checkpoint returned, X.npy -> Y.npy.
PREDICT = """
    import json, sys
    import numpy as np
    import tensorflow as tf

    path, found, x, y = sys.argv[1:]
    with open(found) as file:
        found = json.load(file)
    graph_def = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        graph_def.ParseFromString(file.read())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        assert not tf.compat.v1.global_variables()
        session.run(found["run_first"])
        (source,), (result,) = found["inputs"].values(), found["outputs"].values()
        np.save(y, session.run(result, {source: np.load(x)}))
"""


def predicted_by(reader, found, x, folder):
    np.save(folder / "x.npy", x)
    (folder / "found.json").write_text(json.dumps(found))
    reader.run(PREDICT, found["path"], folder / "found.json", folder / "x.npy", folder / "y.npy")
    return np.load(folder / "y.npy")


def graph_of(path):
    return v1.GraphDef.FromString(pathlib.Path(path).read_bytes())


def test_a_frozen_graph_of_a_trainable_export_predicts_in_tensorflow_1(small_export, tmp_path, reader, run_command):
    done = run_command("freeze", small_export.prefix, tmp_path / "net.pb", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["inputs"] == {"image": "image:0"}
    assert found["outputs"] == {"digit": "digit/Softmax:0"}
    np.testing.assert_allclose(predicted_by(reader, found, small_export.x, tmp_path), small_export.predicted, atol=1e-6)
    ops = {node.op for node in graph_of(tmp_path / "net.pb").node}
    assert not ops & {"VarHandleOp", "ReadVariableOp", "Switch", "Merge", "StatelessRandomUniform"}
    assert "FusedBatchNormV3" in ops


def test_recurrent_layers_embeddings_and_lookup_tables_are_frozen(keras3, tmp_path, reader):
    keras3.utils.set_random_seed(0)
    layers = keras3.layers
    model = keras3.Sequential(
        [
            keras3.Input((5,), name="words", dtype="string"),
            layers.StringLookup(vocabulary=["a", "b", "c"], mask_token=""),
            layers.Embedding(5, 3, mask_zero=True),
            layers.LSTM(4, dropout=0.2),
            layers.Dense(2, name="score"),
        ]
    )
    model.compile("sgd", "mse")
    words = np.array([["a", "b", "c", "", ""], ["c", "x", "", "", ""]])
    record = export_checkpoint(model, tmp_path / "words")
    found = freeze_checkpoint(record.prefix, tmp_path / "words.pb")
    assert len(found["run_first"]) == 1
    expected = model.predict(tf.constant(words.tolist()), verbose=0)
    np.testing.assert_allclose(predicted_by(reader, found, words, tmp_path), expected, atol=1e-6)


def test_what_cannot_be_frozen_is_told(small_export, tmp_path, run_command):
    with pytest.raises(InvalidArgumentError, match="names 'digit/Sotfmax', which the graph of"):
        freeze_checkpoint(small_export.prefix, tmp_path / "net.pb", outputs=["digit/Sotfmax"])
    with tf.Graph().as_default(), v1.Session() as session:
        count = v1.get_variable("count", [], use_resource=True)
        with tf.control_dependencies([count.assign_add(1.0).op]):
            tf.identity(count.read_value(), name="out")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "count"))
    with pytest.raises(InvalidArgumentError, match="has no signature that says what its outputs are"):
        freeze_checkpoint(tmp_path / "count", tmp_path / "count.pb")
    done = run_command("freeze", tmp_path / "count", tmp_path / "count.pb", "--output", "out")
    assert done.exit_code == 2
    assert "The variable 'count' is used by the op AssignAddVariableOp" in done.stderr
    values = dict(read_tensors(small_export.prefix))
    del values["digit/bias"]
    meta_graph = pathlib.Path(small_export.prefix + ".meta").read_bytes()
    write_checkpoint(tmp_path / "less", values, meta_graph, {})
    with pytest.raises(CheckpointFormatError, match="has no values for digit/bias"):
        freeze_checkpoint(tmp_path / "less", tmp_path / "less.pb")
    with tf.Graph().as_default(), v1.Session() as session:
        b = v1.get_variable("b", [], use_resource=True)
        tf.function(lambda x: x + b)(tf.constant(1.0))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "functions"))
    with pytest.raises(UnsupportedModelError, match="has functions, as TensorFlow 2 writes them"):
        freeze_checkpoint(tmp_path / "functions", tmp_path / "functions.pb", outputs=["b"])
    assert not list(tmp_path.glob("*.pb"))


def test_a_conditional_on_data_stays_and_the_learning_phase_goes(tmp_path):
    with tf.Graph().as_default() as graph, v1.Session() as session:
        v1.disable_control_flow_v2()
        try:
            x = v1.placeholder(tf.float32, [], name="x")
            phase = v1.placeholder_with_default(False, [], name="keras_learning_phase")
            w = v1.get_variable("w", initializer=3.0, use_resource=True)
            by_data = v1.cond(x > 0, lambda: x * w, lambda: -x)
            v1.cond(tf.logical_not(phase), lambda: by_data + 1, lambda: by_data * 1000, name="out")
        finally:
            v1.enable_control_flow_v2()
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "net"))
        assert "out/Merge" in [op.name for op in graph.get_operations()]
    freeze_checkpoint(tmp_path / "net", tmp_path / "net.pb", outputs=["out/Merge"])
    frozen = graph_of(tmp_path / "net.pb")
    assert [node.name for node in frozen.node if node.op == "Merge"] == ["cond/Merge"]
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(frozen, name="")
        assert [session.run("out/Merge:0", {"x:0": value}) for value in (2.0, -2.0)] == [7.0, 3.0]


def test_a_checkpoint_equals_itself(small_export, run_command):
    done = run_command("diff", small_export.prefix, small_export.prefix)
    assert done.exit_code == 0
    assert done.stdout == "Equal: 27 values, graph, collections and signatures.\n"


def test_differences_are_told_by_kind(small_export, tmp_path, run_command):
    values = dict(read_tensors(small_export.prefix))
    values["digit/bias"] = values["digit/bias"] + np.float32(0.5)
    values["digit/kernel"] = values["digit/kernel"][:2]
    values["more"] = values.pop("edges/bias")
    meta_graph = v1.MetaGraphDef.FromString(pathlib.Path(small_export.prefix + ".meta").read_bytes())
    del meta_graph.collection_def["update_ops"].node_list.value[0]
    del meta_graph.signature_def["eval"]
    meta_graph.graph_def.node[0].name = "renamed"
    write_checkpoint(tmp_path / "other", values, meta_graph.SerializeToString(), {})
    found = compare_checkpoints(small_export.prefix, tmp_path / "other")
    assert found["values"]["only_in_first"] == ["edges/bias"]
    assert found["values"]["only_in_second"] == ["more"]
    assert found["values"]["other_shape"] == {"digit/kernel": [[4, 4], [2, 4]]}
    assert found["values"]["changed"] == {"digit/bias": pytest.approx(0.5)}
    assert found["nodes"]["only_in_second"] == ["renamed"]
    assert list(found["collections"]) == ["update_ops"]
    assert found["signatures"] == ["eval"]
    done = run_command("diff", small_export.prefix, tmp_path / "other")
    assert done.exit_code == 1
    assert ["value", "digit/bias", "by", "at", "most", "0.5"] in [line.split() for line in done.stdout.splitlines()]
    assert "4 of 28 values differ, 2 nodes, 1 collections, 1 signatures." in done.stdout
    assert json.loads(run_command("diff", small_export.prefix, tmp_path / "other", "--json").stdout) == found
    assert run_command("diff", small_export.prefix, tmp_path / "nte").exit_code == 2


def test_a_model_file_is_converted(small_export, tmp_path, run_command):
    done = run_command("convert", small_export.file, tmp_path / "again")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{tmp_path / 'again'}: ")
    values = compare_checkpoints(small_export.prefix, tmp_path / "again")["values"]
    # Keras does not save what its metrics have accumulated.
    assert all(name.startswith("metrics/") for name in values["changed"])
    assert values["equal"] >= 22  # all but these and the state of dropout, whose name counts
    done = run_command("convert", tmp_path / "no.keras", tmp_path / "again")
    assert done.exit_code == 2
    assert "no.keras" in done.stderr


def test_custom_objects_come_from_a_python_file(keras3, tmp_path, run_command):
    (tmp_path / "scale.py").write_text(
        "import keras\n\nclass Scale(keras.layers.Layer):\n    def call(self, inputs):\n        return inputs * 3\n"
    )
    names = {}
    exec((tmp_path / "scale.py").read_text(), dict(names, __name__="elsewhere"), names)
    keras3.Sequential([keras3.Input((2,)), names["Scale"](), keras3.layers.Dense(1)]).save(tmp_path / "net.keras")
    refused = run_command("convert", tmp_path / "net.keras", tmp_path / "net")
    assert refused.exit_code == 2
    assert "Scale" in refused.stderr
    options = ["--custom-objects", tmp_path / "scale.py", "--inference"]
    assert run_command("convert", tmp_path / "net.keras", tmp_path / "net", *options).exit_code == 0
