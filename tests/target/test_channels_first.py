"""Models with channels in front run on CPUs in TensorFlow 1.15, with the numbers of their twins with channels last."""

import json

import keras_facts
import numpy as np
import pytest
import tensorflow as tf
from kerases import keras_of
from needs import needs
from replayed import REPLAY, Replayed
from target_harness import Traced, assert_same_numbers

from keras_gensynth_callback import build_graph, export_checkpoint, inspect_checkpoint
from keras_gensynth_callback.errors import InvalidArgumentError

pytestmark = needs(tf="newest", reason="earlier versions fail on models with channels in front on a CPU")

# Ops: each as it stands in a graph with channels in front, and with channels last as the reference.


def image(*shape):
    return np.random.RandomState(sum(shape)).normal(size=shape).astype("float32")


class Format:
    """Writes one graph in one of the two formats; images come and go with their channels in front."""

    def __init__(self, first, rank=4):
        self.first, self.rank = first, rank
        self.name = {4: ("NHWC", "NCHW"), 5: ("NDHWC", "NCDHW")}[rank][first]

    def images(self, x):
        return x if self.first else tf.transpose(x, [0, *range(2, self.rank), 1])

    def back(self, y):
        return y if self.first else tf.transpose(y, [0, self.rank - 1, *range(1, self.rank - 1)])

    def axes(self, *spatial):
        return [1, 1, *spatial] if self.first else [1, *spatial, 1]

    def rows(self, *spatial):
        return [[0, 0], [0, 0], *spatial] if self.first else [[0, 0], *spatial, [0, 0]]


def padded(to, x, kernel, dilations=(1, 1)):
    rows, dilations = to.rows([1, 2], [0, 1]), to.axes(*dilations)
    y = tf.nn.conv2d(to.images(x), kernel, to.axes(1, 1), rows, data_format=to.name, dilations=dilations)
    return to.back(tf.nn.relu(y))


def dilated(to, x, kernel):
    return padded(to, x, kernel, dilations=(2, 1))


def strided(to, x, kernel, bias):
    y = tf.nn.conv2d(to.images(x), kernel, to.axes(1, 2), "SAME", data_format=to.name)
    return to.back(tf.nn.bias_add(y, bias, data_format=to.name))


def transposed(to, x, kernel):
    shape = tf.stack([tf.shape(x)[0], 4, 9, 7] if to.first else [tf.shape(x)[0], 9, 7, 4])
    return to.back(tf.nn.conv2d_transpose(to.images(x), kernel, shape, to.axes(2, 1), "SAME", data_format=to.name))


def depthwise(to, x, kernel):
    strides, padding = to.axes(1, 1), "SAME"
    return to.back(
        tf.raw_ops.DepthwiseConv2dNative(
            input=to.images(x), filter=kernel, strides=strides, padding=padding, data_format=to.name
        )
    )


def pooling(to, x):
    y = tf.nn.max_pool2d(to.images(x), to.axes(3, 2), to.axes(1, 2), "SAME", data_format=to.name)
    return to.back(tf.nn.avg_pool2d(y, to.axes(2, 2), to.axes(2, 1), "VALID", data_format=to.name))


def volumes(to, x, kernel):
    y = tf.nn.conv3d(to.images(x), kernel, to.axes(1, 2, 1), "SAME", data_format=to.name)
    y = tf.nn.max_pool3d(y, to.axes(2, 2, 1), to.axes(1, 1, 1), "SAME", data_format=to.name)
    return to.back(tf.nn.avg_pool3d(y, to.axes(1, 2, 2), to.axes(1, 2, 1), "VALID", data_format=to.name))


def blocks(to, x):
    y = tf.nn.space_to_depth(to.images(x), 2, data_format=to.name)
    return to.back(tf.nn.depth_to_space(tf.nn.elu(y), 2, data_format=to.name))


def between(to, x, kernel):
    """What stands between images: padding, concatenation, sums, means, constants, shapes."""
    channel = 1 if to.first else 3
    y = tf.nn.conv2d(to.images(x), kernel, to.axes(1, 1), "SAME", data_format=to.name)
    y = tf.concat([y, tf.tanh(y)], channel)
    y = tf.pad(y, to.rows([1, 0], [2, 1]), constant_values=0.5)
    scale = np.arange(10, dtype="float32").reshape([1, 10, 1, 1] if to.first else [1, 1, 1, 10])
    y = y * scale + tf.reduce_mean(y, [2, 3] if to.first else [1, 2], keepdims=True)
    sizes = tf.cast(tf.shape(to.back(y)), tf.float32)
    return [to.back(y), tf.reduce_sum(y, [2, 3] if to.first else [1, 2]) * sizes[1], tf.reduce_max(y) + sizes[2]]


def conditional(to, x, kernel):
    """Images that come into a branch, and out of it."""
    y = tf.nn.conv2d(to.images(x), kernel, to.axes(1, 1), "SAME", data_format=to.name)

    def pooled():
        return tf.nn.max_pool2d(y, to.axes(3, 3), to.axes(1, 1), "SAME", data_format=to.name)

    y = tf.cond(tf.reduce_sum(x) > 0.0, pooled, lambda: tf.exp(-y))
    z = tf.cond(tf.reduce_sum(x) > -1e9, lambda: tf.reduce_sum(to.back(y), 3), lambda: tf.reduce_sum(x, 3)[:, :, :1])
    return [to.back(y), z]


def loop(to, x, kernel):
    """A convolution in a loop."""

    def body(i, y):
        return i + 1, to.back(tf.nn.conv2d(to.images(y), kernel, to.axes(1, 1), "SAME", data_format=to.name))

    return tf.while_loop(lambda i, y: i < 3, body, [0, x])[1]


OPS = {
    "padded": (padded, 4, image(2, 3, 8, 9), image(3, 2, 3, 4)),
    "dilated": (dilated, 4, image(2, 3, 8, 9), image(3, 2, 3, 4)),
    "strided": (strided, 4, image(2, 3, 8, 9), image(3, 3, 3, 4), image(4)),
    "transposed": (transposed, 4, image(2, 3, 5, 7), image(3, 3, 4, 3)),
    "depthwise": (depthwise, 4, image(2, 3, 6, 5), image(3, 3, 3, 2)),
    "pooling": (pooling, 4, image(2, 3, 8, 9)),
    "volumes": (volumes, 5, image(2, 3, 4, 6, 5), image(2, 2, 2, 3, 4)),
    "blocks": (blocks, 4, image(2, 4, 6, 8)),
    "between": (between, 4, image(2, 3, 6, 4), image(3, 3, 3, 5)),
    "conditional": (conditional, 4, image(2, 3, 6, 6), image(3, 3, 3, 6)),
    "loop": (loop, 4, image(2, 3, 6, 5), image(3, 3, 3, 3) * 0.2),
}


def in_both_formats(name):
    function, rank, *arrays = OPS[name]
    reference = lambda *tensors: function(Format(False, rank), *tensors)  # noqa: E731
    # No TensorFlow 1.x has a CPU kernel for the gradient of a dilated convolution.
    options = {"reference": reference, "differentiate": name != "dilated"}
    case = Traced(lambda *tensors: function(Format(True, rank), *tensors), *arrays, **options)
    case.fit()
    return case


def channels_first(graph):
    """The ops of a graph that have their channels in front."""
    found = []
    for node in graph.nodes.values() if hasattr(graph, "nodes") else graph.as_graph_def().node:
        if "data_format" in node.attr and node.attr["data_format"].s.startswith(b"NC"):
            found.append(node.op)
    return found


def test_ops_with_channels_in_front_give_their_numbers_and_gradients_with_channels_last(reader, tmp_path):
    cases = [in_both_formats(name) for name in OPS]
    assert [channels_first(case.graph) for case in cases] == [[]] * len(cases)
    assert_same_numbers(reader, tmp_path, *cases)


def test_gradients_that_are_in_the_graph_are_turned_as_well(reader, tmp_path):
    def gradients(name):
        function, rank, *arrays = OPS[name]

        def both(first):
            def run(*tensors):
                y = tf.nest.flatten(function(Format(first, rank), *tensors))[0]
                return [tf.identity(gradient) for gradient in tf.gradients(y * y, tensors)]

            return run

        case = Traced(both(True), *arrays, reference=both(False), differentiate=False)
        case.fit()
        return case

    cases = [gradients(name) for name in OPS if name not in ("loop", "dilated")]
    assert [channels_first(case.graph) for case in cases] == [[]] * len(cases)
    assert_same_numbers(reader, tmp_path, *cases, tolerance=1e-4)


def test_a_graph_without_channels_in_front_is_left_alone():
    for name in ("padded", "pooling"):
        function, rank, *arrays = OPS[name]
        case = Traced(lambda *tensors: function(Format(False, rank), *tensors), *arrays)  # noqa: B023
        before = case.graph.graph_def()
        assert "put_channels_last" not in case.fit()
        assert [node.name for node in before.node] == list(case.graph.nodes)


# Models


def network(keras, first):
    """Layers of every kind, in one of the two formats. No image is as wide as it has channels: there Keras 3 takes the
    bias of a layer with channels in front for one of the columns (`ops.add`)."""
    layers, form, axis = (
        keras.layers,
        {"data_format": "channels_first" if first else "channels_last"},
        1 if first else 3,
    )
    i = keras.Input((3, 9, 10) if first else (9, 10, 3), name="x")
    y = layers.Conv2D(6, 3, padding="same", use_bias=False, **form)(i)
    y = layers.BatchNormalization(axis=axis)(y)
    y = layers.Activation("relu")(y)
    y = one = layers.MaxPooling2D(2, padding="same", **form)(y)
    y = layers.ZeroPadding2D(1, **form)(y)
    y = layers.Conv2D(6, 3, **form)(y)
    y = layers.Concatenate(axis=axis)([layers.Add()([y, one]), one])
    y = layers.DepthwiseConv2D(2, padding="same", **form)(y)
    y = layers.SeparableConv2D(7, 2, activation="tanh", **form)(y)
    y = layers.Conv2DTranspose(11, 2, strides=2, **form)(y)
    y = layers.AveragePooling2D(2, **form)(layers.UpSampling2D(2, **form)(y))
    flat = layers.Dense(4)(layers.Flatten(**form)(y))
    return keras.Model(i, layers.Dense(2)(layers.Add()([flat, layers.Dense(4)(layers.GlobalMaxPooling2D(**form)(y))])))


class Twins(Replayed):
    """A model with channels in front, exported; the numbers are those of Keras with the same weights, channels last."""

    def __init__(self, name, folder, **export):
        self.folders, self.error, self._export_options = {"1.15": folder}, None, export
        folder.mkdir()
        self._export(network, name)

    def _export(self, make, keras_name):
        keras = keras_of(keras_name, seed=1)
        model, twin = make(keras, True), make(keras, False)
        twin.set_weights(model.get_weights())
        for one in (model, twin):
            one.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
        folder, x = self.folders["1.15"], image(32, 3, 9, 10)
        y = np.random.RandomState(5).normal(size=(32, 2)).astype("float32")
        export_checkpoint(model, folder / "net", **self._export_options)
        self.case = {"model": twin, "x": x.transpose(0, 2, 3, 1), "y": y}
        self.trainable = [tuple(v.shape) for v in twin.trainable_variables]
        self.keras = keras_facts.recorded(self.case)
        self._write_feeds(folder, x, y, {})


@pytest.fixture(scope="module")
def twins(reader, tmp_path_factory):
    """The same with each Keras, replayed in one process: dict, name -> Twins."""
    from kerases import KERASES

    root = tmp_path_factory.mktemp("twins")
    found = {name: Twins(name, root / name) for name in KERASES}
    reader.run(REPLAY, root)
    return {name: twin.checked("1.15") for name, twin in found.items()}


def test_a_model_with_channels_in_front_gives_the_numbers_of_its_twin(twins, keras_name):
    case = twins[keras_name]
    for kind, bound in (("predict", 1e-5), ("evaluate", 1e-5), ("after", 1e-5), ("trained", 1e-4)):
        assert case.names(kind)
        assert case.worst(kind)[0] <= bound, (kind, case.worst(kind)[1])
    assert case.facts["without gradient"] == []


def test_its_export_has_few_transpositions_and_the_names_of_keras(twins, keras_name):
    ops = twins[keras_name].facts["ops"]
    layers = {name: op for name, op in ops.items() if not name.startswith("training/")}
    # One at the input, and one for each way out: the Flatten (which Keras 2 transposes itself) and the pooling.
    assert sum(op == "Transpose" for op in layers.values()) <= 4
    assert sum(op == "Transpose" for op in ops.values()) <= 8
    assert layers["conv2d/Conv2D"] == "Conv2D"
    assert "FusedBatchNormV3" in layers.values()
    rules = {change["rule"] for change in twins[keras_name].manifest["rewritten"]}
    assert "put_channels_last" in rules


def test_channels_may_stay_in_front_for_readers_that_have_a_gpu(keras):
    graph = build_graph(network(keras, True), data_format="keep")
    assert {"Conv2D"} <= set(channels_first(graph))
    assert channels_first(build_graph(network(keras, True), target="current")) == []


def test_inspect_warns_of_images_for_gpus_only(keras, tmp_path):
    model = network(keras, True)
    for data_format, warned in (("keep", True), ("channels_last", False)):
        prefix = export_checkpoint(model, tmp_path / data_format, graph="inference", data_format=data_format).prefix
        words = [
            text
            for text in inspect_checkpoint(prefix)["warnings"]
            if "for which TensorFlow 1.x has kernels on GPUs only" in text
        ]
        assert bool(words) is warned
        assert all("Conv2D" in text.split(" (")[0].split(", ") for text in words), words


def test_an_output_that_is_an_image_keeps_its_channels_in_front(keras, reader, tmp_path):
    i = keras.Input((3, 6, 5), name="x")
    y = keras.layers.Conv2D(4, 3, data_format="channels_first", name="y")(i)
    model = keras.Model(i, [y, keras.layers.ReLU(name="z")(y)])
    export_checkpoint(model, tmp_path / "net")
    info = tf.compat.v1.MetaGraphDef.FromString((tmp_path / "net.meta").read_bytes())
    outputs = info.signature_def["serving_default"].outputs
    names = [outputs[name].name for name in ("y", "z")]
    assert [[dim.size for dim in outputs[name].tensor_shape.dim] for name in ("y", "z")] == [[-1, 4, 4, 3]] * 2
    x = image(2, 3, 6, 5)
    np.save(tmp_path / "x.npy", x)
    said = reader.run(
        """
        import json, sys, numpy as np, tensorflow as tf
        saver = tf.train.import_meta_graph(sys.argv[1] + "/net.meta")
        with tf.Session() as session:
            saver.restore(session, sys.argv[1] + "/net")
            x = np.load(sys.argv[1] + "/x.npy")
            print(json.dumps([y.tolist() for y in session.run(json.loads(sys.argv[2]), {"x:0": x})]))
        """,
        tmp_path,
        json.dumps(names),
    )
    kernel, bias = [np.array(weight) for weight in model.get_weights()]
    expected = tf.nn.conv2d(x.transpose(0, 2, 3, 1), kernel, 1, "VALID").numpy().transpose(0, 3, 1, 2)
    expected = expected + bias[:, None, None]
    found = [np.array(part) for part in json.loads(said.strip().splitlines()[-1])]
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1], np.maximum(expected, 0), rtol=1e-5, atol=1e-5)


def test_another_format_is_refused(keras):
    with pytest.raises(InvalidArgumentError, match="`data_format` must be one of 'channels_last', 'keep'"):
        build_graph(network(keras, True), data_format="channels_first")


@pytest.mark.parametrize("command", ["convert", "run"])
def test_commands_that_export_take_the_format(command):
    from keras_gensynth_callback.cli.app import commands

    options = [name for option in commands.commands[command].params for name in option.opts]
    assert "--data-format" in options
