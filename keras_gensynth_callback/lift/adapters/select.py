"""Which generation of Keras a model is of, read off the model's own class: models of two Kerases can be exported in one
process, and no Keras is imported that the user has not imported.
"""

import numpy as np

from keras_gensynth_callback.errors import InvalidArgumentError

from .environment import check_environment
from .v1_engine import is_of_v1_engine, live_graph


def adapter_of(model):
    """The Adapter for a model, chosen from the model's own class.

    Raises:
        InvalidArgumentError: `model` is no Keras model.
        UnsupportedBackendError: a Keras 3 model on a backend that does not train; an eager model of TensorFlow 1.15.
        UnsupportedStrategyError: a model that trains under a strategy that is not known.
    """
    check_environment(model)
    if hasattr(type(model), "stateless_call"):
        from .keras3 import Keras3

        return Keras3(model)
    if is_of_v1_engine(model):
        from .tf_keras_v1 import TfKerasV1

        return TfKerasV1(model)
    if callable(getattr(model, "train_step", None)) and hasattr(type(model), "trainable_variables"):
        from .tf_keras import TfKeras

        return TfKeras(model)
    raise InvalidArgumentError(
        f"`model` should be a Keras model on TensorFlow (keras.Model, tf_keras.Model). Received: {model!r} of type "
        f"{type(model).__name__}."
    )


def values_of(model, variables):
    """The values of some variables of a model at this moment, as ndarrays."""
    if is_of_v1_engine(model) and live_graph(model) is not None:
        return adapter_of(model).read(variables)
    return [np.array(variable.numpy()) for variable in variables]
