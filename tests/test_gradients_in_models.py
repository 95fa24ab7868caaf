"""Gradients that a model's Python takes: in TensorFlow 1.15 they are what they are in Keras."""

import models_with_gradients
import pytest
from kerases import KERASES
from replayed import replay


@pytest.fixture(scope="module", params=KERASES)
def replayed(request, reader, tmp_path_factory):
    return replay(models_with_gradients.ALL, request.param, [reader], tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=[make.__name__ for make in models_with_gradients.ALL])
def case(request, replayed):
    return replayed[request.param].checked("1.15")


def test_predictions_metrics_and_steps_are_those_of_keras(case):
    bounds = {"predict": 1e-5, "evaluate": 1e-5, "after": 1e-5, "trained": 1e-4}
    assert case.names("predict") and case.names("evaluate") and case.names("trained")
    for kind, bound in bounds.items():
        assert case.worst(kind)[0] <= bound, case.worst(kind)
    assert case.facts["steps counted"] == case.case.get("steps", 3)
