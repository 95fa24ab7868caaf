"""Variables of a type that TensorFlow 1.15 cannot assign, `uint32`: the graph has them as `int64`."""

import json

import numpy as np
import pytest
import tensorflow as tf
from kerases import keras_of

from keras_gensynth_callback import export_checkpoint, load_checkpoint, verify_checkpoint

X = np.random.RandomState(0).standard_normal((6, 3)).astype("float32")
START = 2**32 - 3

COUNT_ON = """
import json, sys
import numpy as np
import tensorflow as tf

saver = tf.train.import_meta_graph(sys.argv[1] + ".meta")
with tf.Session() as session:
    saver.restore(session, sys.argv[1])
    calls = next(v for v in tf.global_variables() if v.op.name.endswith("calls"))
    found = [int(session.run(calls))]
    for _ in range(4):
        feed = {"x:0": np.load(sys.argv[2]), "dense_target:0": np.zeros((6, 1)), "keras_learning_phase:0": True}
        session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS), feed)
        found.append(int(session.run(calls)))
    print(json.dumps([calls.dtype.base_dtype.name, found]))
"""


def counting_model(keras):
    class Counting(keras.layers.Layer):
        def build(self, input_shape):
            self.calls = self.add_weight(name="calls", shape=(), dtype="uint32", initializer="zeros", trainable=False)

        def call(self, inputs, training=None):
            if training:
                self.calls.assign(self.calls + tf.constant(1, tf.uint32))
            return inputs

    model = keras.Sequential([keras.Input((3,), name="x"), Counting(name="counting"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.fixture
def model(keras):
    model = counting_model(keras)
    model.get_layer("counting").calls.assign(START)
    return model


def test_tensorflow_1_15_counts_on_and_wraps_around_where_the_type_does(model, reader, tmp_path):
    export_checkpoint(model, tmp_path / "net")
    np.save(tmp_path / "x.npy", X)
    dtype, found = json.loads(reader.run(COUNT_ON, tmp_path / "net", tmp_path / "x.npy").splitlines()[-1])
    assert dtype == "int64"
    assert found == [START, START + 1, START + 2, 0, 1]


def test_the_value_comes_back_in_its_own_type(model, keras_name, tmp_path):
    export_checkpoint(model, tmp_path / "net")
    assert verify_checkpoint(tmp_path / "net")
    other = counting_model(keras_of(keras_name))
    load_checkpoint(other, tmp_path / "net")
    calls = tf.convert_to_tensor(other.get_layer("counting").calls)
    assert (calls.dtype, int(calls)) == (tf.uint32, START)
