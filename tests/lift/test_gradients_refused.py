"""A gradient that TensorFlow 1.x cannot take is refused with its reason; any other failure is a defect, by its name."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gensynth_callback import build_graph
from keras_gensynth_callback.errors import DefectError, UnsupportedModelError, UnsupportedOpError


def _built_where_gradients_fail(keras, monkeypatch, error):
    def failing(*args, **kwargs):
        raise error

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((2, 3), "f4"), np.ones((2, 1), "f4"))
    monkeypatch.setattr(tf, "gradients", failing)
    build_graph(model)


def test_an_op_without_a_gradient_is_refused_by_its_name(keras, monkeypatch):
    error = LookupError("No gradient defined for operation 'layer/Own' (op type: Own).")
    with pytest.raises(UnsupportedModelError, match=r"op type: Own.*graph=\"inference\""):
        _built_where_gradients_fail(keras, monkeypatch, error)


@pytest.mark.parametrize("place", ["layer", "regularizer"])
def test_an_op_that_has_no_gradient_in_the_target_alone_is_refused(keras, place):
    def first_row_doubled(x):
        at = {"begin": [0], "end": [1], "strides": [1]}
        return tf.raw_ops.TensorStridedSliceUpdate(input=x, value=2.0 * x[:1], **at)

    class Doubled(keras.layers.Dense):
        def call(self, inputs):
            outputs = super().call(inputs)
            return first_row_doubled(outputs) if place == "layer" else outputs

    def penalty(kernel):
        return tf.reduce_sum(first_row_doubled(tf.convert_to_tensor(kernel)) ** 2)

    layer = Doubled(1, kernel_regularizer=penalty if place == "regularizer" else None)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse")
    with pytest.raises(UnsupportedOpError, match=r'TensorStridedSliceUpdate.*it has no gradient there.*"inference"'):
        build_graph(model)
    assert build_graph(model, target="current")


def test_what_else_goes_wrong_is_a_defect_and_no_reason_is_made_up(keras, monkeypatch):
    with pytest.raises(DefectError, match="not done in time") as caught:
        _built_where_gradients_fail(keras, monkeypatch, TimeoutError("not done in time"))
    assert "while_loop" not in str(caught.value)
