"""How each error of docs/errors.md comes about: a function for each class, called in an empty folder."""

import contextlib
import os
import sys
import types
from unittest import mock

import numpy as np
import tensorflow as tf

import keras_gensynth_callback as gensynth
from keras_gensynth_callback.checkpoint.lock import Claim
from keras_gensynth_callback.companion import process

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


def net(keras, *layers):
    model = keras.Sequential([keras.Input((3,), name="x"), *layers], name="net")
    model.compile("sgd", "mse")
    return model


def plain(keras, units=1):
    return net(keras, keras.layers.Dense(units, name="level"))


def layer(keras, call, **options):
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return call(inputs)

        def compute_output_shape(self, shape):
            return shape

    return Own(**options)


def invalid_argument(keras):
    gensynth.GenSynthExportCallback("exports/net", save_freq=0)


def unknown_template_key(keras):
    plain(keras).fit(X, Y, verbose=0, callbacks=[gensynth.GenSynthExportCallback("exports/net-{val_los:.2f}")])


def unsupported_backend(keras):
    with mock.patch.object(keras.config, "backend", lambda: "numpy"):
        gensynth.export_checkpoint(plain(keras), "exports/net")


def companion(keras):
    with open("gone.py", "w") as file:
        file.write("raise SystemExit(3)")
    with mock.patch.object(process, "_PROGRAM", "gone.py"):
        process.Companion()


def unsupported_strategy(keras):
    with tf.distribute.experimental.CentralStorageStrategy(["CPU:0"]).scope():
        model = plain(keras)
    gensynth.export_checkpoint(model, "exports/net")


def not_built(keras):
    class Net(keras.Model):
        def call(self, inputs):
            return inputs

    gensynth.export_checkpoint(Net(name="net"), "exports/net")


def unsupported_model(keras):
    reverse = tf.custom_gradient(lambda inputs: (tf.identity(inputs), lambda gradient: -gradient))
    gensynth.export_checkpoint(net(keras, layer(keras, reverse, name="reverse"), keras.layers.Dense(1)), "exports/net")


def unsupported_op(keras):
    def call(inputs):
        return tf.ensure_shape(tf.py_function(lambda values: values, [inputs], tf.float32), (None, 3))

    model = net(keras, layer(keras, call, name="python"), keras.layers.Dense(1))
    gensynth.export_checkpoint(model, "exports/net", graph="inference")


def defect(keras):
    with mock.patch("keras_gensynth_callback.lift.training.lay_over", side_effect=KeyError("level/MatMul")):
        gensynth.export_checkpoint(plain(keras), "exports/net")


def checkpoint_mismatch(keras):
    gensynth.export_checkpoint(plain(keras), "exports/net")
    gensynth.load_checkpoint(plain(keras, units=2), "exports/net")


def checkpoint_format(keras):
    gensynth.inspect_checkpoint("exports/nett")


def verification(keras):
    gensynth.export_checkpoint(plain(keras), "exports/net")
    with open("exports/net.meta", "ab") as file:
        file.write(b"more")
    gensynth.verify_checkpoint("exports/net")


def checkpoint_write(keras):
    open("exports", "w").close()
    gensynth.export_checkpoint(plain(keras), "exports/net")


def folder_in_use(keras):
    os.makedirs("exports")
    other = Claim("exports", "net")
    plain(keras).fit(X, Y, verbose=0, callbacks=[gensynth.GenSynthExportCallback("exports/net")])
    del other


def model_file(keras):
    gensynth.convert_model_file("old.h5", "exports/net")


def missing_custom_object(keras):
    class Scale(keras.layers.Layer):
        def call(self, inputs):
            return 2.0 * inputs

    net(keras, Scale(name="scale")).save("net.keras")
    gensynth.convert_model_file("net.keras", "exports/net")


def unsafe_model_file(keras):
    net(keras, keras.layers.Lambda(lambda inputs: 2.0 * inputs, name="twice")).save("net.keras")
    gensynth.convert_model_file("net.keras", "exports/net")


def missing_keras(keras):
    import tf_keras

    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(1)])
    model.save("old.h5")
    with without("tf_keras"):
        gensynth.convert_model_file("old.h5", "exports/net")


def missing_extra(keras):
    with without("fsspec"):
        gensynth.export_checkpoint(plain(keras), "s3://bucket/net")


@contextlib.contextmanager
def without(package):
    """As if a package were not installed."""
    gone = {name: None for name in sys.modules if name.split(".")[0] == package}
    with mock.patch.dict(sys.modules, {**gone, package: None}):
        yield


CASES = {
    "".join(word.title() for word in name.split("_")) + "Error": value
    for name, value in list(globals().items())
    if isinstance(value, types.FunctionType) and value.__code__.co_varnames[:1] == ("keras",)
    if name not in ("net", "plain", "layer")
}
