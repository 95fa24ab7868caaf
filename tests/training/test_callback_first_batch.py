"""The look at the first batch: before any weight moves, in every way to train, and with nothing left behind."""

import numpy as np
import pytest
import tensorflow as tf
from fake_exporter import fake_exporter_class, values_of
from kerases import set_random_seed
from needs import needs

from keras_gensynth_callback.training import exporter_cache
from keras_gensynth_callback.training.callback import GenSynthExportCallback
from keras_gensynth_callback.training.first_batch import FirstBatch, batch_spec

X = np.random.RandomState(0).rand(24, 3).astype("float32")
Y = np.random.RandomState(1).randint(0, 2, (24, 1)).astype("float32")

WAYS_TO_COMPILE = {
    "plain": {},
    "steps_per_execution": {"steps_per_execution": 3},
    "run_eagerly": {"run_eagerly": True},
    "jit_compile": {"jit_compile": True},
}
NEEDS = {
    "steps_per_execution": needs(keras3="3.1", reason="several steps in one execution run out of data in Keras 3.0"),
    "jit_compile": needs(tf="2.8", reason="earlier versions do not compile a model with `jit_compile`"),
}
ways_to_compile = pytest.mark.parametrize(
    "way", [pytest.param(way, marks=NEEDS.get(way, ())) for way in WAYS_TO_COMPILE]
)


def batches():
    while True:
        for at in range(0, 24, 4):
            yield X[at : at + 4], Y[at : at + 4]


WAYS_TO_FIT = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 4},
    "validation_data": lambda: {"x": X, "y": Y, "batch_size": 4, "validation_data": (X[:8], Y[:8])},
    "class_weight": lambda: {"x": X, "y": Y, "batch_size": 4, "class_weight": {0: 1.0, 1: 3.0}},
    "generator": lambda: {"x": batches(), "steps_per_epoch": 6, "shuffle": False},
    "dataset": lambda: {"x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(5), "shuffle": False},
    "initial_epoch": lambda: {"x": X, "y": Y, "batch_size": 4, "initial_epoch": 1},
}


@pytest.fixture
def exporter(monkeypatch):
    """The class of exporters that the callback makes; it records what they are asked for."""
    fake = fake_exporter_class()
    monkeypatch.setattr(exporter_cache, "Exporter", fake)
    return fake


def train(keras, callbacks, compiled, fitted):
    """Trains a fresh model in two fits, dropout and shuffling included; returns it, its values and its logs."""
    set_random_seed(keras, 7)
    rate = 0.0 if compiled.get("jit_compile") else 0.5  # XLA ignores the seed of tf_keras's dropout
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(8, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(rate),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"], **compiled)
    logs = [model.fit(**fitted(), epochs=2, verbose=0, callbacks=callbacks).history for _ in range(2)]
    return model, values_of(model), logs


def assert_training_is_the_same(keras, callback, compiled, fitted):
    _, expected_values, expected_logs = train(keras, [], compiled, fitted)
    _, values, logs = train(keras, [callback], compiled, fitted)
    assert len(values) > 10
    assert all(map(np.array_equal, values, expected_values))
    assert logs == expected_logs


@ways_to_compile
def test_training_is_bit_for_bit_the_same_however_it_is_compiled(keras, exporter, tmp_path, way):
    callback = GenSynthExportCallback(str(tmp_path / "net"), save_freq=4)
    assert_training_is_the_same(keras, callback, WAYS_TO_COMPILE[way], WAYS_TO_FIT["arrays"])
    assert len(exporter.records) >= 4


@pytest.mark.parametrize("way", WAYS_TO_FIT)
def test_training_is_bit_for_bit_the_same_whatever_it_is_fed(keras, exporter, tmp_path, way):
    callback = GenSynthExportCallback(str(tmp_path / "net"))
    assert_training_is_the_same(keras, callback, {}, WAYS_TO_FIT[way])
    assert len(exporter.records) in (2, 4)


@ways_to_compile
def test_the_model_is_prepared_before_its_first_step_with_the_shapes_of_its_data(keras, exporter, tmp_path, way):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **WAYS_TO_COMPILE[way])
    before = model.get_weights()
    model.fit(X, Y, batch_size=4, verbose=0, callbacks=[GenSynthExportCallback(str(tmp_path / "net"))])
    (made,) = exporter.made
    assert made.specs == [(tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([None, 1], tf.float32))]
    assert all(map(np.array_equal, before, made.values_when_prepared))
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_a_subclassed_model_that_is_not_built_yet_is_prepared_too(keras, exporter, tmp_path):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs)

    model = Net()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0, callbacks=[GenSynthExportCallback(str(tmp_path / "net"))])
    assert len(exporter.records) == 1
    assert len(exporter.made[0].specs[0]) == 2


def test_a_model_that_gets_its_weights_in_its_first_step_is_prepared_right_after_it(keras, exporter, tmp_path):
    class Starts(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, len(exporter.made[0].specs)))

    seen = []
    exporter.can_prepare = property(lambda self: int(self.model.optimizer.iterations.numpy()) > 0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=[GenSynthExportCallback(str(tmp_path / "net")), Starts()])
    assert seen == [(0, 1), (1, 1), (2, 1)]
    assert len(exporter.records) == 1


def test_the_train_function_is_the_models_own_after_training(keras, exporter, tmp_path):
    model, _, _ = train(keras, [GenSynthExportCallback(str(tmp_path / "net"))], {}, WAYS_TO_FIT["arrays"])
    assert not hasattr(model.train_function, "_self_wrapper")


def test_two_callbacks_on_one_model_both_look(keras, exporter, tmp_path):
    callbacks = [GenSynthExportCallback(str(tmp_path / name)) for name in ("one", "two")]
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0, callbacks=callbacks)
    assert [len(made.specs) for made in exporter.made] == [1, 1]
    assert {record.prefix for record in exporter.records} == {str(tmp_path / "one"), str(tmp_path / "two")}
    assert not hasattr(model.train_function, "_self_wrapper")


def test_a_fit_that_died_before_its_first_step_leaves_nothing_behind(keras, exporter, tmp_path):
    class Dies(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise RuntimeError("no first step")

    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="no first step"):
        model.fit(X, Y, verbose=0, callbacks=[GenSynthExportCallback(str(tmp_path / "net")), Dies()])
    model.fit(X, Y, verbose=0)
    assert exporter.made == []
    assert not hasattr(model.train_function, "_self_wrapper")


class Iterator:
    def __init__(self, spec):
        self.element_spec = spec


def test_the_batch_dimension_is_left_open_and_the_others_are_known():
    spec = (
        {"a": tf.TensorSpec([8, 3], tf.float32, "a"), "b": tf.TensorSpec([8], tf.int32)},
        tf.TensorSpec([], tf.int64),
    )
    assert batch_spec(Iterator(spec)) == (
        {"a": tf.TensorSpec([None, 3], tf.float32, "a"), "b": tf.TensorSpec([None], tf.int32)},
        tf.TensorSpec([], tf.int64),
    )


def test_what_keras_hands_over_as_none_is_none():
    optional = tf.OptionalSpec(tf.TensorSpec([8], tf.float32))
    assert batch_spec(Iterator((tf.TensorSpec([8], tf.float32), optional)))[1] is None


def test_an_iterator_that_does_not_say_has_no_spec():
    assert batch_spec(iter([])) is None
    assert batch_spec(Iterator((tf.TensorSpec([8], tf.float32), "a spec of several replicas"))) is None


def model_whose_fit_keeps_its_function(keras2):
    """As `fit` of TensorFlow 2.2 and 2.3 is written."""

    def fit(self, dataset, callback):
        callback.expect(self)
        train_function = self.make_train_function()
        callback.watch(self, callback.action)
        iterator = iter(dataset)
        return [train_function(iterator) for _ in range(2)]

    body = {"fit": fit, "__module__": keras2.Model.__module__}
    model = type("Sequential", (keras2.Sequential,), body)([keras2.Input((3,)), keras2.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_a_fit_that_keeps_its_function_is_watched_before_its_first_step(keras2):
    model, seen, first = model_whose_fit_keeps_its_function(keras2), [], FirstBatch()
    before = model.get_weights()
    first.action = lambda spec: seen.append((spec, model.get_weights()))
    model.fit(tf.data.Dataset.from_tensor_slices((X, Y)).batch(4), first)
    ((spec, weights),) = seen
    assert [leaf.shape.as_list() for leaf in spec] == [[None, 3], [None, 1]]
    assert all(map(np.array_equal, weights, before))
    assert not any(map(np.array_equal, model.get_weights(), before))
    assert "make_train_function" not in vars(model)


def test_a_fit_that_keeps_its_function_and_dies_before_leaves_nothing_behind(keras2):
    model, first = model_whose_fit_keeps_its_function(keras2), FirstBatch()
    first.expect(model)
    first.withdraw()
    assert "make_train_function" not in vars(model)
