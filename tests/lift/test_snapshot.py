"""A snapshot holds the bits of its moment, whatever training does to the variables afterwards."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback.lift import adapter_of
from keras_gensynth_callback.lift.adapters.snapshots import snapshot

DRAW = np.random.RandomState(0)
TOKENS = DRAW.randint(0, 30, (24, 5)).astype("int32")
IMAGES = DRAW.standard_normal((24, 6, 6, 2)).astype("float32")
Y = DRAW.standard_normal((24, 1)).astype("float32")


def convnet(keras):
    layers = keras.layers
    body = [layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Dropout(0.3), layers.Flatten(), layers.Dense(1)]
    return keras.Sequential([keras.Input((6, 6, 2)), *body]), IMAGES


def embeddings(keras):
    """Sparse gradients: most optimizers update the rows of an embedding in place."""
    layers = keras.layers
    body = [layers.Embedding(30, 4), layers.Flatten(), layers.Dense(1)]
    return keras.Sequential([keras.Input((5,), dtype="int32"), *body]), TOKENS


def moments(keras, make, optimizer, epochs=2, **compiled):
    """Snapshots after each step of a training, and copies made at the same moments."""
    model, x = make(keras)
    model.compile(optimizer(keras), "mse", metrics=["mae"], **compiled)
    taken = []

    class Take(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            variables = [variable.value for variable in adapter_of(model).variables()]
            taken.append((snapshot(variables), [np.array(variable.numpy()) for variable in variables]))

    model.fit(x, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=[Take()])
    return taken


def assert_exact(taken):
    for values, copies in taken:
        assert [value.numpy().tobytes() for value in values] == [copy.tobytes() for copy in copies]
    first, last = taken[0][1], taken[-1][1]
    moved = [index for index, copy in enumerate(first) if copy.tobytes() != last[index].tobytes()]
    assert len(moved) > len(first) / 2


OPTIMIZERS = {
    "sgd": lambda keras: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda keras: keras.optimizers.Adam(0.01),
    "adagrad": lambda keras: keras.optimizers.Adagrad(0.1),
}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_dense_updates_do_not_reach_a_snapshot(keras, optimizer):
    assert_exact(moments(keras, convnet, OPTIMIZERS[optimizer]))


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_sparse_updates_do_not_reach_a_snapshot(keras, optimizer):
    assert_exact(moments(keras, embeddings, OPTIMIZERS[optimizer]))


def test_sparse_updates_by_tensorflows_own_ops_do_not_reach_a_snapshot():
    variables = [tf.Variable(tf.ones([6, 2])) for _ in range(4)]
    rows = tf.IndexedSlices(tf.ones([2, 2]), tf.constant([1, 3]))
    before = snapshot(variables)
    variables[0].scatter_sub(rows)
    variables[1].scatter_update(rows)
    variables[2][1:3].assign(tf.zeros([2, 2]))
    variables[3].assign_add(tf.ones([6, 2]))
    between = snapshot(variables)
    copies = [np.array(variable.numpy()) for variable in variables]
    for variable in variables:
        variable.scatter_add(rows)
    assert all((value.numpy() == 1).all() for value in before)
    assert [value.numpy().tobytes() for value in between] == [copy.tobytes() for copy in copies]


@needs(tf="2.8", reason="earlier versions do not compile a model with `jit_compile`")
@pytest.mark.parametrize("make", [convnet, embeddings])
def test_a_compiled_step_does_not_reach_a_snapshot(keras, make):
    assert_exact(moments(keras, make, OPTIMIZERS["adam"], jit_compile=True))


@pytest.mark.parametrize("make", [convnet, embeddings])
def test_steps_that_are_executed_together_do_not_reach_a_snapshot(keras, make):
    assert_exact(moments(keras, make, OPTIMIZERS["adam"], steps_per_execution=3))


def test_the_state_of_a_random_generator_is_of_its_moment():
    generator = tf.random.Generator.from_seed(1)
    (before,), copy = snapshot([generator.state]), np.array(generator.state.numpy())
    drawn = generator.normal([3])
    assert before.numpy().tobytes() == copy.tobytes()
    generator.reset(before)
    assert generator.normal([3]).numpy().tobytes() == drawn.numpy().tobytes()


def test_a_snapshot_shares_the_memory_of_what_does_not_change():
    variable = tf.Variable(tf.ones([1000]))
    (one,), (other,) = snapshot([variable]), snapshot([variable])
    assert np.shares_memory(np.asarray(one), np.asarray(other))


ANOTHER_DEVICE = """
import numpy as np, tensorflow as tf

# A second device with memory of its own, as a GPU has.
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from keras_gensynth_callback.lift.adapters.snapshots import snapshot

with tf.device("CPU:1"):
    away = [tf.Variable(tf.range(5.0)), tf.Variable(3, dtype=tf.int64), tf.Variable([True, False])]
here = tf.Variable(tf.ones([1000]))
values = snapshot([away[0], here, away[1], away[2]])
assert [value.device.rsplit(":", 2)[-2:] for value in values] == [["CPU", "0"]] * 4, [v.device for v in values]
assert np.shares_memory(np.asarray(values[1]), np.asarray(snapshot([here])[0]))
with tf.device("CPU:1"):
    away[0].scatter_add(tf.IndexedSlices(tf.ones([1]), tf.constant([2])))
    away[1].assign_add(1)
here.assign_add(tf.ones([1000]))
assert values[0].numpy().tolist() == [0, 1, 2, 3, 4] and values[2].numpy() == 3, values
assert values[3].numpy().tolist() == [True, False] and (values[1].numpy() == 1).all()
"""


def test_what_lies_on_another_device_is_copied_to_the_host_at_once():
    subprocess.run([sys.executable, "-W", "ignore", "-c", ANOTHER_DEVICE], check=True)
