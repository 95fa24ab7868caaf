"""The devices of the machine decide nothing of an export: with a GPU or without, a model gives the same bytes."""

import contextlib
import threading

import pytest
import tensorflow as tf
from tensorflow.python.client import device_lib
from tensorflow.python.eager import context

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint
from keras_gensynth_callback.lift.tracing.devices import cpus_only

GPU = tf.config.LogicalDevice("/device:GPU:0", "GPU")
CARD = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")


@contextlib.contextmanager
def as_with_a_gpu():
    """Whoever asks TensorFlow is told of a GPU, also behind the public names."""
    logical, physical, count = (
        context.Context.list_logical_devices,
        context.Context.list_physical_devices,
        context.Context.num_gpus,
    )

    def more(real, extra):
        def listed(self, device_type=None):
            return real(self, device_type) + ([extra] if device_type in (None, "GPU") else [])

        return listed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context.Context, "list_logical_devices", more(logical, GPU))
        patch.setattr(context.Context, "list_physical_devices", more(physical, CARD))
        patch.setattr(context.Context, "num_gpus", lambda self: count(self) + 1)
        yield


def recurrent(keras, name, **more):
    layers = keras.layers
    i = keras.Input((5, 4), name="x")
    inner = getattr(layers, name)(3, return_sequences=True, name="first", **more)
    return keras.Model(i, layers.Dense(2)(layers.GRU(2, name="second")(inner(i))))


def bidirectional(keras):
    layers = keras.layers
    i = keras.Input((5, 4), name="x")
    return keras.Model(i, layers.Dense(2)(layers.Bidirectional(layers.LSTM(3))(layers.Masking()(i))))


def image_model(keras):
    layers, first = keras.layers, {"data_format": "channels_first"}
    i = keras.Input((3, 8, 8), name="x")
    y = layers.Conv2D(4, 3, padding="same", **first)(i)
    y = layers.BatchNormalization(axis=1)(y)
    y = layers.MaxPooling2D(padding="same", **first)(layers.Activation("relu")(y))
    y = layers.DepthwiseConv2D(3, padding="same", **first)(layers.Dropout(0.2)(y))
    y = layers.AveragePooling2D(2, **first)(layers.Conv2DTranspose(4, 3, padding="same", **first)(y))
    y = layers.SeparableConv2D(4, 2, **first)(y)
    return keras.Model(i, layers.Dense(2)(layers.GlobalAveragePooling2D(**first)(y)))


MODELS = {
    "lstm": lambda keras: recurrent(keras, "LSTM"),
    "gru": lambda keras: recurrent(keras, "GRU"),
    "bidirectional": bidirectional,
    "channels_first": image_model,
}


def meta(make, keras_name, prefix, **compiled):
    """The bytes of the `.meta` of a model that is built and exported now."""
    from kerases import keras_of

    keras = keras_of(keras_name)
    model = make(keras)
    model.compile("adam", "mse", metrics=["mae"], **compiled)
    export_checkpoint(model, prefix)
    return prefix.with_suffix(".meta").read_bytes()


@pytest.mark.parametrize("model", MODELS)
def test_a_gpu_changes_no_byte_of_the_graph(keras_name, model, tmp_path):
    without = meta(MODELS[model], keras_name, tmp_path / "without")
    with as_with_a_gpu():
        assert [device.device_type for device in tf.config.list_logical_devices("GPU")] == ["GPU"]
        with_one = meta(MODELS[model], keras_name, tmp_path / "with")
    assert with_one == without


def test_xla_which_keras_takes_where_there_is_a_gpu_changes_no_byte(keras_name, tmp_path):
    without = meta(MODELS["channels_first"], keras_name, tmp_path / "without", jit_compile=False)
    assert meta(MODELS["channels_first"], keras_name, tmp_path / "with", jit_compile=True) == without


def test_a_layer_that_is_told_to_use_cudnn_is_exported_without(keras3, tmp_path):
    def make(keras):
        model = recurrent(keras, "LSTM", use_cudnn=True)
        made.append(model.get_layer("first"))
        return model

    made = []
    with as_with_a_gpu():
        wanted = meta(make, "keras", tmp_path / "wanted")
    assert wanted == meta(MODELS["lstm"], "keras", tmp_path / "auto")
    assert made[0].use_cudnn is True


def test_all_ways_to_ask_are_answered_alike_and_as_ever_afterwards():
    def asked():
        return {
            "logical": len(tf.config.list_logical_devices("GPU")),
            "physical": len(tf.config.experimental.list_physical_devices("GPU")),
            "all": sum(device.device_type != "CPU" for device in tf.config.list_logical_devices()),
            "behind": len(context.context().list_logical_devices("GPU")),
            "counted": context.num_gpus(),
        }

    with as_with_a_gpu():
        before = asked()
        with cpus_only():
            assert set(asked().values()) == {0}
            assert tf.config.list_logical_devices("CPU") and device_lib.list_local_devices()
        assert asked() == before == dict.fromkeys(before, 1)


def test_other_threads_are_told_the_truth_meanwhile():
    found = []
    with as_with_a_gpu(), cpus_only():
        thread = threading.Thread(target=lambda: found.append(len(tf.config.list_logical_devices("GPU"))))
        thread.start()
        thread.join()
        assert (found, len(tf.config.list_logical_devices("GPU"))) == ([1], 0)


def test_what_keras_remembers_of_the_devices_is_left_as_it_was(keras3):
    from keras.src.backend.tensorflow import nn

    if not hasattr(nn, "_cpu_only"):  # before Keras 3.13
        return
    nn._cpu_only.cache_clear()
    try:
        with as_with_a_gpu():
            with cpus_only():
                assert nn._cpu_only() is True
            assert nn._cpu_only() is False
    finally:
        nn._cpu_only.cache_clear()


def test_the_callback_exports_a_training_where_there_is_a_gpu(keras, tmp_path):
    import numpy as np

    model = recurrent(keras, "GRU")
    model.compile("sgd", "mse")
    callback = GenSynthExportCallback(tmp_path / "net")
    x, y = np.ones((8, 5, 4), "float32"), np.ones((8, 2), "float32")
    with pytest.MonkeyPatch.context() as patch:
        # Of the callback, not of the training, which would want the GPU.
        prepare = callback._prepare

        def with_gpu(spec):
            with as_with_a_gpu():
                return prepare(spec)

        patch.setattr(callback, "_prepare", with_gpu)
        model.fit(x, y, verbose=0, callbacks=[callback])
    nodes = tf.compat.v1.MetaGraphDef.FromString((tmp_path / "net.meta").read_bytes()).graph_def.node
    assert not [node.op for node in nodes if "udnn" in node.op]
