"""Some of the models that `scripts/fuzz` generates, trained and exported on JAX and on Torch."""

import other_backends
import pytest
from generated.backends import drawn_for
from generated.oracle import Oracle
from generated.recipes import recipe
from needs import outside_matrix

pytestmark = outside_matrix(reason="runs programs in a Python with JAX or Torch")


@pytest.fixture(scope="module", params=other_backends.BACKENDS)
def oracle(request, reader):
    other_backends.python_with(request.param)
    found = Oracle("keras", request.param)
    yield request.param, found
    found.close()


@pytest.mark.parametrize("seed", [1, 59])
def test_a_generated_model_has_the_numbers_of_keras(oracle, seed):
    backend, examine = oracle
    result = examine(drawn_for(backend, recipe(seed)), seed)
    assert result.outcome == "ok", result.lines
