"""A gradient that TensorFlow 1.x cannot take is refused with its reason; any other failure is a defect, by its name."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gensynth_callback import build_graph
from keras_gensynth_callback.errors import DefectError, UnsupportedModelError


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


def test_what_else_goes_wrong_is_a_defect_and_no_reason_is_made_up(keras, monkeypatch):
    with pytest.raises(DefectError, match="not done in time") as caught:
        _built_where_gradients_fail(keras, monkeypatch, TimeoutError("not done in time"))
    assert "while_loop" not in str(caught.value)
