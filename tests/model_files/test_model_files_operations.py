"""`convert_model_file`: functions of TensorFlow that only compute go through, all others are refused."""

import importlib.util
import pathlib
import warnings

import numpy as np
import pytest
import tensorflow as tf
from hostile_files import change_config
from kerases import KERAS2
from needs import needs

from keras_gensynth_callback.errors import UnsafeModelFileError
from keras_gensynth_callback.model_files.contents import read_model_file
from keras_gensynth_callback.model_files.loading import load_model
from keras_gensynth_callback.model_files.operations import function_only_computes

pytestmark = needs(tf="newest", reason="the list of pure functions is of one TensorFlow")

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "make_pure_operations.py"


def math(x):
    y = tf.math.sin(x) + tf.exp(x) + tf.math.log1p(tf.abs(x)) + tf.sqrt(tf.abs(x)) + tf.math.erf(x) ** 2 / 3
    return tf.minimum(y, 4.0) - tf.maximum(0.0, x) // 2 % 3 + tf.clip_by_value(tf.math.cumsum(x), -1.0, 1.0)


def activations(x):
    y = tf.nn.relu(x) + tf.nn.softmax(x) + tf.nn.gelu(x) + tf.nn.swish(x) + tf.nn.leaky_relu(x) + tf.nn.sigmoid(x)
    return y + tf.nn.local_response_normalization(x) + tf.nn.l2_normalize(x) + tf.raw_ops.Relu(features=x)


def shapes(x):
    y = tf.reshape(x, (tf.shape(x)[0], -1, 3))[:, 1:3]
    return tf.concat([y, tf.transpose(tf.stack([y[:, 0], y[:, 1]], 1), [0, 1, 2])], -1)


def parts(x):
    first, second, _ = tf.split(x, 3, -1)
    y = tf.pad(tf.tile(tf.expand_dims(first + second, 1), [1, 2, 1, 1, 1]), [[0, 0], [0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.reverse(tf.roll(tf.gather(tf.squeeze(y, -1), [0], axis=1), 1, 1), [2])


def reductions(x):
    y = (
        tf.reduce_mean(x, [1, 2])
        + tf.reduce_sum(x, [1, 2])
        + tf.nn.moments(x, [1, 2])[1]
        + tf.linalg.norm(x, axis=[1, 2])
    )
    return tf.cast(tf.argmax(y, -1), tf.float32) + tf.sort(tf.math.top_k(y, 2)[0])[:, 0]


def choices(x):
    positive = tf.logical_and(x > 0, tf.less_equal(x, 1.0))
    return tf.where(positive, x, tf.zeros_like(x)) + tf.one_hot(tf.cast(x[..., 0], tf.int32), 3)


def products(x):
    return tf.tensordot(tf.matmul(x, x, transpose_b=True), tf.ones((6, 2)), 1) @ tf.ones((2, 3))


def images(x):
    y = tf.image.per_image_standardization(tf.image.flip_left_right(tf.image.adjust_brightness(x, 0.1)))
    return tf.compat.v1.image.resize_bilinear(tf.image.resize(y, (8, 8)), (4, 4)) + tf.image.rgb_to_grayscale(
        y[:, :4, :4]
    )


def convolutions(x):
    y = tf.nn.conv2d(x, tf.ones((2, 2, 3, 4)), 1, "SAME")
    return tf.nn.depth_to_space(tf.nn.max_pool2d(y, 2, 2, "SAME"), 2) + tf.nn.avg_pool2d(x, 1, 1, "SAME")


def signals(x):
    return tf.abs(tf.signal.stft(x[:, :, 0, 0], 4, 2)) + tf.stop_gradient(tf.identity(x[:, 0, :3, 1]))[:, tf.newaxis]


def checked_and_random(x):
    return tf.debugging.check_numerics(x, "no number") + tf.random.normal(tf.shape(x))


def texts(x):
    y = tf.strings.regex_replace(tf.strings.lower(x), "a", "b")
    return tf.strings.to_hash_bucket_fast(y, 10) + tf.cast(tf.strings.length(y), tf.int64)


def model_of(keras, compute):
    inputs = keras.Input((1,), dtype="string") if compute is texts else keras.Input((4, 6, 3))
    return keras.Model(inputs, compute(inputs))


def saved(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(str(path))
    return path


ALL = [
    math,
    activations,
    shapes,
    parts,
    reductions,
    choices,
    products,
    images,
    convolutions,
    signals,
    checked_and_random,
    texts,
]


@pytest.mark.parametrize("compute", ALL)
@pytest.mark.parametrize("name", ["net.h5", "net"])
def test_models_that_call_tensorflow_are_read(compute, name, tmp_path, keras2):
    model = model_of(keras2, compute)
    again = load_model(read_model_file(str(saved(model, tmp_path / name))), {}, safe_mode=True, training=True)
    x = (
        np.array([["Anna"], ["Ben"]])
        if compute is texts
        else np.random.RandomState(0).rand(2, 4, 6, 3).astype("float32")
    )
    if compute is not checked_and_random:
        np.testing.assert_array_equal(again(tf.constant(x)), model(tf.constant(x)))


REFUSED = [
    "compat.v1.gfile.DeleteRecursively",
    "compat.v1.load_file_system_library",
    "compat.v1.py_func",
    "compat.v1.reset_default_graph",
    "compat.v1.write_file",
    "config.experimental.set_memory_growth",
    "config.load_pluggable_device_library",
    "data.experimental.load",
    "debugging.experimental.enable_dump_debug_info",
    "function",
    "io.decode_proto",
    "io.gfile.rmtree",
    "io.matching_files",
    "io.read_file",
    "io.write_file",
    "keras.utils.get_file",
    "lite.experimental.load_delegate",
    "load_library",
    "load_op_library",
    "map_fn",
    "numpy_function",
    "print",
    "profiler.experimental.start",
    "py_function",
    "raw_ops.Abort",
    "raw_ops.DebugIdentity",
    "raw_ops.ImmutableConst",
    "raw_ops.PyFunc",
    "raw_ops.ReadFile",
    "raw_ops.RestoreV2",
    "raw_ops.WriteFile",
    "saved_model.load",
    "summary.create_file_writer",
    "train.load_checkpoint",
    "nothing.of.that.name",
]


@pytest.mark.parametrize("symbol", REFUSED)
@pytest.mark.parametrize("layer", ["TFOpLambda", "SlicingOpLambda"])
def test_what_does_more_than_compute_is_refused(symbol, layer, op_file):
    def change(config):
        config["config"]["layers"][1].update(class_name=layer, config={"name": "op", "function": symbol})

    change_config(op_file, change)
    with pytest.raises(UnsafeModelFileError, match=f"would run code that stands in it: tf.{symbol}"):
        load_model(read_model_file(str(op_file)), {}, safe_mode=True, training=True)


@pytest.mark.parametrize(
    "layer, config, said",
    [
        ("ClassMethod", {"cls_symbol": "io.TFRecordWriter", "method_name": "write"}, "tf.io.TFRecordWriter.write"),
        ("ClassMethod", {"cls_symbol": "RaggedTensor", "method_name": "__new__"}, "tf.RaggedTensor.__new__"),
        ("InstanceMethod", {"attr_name": "__reduce__"}, "the attribute '__reduce__' of a tensor"),
        ("TensorFlowOpLayer", {"node_def": {"op": "ReadFile", "name": "op"}, "constants": {}}, "the op ReadFile"),
        ("TensorFlowOpLayer", {"node_def": "\n\x02op\x12\x08ReadFile", "constants": {}}, "the op ReadFile"),
    ],
)
def test_methods_and_ops_that_do_more_than_compute_are_refused(layer, config, said, op_file):
    change_config(op_file, lambda model: model["config"]["layers"][1].update(class_name=layer, config=config))
    with pytest.raises(UnsafeModelFileError, match="would run code that stands in it: " + said):
        load_model(read_model_file(str(op_file)), {}, safe_mode=True, training=True)


@pytest.fixture
def op_file(tmp_path, keras2):
    inputs = keras2.Input((3,))
    return saved(keras2.Model(inputs, tf.math.sin(inputs)), tmp_path / "net.h5")


def test_a_split_into_more_parts_than_models_have_is_refused(op_file):
    def change(config):
        layer = config["config"]["layers"][1]
        layer["config"]["function"] = "split"
        layer["inbound_nodes"][0] = [config["config"]["layers"][0]["name"], 0, 0, {"num_or_size_splits": 10**9}]

    change_config(op_file, change)
    with pytest.raises(ValueError, match="asks for 1000000000 parts"):
        load_model(read_model_file(str(op_file)), {}, safe_mode=True, training=True)


def test_the_list_is_what_the_script_makes_of_tensorflow():
    spec = importlib.util.spec_from_file_location("make_pure_operations", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    judge = script.Judge()
    assert KERAS2 != "tf_keras" or judge.ops
    for name, function in list(script.candidates().items())[::7]:
        assert function_only_computes(name) == judge.only_computes(name, function), name
