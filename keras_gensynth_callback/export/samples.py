"""A few of a model's weights, to see whether they have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

import tensorflow as tf

from keras_gensynth_callback.lift import values_of

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Model


def sample_of_weights(model: Model) -> List[Any]:
    """Values of the model's four smallest trainable variables: enough to see that others were put in, and cheap."""
    variables = sorted(model.trainable_variables, key=lambda variable: tf.TensorShape(variable.shape).num_elements())
    return values_of(model, variables[:4])
