"""Targets of an export are of the shape and type that `fit` was given, without any callback."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gensynth_callback import build_graph, export_checkpoint
from keras_gensynth_callback.lift.fitted_data import spec_of_batches, spec_of_last_fit

X = np.ones((10, 4), "float32")
LABELS = np.zeros((10, 1), "int64")


def classifier(keras, **compile_arguments):
    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, activation="softmax", name="o")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], **compile_arguments)
    return model


def placeholder(model, name="o_target"):
    return build_graph(model).get_tensor_by_name(f"{name}:0")


def test_labels_are_as_fit_had_them(keras, tmp_path):
    model = classifier(keras)
    model.fit(X, LABELS, batch_size=4, verbose=0)
    export_checkpoint(model, tmp_path / "net")
    meta = tf.compat.v1.MetaGraphDef.FromString((tmp_path / "net.meta").read_bytes())
    target = meta.signature_def["eval"].inputs["o_target"]
    assert (target.dtype, [dim.size for dim in target.tensor_shape.dim]) == (tf.int64.as_datatype_enum, [-1, 1])


def test_a_target_of_another_shape_than_the_output_is_as_fit_had_it(keras):
    class ByIndex(keras.losses.Loss):
        def call(self, y_true, y_pred):
            index, factor = tf.cast(y_true[:, 0], "int32"), tf.cast(y_true[:, 1], y_pred.dtype)
            return tf.gather(y_pred, index, batch_dims=1) * factor

    model = classifier(keras)
    model.compile("sgd", ByIndex())
    model.fit(X, np.ones((10, 2), "int32"), verbose=0)
    assert placeholder(model).shape.as_list() == [None, 2]
    assert placeholder(model).dtype == tf.int32


def test_a_later_compile_forgets_them(keras):
    model = classifier(keras)
    model.fit(X, LABELS, verbose=0)
    model.compile("sgd", "categorical_crossentropy")
    assert spec_of_last_fit(model) is None
    assert placeholder(model).shape.as_list() == [None, 3]


@pytest.mark.parametrize(
    "loss, labels", [("ctc", [None, None]), ("CTC", [None, None]), ("circle", [None]), ("Circle", [None])]
)
def test_labels_without_any_fit_are_as_the_loss_asks_for_them(keras3, loss, labels):
    found = getattr(keras3.losses, loss)
    inputs = keras3.Input((8, 5) if loss.lower() == "ctc" else (5,), name="x")
    model = keras3.Model(inputs, keras3.layers.Dense(5, name="o")(inputs))
    model.compile("sgd", found() if isinstance(found, type) else found)
    assert placeholder(model).shape.as_list() == labels
    assert placeholder(model).dtype == tf.int32


def train_on_batches(model):
    for size in (3, 4):
        model.train_on_batch(X[:size], LABELS[:size])


def several_steps_at_once(model):
    model.fit(X, LABELS, batch_size=4, verbose=0)


WAYS = {train_on_batches: {}, several_steps_at_once: {"steps_per_execution": 2}}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_however_the_model_was_trained(keras, way):
    model = classifier(keras, **WAYS[way])
    way(model)
    x, y = spec_of_last_fit(model)[:2]
    assert (x.shape.as_list(), y.shape.as_list(), y.dtype) == ([None, 4], [None, 1], tf.int64)


def test_what_is_not_known_is_none(keras):
    assert spec_of_last_fit(classifier(keras)) is None
    model = classifier(keras, run_eagerly=True)
    model.fit(X, LABELS, verbose=0)
    assert spec_of_last_fit(model) is None
    assert spec_of_batches(None) is None
    assert spec_of_batches((tf.TensorSpec([4, 3]), tf.OptionalSpec(tf.TensorSpec([])))) == (
        tf.TensorSpec([None, 3]),
        None,
    )


def test_sizes_that_differ_between_batches_are_open(keras):
    inputs = keras.Input((None, 2), name="x")
    model = keras.Model(inputs, keras.layers.Dense(1, name="o")(inputs))
    model.compile("sgd", "mse")
    for length in (3, 5):
        model.train_on_batch(np.ones((4, length, 2), "float32"), np.ones((4, length, 1), "float32"))
    assert placeholder(model).shape.as_list() == [None, None, 1]
