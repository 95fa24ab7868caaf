"""`export_checkpoint` and `build_graph`: what they refuse, what they write, and that they write the same again."""

import importlib
import json

import numpy as np
import pytest
import tensorflow as tf
from kerases import KERASES, keras_of, module_of
from needs import needs

from keras_gensynth_callback import GenSynthExportCallback, build_graph, export_checkpoint
from keras_gensynth_callback.errors import (
    InvalidArgumentError,
    NotBuiltError,
    UnsupportedModelError,
    UnsupportedOpError,
)

v1 = tf.compat.v1
KEYS = v1.GraphKeys
X = np.random.RandomState(0).standard_normal((8, 12, 12, 3)).astype("float32")
Y = np.random.RandomState(1).randint(0, 4, 8).astype("int32")

# What TensorFlow 1.15's own tf.keras writes for `convnet` by the documented recipe, initialisers and saver included.
NODES_IN_TENSORFLOW_1 = 491

# Predicts with each export by its signature alone: the arguments are prefixes, beside each of which lies `x.npy`.
PREDICT = """
    import json, sys
    import numpy as np
    import tensorflow as tf
    v1 = tf.compat.v1

    for prefix in sys.argv[1:]:
        v1.reset_default_graph()
        with v1.Session() as session:
            meta = v1.MetaGraphDef()
            with open(prefix + ".meta", "rb") as file:
                meta.ParseFromString(file.read())
            v1.train.import_meta_graph(meta).restore(session, prefix)
            serving = meta.signature_def["serving_default"]
            (source,), (result,) = serving.inputs.values(), serving.outputs.values()
            np.save(prefix + "-predictions.npy", session.run(result.name, {source.name: np.load(prefix + "-x.npy")}))
            facts = {
                "signatures": sorted(meta.signature_def),
                "collections": sorted(meta.collection_def),
                "fed": [node.name for node in meta.graph_def.node if node.op.startswith("Placeholder")],
                "variables": [variable.op.name for variable in v1.global_variables()],
            }
            with open(prefix + "-facts.json", "w") as file:
                json.dump(facts, file)
"""


def convnet(keras, **options):
    """The model that the node counts of the documentation are about."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3), name="image"),
            layers.Conv2D(8, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def small(keras, units=1, optimizer="sgd", name=None):
    """A compiled model that is quick to export and to train."""
    layers = [keras.Input((3,), name="x"), keras.layers.Dense(units, name="level")]
    model = keras.Sequential(layers, name=name)
    model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=True)
    return model


def train(model, units=1):
    model.train_on_batch(np.ones((4, 3), "float32"), np.ones((4, units), "float32"))


def subclassed(keras, name="net"):
    class Net(keras.Model):
        def __init__(self):
            super().__init__(name=name)
            self.hidden, self.head = keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)

        def call(self, inputs):
            return self.head(self.hidden(inputs))

    return Net()


def array(value):
    return np.array(tf.convert_to_tensor(value))


def meta_graph(prefix):
    meta = v1.MetaGraphDef()
    with open(f"{prefix}.meta", "rb") as file:
        meta.ParseFromString(file.read())
    return meta


def names(graph, collection):
    return [item.name for item in graph.get_collection(collection)]


# What is refused


BAD_ARGUMENTS = {
    "graph": ("frozen", "`graph` must be one of 'trainable', 'inference'. Received: graph='frozen' of type str."),
    "target": (
        "2.0",
        "`target` must be one of '1.4', '1.8', '1.10', '1.12', '1.13', '1.14', '1.15', 'current'. "
        "Received: target='2.0'",
    ),
    "include_optimizer": (1, "`include_optimizer` must be True or False. Received: include_optimizer=1 of type int."),
    "input_signature": ([3], "`input_signature` must be None or a tf.TensorSpec, or a list, tuple or dict of them."),
}


@pytest.mark.parametrize("argument", BAD_ARGUMENTS)
def test_a_bad_argument_is_refused_in_words_and_nothing_is_written(argument, tmp_path, keras2):
    value, words = BAD_ARGUMENTS[argument]
    model = small(keras2)
    with pytest.raises(InvalidArgumentError) as refused:
        export_checkpoint(model, tmp_path / "net", **{argument: value})
    assert str(refused.value).startswith(words)
    with pytest.raises(InvalidArgumentError) as refused:
        build_graph(model, **{argument: value})
    assert str(refused.value).startswith(words)
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_unknown_shape_is_refused_with_three_ways_out(keras, tmp_path):
    for model in (keras.Sequential([keras.layers.Dense(1)], name="net"), subclassed(keras)):
        with pytest.raises(NotBuiltError) as refused:
            export_checkpoint(model, tmp_path / "net")
        for words in (
            "The model `net` has never been built or called",
            "Call it once",
            "model.build(",
            "input_signature=",
        ):
            assert words in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_keras_model_is_refused(tmp_path):
    for thing in (3, tf.Module(), "net.keras", subclassed):
        with pytest.raises(InvalidArgumentError, match=r"`model` should be a Keras model on TensorFlow .*Received: "):
            export_checkpoint(thing, tmp_path / "net")


def test_a_class_in_place_of_a_model_is_refused(keras, tmp_path):
    with pytest.raises(InvalidArgumentError, match="`model` should be a Keras model"):
        export_checkpoint(keras.Model, tmp_path / "net")


def test_a_filepath_that_is_no_prefix_is_refused(tmp_path, keras2):
    model = small(keras2)
    with pytest.raises(InvalidArgumentError, match="not a folder.*Add a name to it: '.*net'"):
        export_checkpoint(model, tmp_path)
    with pytest.raises(InvalidArgumentError, match="a checkpoint prefix that is not empty"):
        export_checkpoint(model, "")
    with pytest.raises(InvalidArgumentError, match="as a str or a path object"):
        export_checkpoint(model, 3)


def test_python_inside_the_model_is_refused_by_layer_and_op_and_leaves_no_file(keras, tmp_path):
    class Peek(keras.layers.Layer):
        def call(self, inputs):
            return tf.ensure_shape(tf.py_function(lambda value: value, [inputs], tf.float32), (None, 3))

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((3,)), Peek(name="peek"), keras.layers.Dense(1)])
    with pytest.raises(UnsupportedOpError, match=r"(?s)peek.*EagerPyFunc"):
        export_checkpoint(model, tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_variables_is_refused(keras, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Rescaling(2.0)], name="net")
    with pytest.raises(
        UnsupportedModelError, match="at least one variable. Received: the model `net`, whose inference"
    ):
        export_checkpoint(model, tmp_path / "net", graph="inference")
    assert list(tmp_path.iterdir()) == []


# What is written


def test_an_export_is_these_files_and_its_record_tells_them(keras, tmp_path):
    record = export_checkpoint(small(keras), tmp_path / "net")
    suffixes = {".data-00000-of-00001", ".index", ".json", ".meta"}
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint"} | {"net" + suffix for suffix in suffixes}
    assert record.prefix == str(tmp_path / "net") == tf.train.latest_checkpoint(str(tmp_path))
    assert set(record.files) >= {str(tmp_path / "net") + suffix for suffix in suffixes}
    assert (record.epoch, record.batch, record.logs, record.target) == (None, None, {}, "1.15")
    assert record.size >= sum((tmp_path / f"net{suffix}").stat().st_size for suffix in suffixes)
    assert repr(record).startswith(f"<ExportRecord {record.prefix}: ")


def test_a_path_object_and_folders_that_are_not_there_yet_will_do(tmp_path, keras2):
    assert export_checkpoint(small(keras2), tmp_path / "a" / "b" / "net").prefix.endswith("a/b/net")
    assert (tmp_path / "a" / "b" / "net.meta").exists()


# The graph


@pytest.fixture(scope="module", params=KERASES)
def graph(request):
    """The graph of `convnet`, with collections."""
    keras = module_of(request.param)
    keras.backend.clear_session()
    return build_graph(convnet(keras))


@pytest.fixture
def forward(graph):
    """The ops behind the predictions."""
    found, todo = set(), [graph.get_operation_by_name("dense/Softmax")]
    while todo:
        op = todo.pop()
        if op not in found:
            found.add(op)
            todo.extend(tensor.op for tensor in op.inputs)
    return found


@needs(keras3="3.1", reason="Keras 3.0 adds the bias of a dense layer by `Add`")
def test_names_are_those_that_tensorflow_1_would_give(graph):
    assert [variable.op.name for variable in graph.get_collection(KEYS.MODEL_VARIABLES)] == [
        "conv2d/kernel",
        "batch_normalization/gamma",
        "batch_normalization/beta",
        "dense/kernel",
        "dense/bias",
        "batch_normalization/moving_mean",
        "batch_normalization/moving_variance",
    ]
    types = {
        "image": "Placeholder",
        "dense_target": "Placeholder",
        "dense_sample_weights": "PlaceholderWithDefault",
        "keras_learning_phase": "PlaceholderWithDefault",
        "conv2d/Conv2D": "Conv2D",
        "batch_normalization/FusedBatchNormV3": "FusedBatchNormV3",
        "re_lu/Relu": "Relu",
        "dense/MatMul": "MatMul",
        "dense/BiasAdd": "BiasAdd",
        "dense/Softmax": "Softmax",
    }
    assert {name: graph.get_operation_by_name(name).type for name in types} == types


def test_the_batch_dimension_is_open_and_the_others_are_known(graph):
    shapes = {name: graph.get_tensor_by_name(name + ":0").shape.as_list() for name in ("image", "dense/Softmax")}
    assert shapes == {"image": [None, 12, 12, 3], "dense/Softmax": [None, 4]}
    assert graph.get_tensor_by_name("dense_sample_weights:0").shape.as_list() == [None]


def test_there_are_not_many_more_nodes_than_tensorflow_1_would_write(graph):
    assert len(graph.get_operations()) <= 1.5 * NODES_IN_TENSORFLOW_1


@pytest.mark.parametrize("kernel, kind", [("conv2d/kernel", "Conv2D"), ("dense/kernel", "MatMul")])
def test_each_kernel_is_read_by_one_op_in_the_forward_pass(graph, forward, kernel, kind):
    readers, todo = [], [graph.get_operation_by_name(kernel)]
    while todo:
        for op in {consumer for tensor in todo.pop().outputs for consumer in tensor.consumers()} & forward:
            (todo if op.type in ("ReadVariableOp", "Identity") else readers).append(op)
    assert [op.type for op in readers] == [kind]


def test_batch_normalization_is_the_fused_op_in_both_phases_and_convolution_stands_once(forward):
    types = [op.type for op in forward]
    assert types.count("FusedBatchNormV3") == 2
    assert not {"Rsqrt", "SquaredDifference"} & set(types)
    assert types.count("Conv2D") == types.count("MatMul") == types.count("Softmax") == 1


def test_collections_hold_what_programs_for_tensorflow_1_look_for(graph):
    trainable = ["conv2d/kernel", "batch_normalization/gamma", "batch_normalization/beta", "dense/kernel", "dense/bias"]
    assert names(graph, KEYS.TRAINABLE_VARIABLES) == [f"{name}:0" for name in trainable]
    metrics = [f"metrics/{metric}/{part}:0" for metric in ("loss", "accuracy") for part in ("total", "count")]
    assert names(graph, KEYS.METRIC_VARIABLES) == names(graph, KEYS.LOCAL_VARIABLES) == metrics
    updates = names(graph, KEYS.UPDATE_OPS)
    assert len(updates) == len(set(updates)) == 6
    assert len([name for name in updates if name.startswith("batch_normalization/")]) == 2
    assert len(graph.get_collection(KEYS.LOSSES)) == 1
    assert names(graph, KEYS.TRAIN_OP) == ["train_op"]
    assert names(graph, KEYS.GLOBAL_STEP) == ["training/Adam/iter:0"]
    assert graph.get_collection(KEYS.REGULARIZATION_LOSSES) == []


def test_a_graph_holds_no_device_no_function_and_no_private_attribute(graph):
    graph_def = graph.as_graph_def()
    assert not graph_def.library.function
    assert {node.device for node in graph_def.node} == {""}
    assert not {key for node in graph_def.node for key in node.attr if key.startswith("_") and key != "_class"}


def test_initialisers_and_slots_go_to_parameter_servers_with_their_variables(graph):
    with tf.Graph().as_default() as placed, placed.device(v1.train.replica_device_setter(ps_tasks=2)):
        tf.import_graph_def(graph.as_graph_def(), name="")
    device = {op.name: op.device for op in placed.get_operations()}
    variables = [op.name for op in placed.get_operations() if op.type == "VarHandleOp"]
    assert {device[name] for name in variables} == {"/job:ps/task:0", "/job:ps/task:1"}
    for name in variables:
        initialisers = [other for other in device if other.startswith(f"{name}/Initializer/")]
        assert initialisers
        for other in [*initialisers, f"{name}/Assign", f"{name}/Read/ReadVariableOp"]:
            assert device[other] == device[name]
    steps = [op for op in placed.get_operations() if op.type == "ResourceApplyAdam"]
    assert len(steps) == 5
    for op in steps:
        assert {device[tensor.op.name] for tensor in op.inputs[:3]} == {op.device}
    assert device["dense/MatMul"] == "/job:worker"


def test_a_graph_is_a_new_one_each_time_and_runs(keras):
    model = small(keras)
    first, second = build_graph(model), build_graph(model)
    assert first is not second
    assert first is not v1.get_default_graph()
    with v1.Session(graph=first) as session:
        session.run("level/kernel/Assign")
        assert session.run("level/kernel/Read/ReadVariableOp:0").shape == (3, 1)


def test_a_layer_of_another_model_keeps_its_name(keras3):
    keras3.backend.clear_session()
    first = small(keras3, name="first")
    again = keras3.Sequential([keras3.Input((3,)), *first.layers], name="second")
    assert names(build_graph(again), KEYS.TRAINABLE_VARIABLES) == ["level/kernel:0", "level/bias:0"]


# Less than everything


@pytest.fixture(scope="module")
def predicted(reader, tmp_path_factory):
    """Exports of several kinds and both Kerases, run in one TensorFlow 1.15: dict, (Keras, kind) -> (prefix, Keras's
    predictions).
    """
    root, found = tmp_path_factory.mktemp("kinds"), {}
    for name in KERASES:
        keras = keras_of(name)
        trained = convnet(keras, run_eagerly=True)
        trained.train_on_batch(X, Y)
        bare = subclassed(keras)
        exports = {
            "inference": (trained, X, {"graph": "inference"}),
            "without optimizer": (trained, X, {"include_optimizer": False}),
            "signature": (bare, X[:, 0, :4, 0], {"input_signature": tf.TensorSpec([None, 4], tf.float32)}),
        }
        for kind, (model, x, options) in exports.items():
            prefix = root / f"{name}-{kind.replace(' ', '-')}"
            export_checkpoint(model, prefix, **options)
            np.save(f"{prefix}-x.npy", x)
            found[name, kind] = prefix, array(model(tf.constant(x)))
    reader.run(PREDICT, *[prefix for prefix, _ in found.values()])
    return found


@pytest.fixture
def facts(predicted, keras_name):
    """What TensorFlow 1.15 found in the export of a kind; its predictions are those of Keras."""

    def of(kind):
        prefix, predictions = predicted[keras_name, kind]
        np.testing.assert_allclose(np.load(f"{prefix}-predictions.npy"), predictions, atol=1e-6)
        with open(f"{prefix}-facts.json") as file:
            return json.load(file)

    return of


def test_an_inference_graph_serves_and_does_nothing_else(facts, predicted, keras_name):
    found = facts("inference")
    assert found["signatures"] == ["serving_default"]
    assert [name for name in found["fed"] if not name.startswith("save/")] == ["image"]
    assert not [name for name in found["variables"] if name.startswith(("metrics/", "training/"))]
    assert len(found["variables"]) == 7
    training = {
        "update_ops",
        "losses",
        "train_op",
        "global_step",
        "metric_variables",
        "local_variables",
        "cond_context",
    }
    assert not training & set(found["collections"])
    ops = {node.op for node in meta_graph(predicted[keras_name, "inference"][0]).graph_def.node}
    assert not ops & {"Switch", "Merge", "AssignAddVariableOp"}


def test_without_the_optimizer_there_is_no_train_op_but_all_else(facts):
    found = facts("without optimizer")
    assert found["signatures"] == ["eval", "serving_default", "train"]
    assert not [name for name in found["variables"] if name.startswith("training/")]
    assert not {"train_op", "global_step"} & set(found["collections"])
    assert {"update_ops", "losses", "metric_variables", "trainable_variables"} <= set(found["collections"])


def test_a_signature_is_enough_for_a_model_that_was_never_called(facts):
    found = facts("signature")
    assert found["signatures"] == ["serving_default"]
    assert [name for name in found["fed"] if name.startswith("input")] == ["input_1"]
    assert len(found["variables"]) == 4


@needs(tf="2.11", reason="graphs of earlier optimizers name devices")
def test_the_current_tensorflow_can_be_the_target(keras, tmp_path):
    model = small(keras)
    assert export_checkpoint(model, tmp_path / "net", target="current").target == "current"
    assert meta_graph(tmp_path / "net").meta_info_def.tensorflow_version == tf.__version__
    assert json.loads((tmp_path / "net.json").read_text())["rewritten"] == []
    x = np.ones((2, 3), "float32")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(tmp_path / "net.meta")).restore(session, str(tmp_path / "net"))
        result = meta_graph(tmp_path / "net").signature_def["serving_default"].outputs["level"].name
        predictions = session.run(result, {"x:0": x})
    np.testing.assert_allclose(predictions, array(model(tf.constant(x))), atol=1e-6)


# Again


@needs(tf="2.5", keras2=True, reason="imports a second Keras; TensorFlow 2.4 comes without the package `keras`")
def test_the_graph_is_the_same_bytes_when_exported_again(keras, tmp_path):
    other_keras = importlib.import_module("tf_keras" if keras.__name__ == "keras" else "keras")
    model = small(keras, optimizer="adam")
    export_checkpoint(model, tmp_path / "once")
    export_checkpoint(model, tmp_path / "twice")
    train(model)
    export_checkpoint(small(keras, units=2), tmp_path / "another")
    export_checkpoint(small(other_keras), tmp_path / "other-keras")
    export_checkpoint(model, tmp_path / "later")
    graphs = {name: (tmp_path / f"{name}.meta").read_bytes() for name in ("once", "twice", "later", "another")}
    assert graphs["once"] == graphs["twice"] == graphs["later"] != graphs["another"]
    values = [tf.train.load_variable(str(tmp_path / name), "level/kernel") for name in ("once", "twice", "later")]
    np.testing.assert_array_equal(values[0], values[1])
    assert np.abs(values[0] - values[2]).max() > 0


def test_several_models_of_two_kerases_do_not_get_into_each_others_way(tmp_path):
    models = {}
    for name in KERASES:
        for units in (1, 2):
            models[f"{name}-{units}"] = small(module_of(name), units, name="same")
    for name, model in models.items():
        export_checkpoint(model, tmp_path / name)
    for name, model in models.items():
        values = [tf.train.load_variable(str(tmp_path / name), f"level/{weight}") for weight in ("kernel", "bias")]
        np.testing.assert_equal(values, model.get_weights())
        writer = json.loads((tmp_path / f"{name}.json").read_text())["writer"]
        assert writer["keras"].split()[0] == name.split("-")[0]


def test_thirty_exports_of_a_training_hold_one_graph_that_does_not_grow(keras, tmp_path):
    graphs = []
    callback = GenSynthExportCallback(
        tmp_path / "net-{epoch}-{batch}",
        save_freq=1,
        max_to_keep=2,
        on_export=lambda record: graphs.append((tmp_path / f"{record.prefix}.meta").read_bytes()),
    )
    x, y = np.ones((60, 3), "float32"), np.ones((60, 1), "float32")
    model = small(keras)
    model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[callback])
    export_checkpoint(model, tmp_path / "last")
    assert len(graphs) == 30
    assert len(set(graphs)) == 1
    assert len((tmp_path / "last.meta").read_bytes()) == len(graphs[0])
