"""The contract, eagerly, with models as they are written for tf.keras of TensorFlow 1.15: the script is older than the
TensorFlow that it runs in. `test_graph_mode.py` has the same models in graph mode.
"""

import pytest
import tf1_models
from contract import *  # noqa: F403
from kerases import KERAS2
from needs import needs
from replayed import replay

pytestmark = needs(keras2=True)

MODELS = [
    tf1_models.convolution_swish_and_regularizer,
    tf1_models.noise_and_dropout,
    tf1_models.recurrent_with_attention,
    tf1_models.custom_layer_loss_and_metric,
    tf1_models.two_weighted_heads_on_a_shared_layer,
]


@pytest.fixture(scope="module")
def replayed(reader, tmp_path_factory):  # noqa: F811
    return replay(MODELS, KERAS2, [reader], tmp_path_factory.mktemp("models"))


@pytest.fixture(params=[make.__name__ for make in MODELS])
def case(request, replayed):  # noqa: F811
    return replayed[request.param].checked("1.15")
