"""Every kind of Keras model, exported while it trains, gives Keras's numbers in TensorFlow 1.x.

The checks are run by `test_contract_keras.py` and `test_contract_tf_keras.py`, a file each, so that two processes can
share the work, and, on fewer models, by `test_old_targets.py`, which has fixtures of its own.
"""

import carried_models
import numpy as np
import pytest
from needs import needs
from replayed import replay

# Models that need more than the others.
NEEDS = {
    carried_models.dropout_noise_and_augmentation: needs(keras3="3.1", reason="AlphaDropout fails in Keras 3.0"),
    carried_models.gradient_penalty: needs(tf="2.5", reason="in TensorFlow 2.4 its evaluation has no loss"),
}


@pytest.fixture(scope="module")
def replayed(request, reader, tmp_path_factory):
    """Every model with one Keras: dict, name -> Replayed."""
    name = request.module.KERAS
    return replay(carried_models.ALL, name, [reader], tmp_path_factory.mktemp(name))


@pytest.fixture(params=[pytest.param(make.__name__, marks=NEEDS.get(make, ())) for make in carried_models.ALL])
def case(request, replayed):
    return replayed[request.param].checked("1.15")


def test_predictions_are_those_of_keras(case):
    assert case.names("predict")
    assert case.worst("predict")[0] <= 1e-5


@needs(
    keras3="3.1",
    of=[carried_models.two_players],
    reason="`evaluate` of Keras 3.0 gives a model with its own `train_step` no loss",
)
def test_loss_and_metrics_over_several_batches_are_those_of_keras(case):
    if case.case["y"] is None:
        assert list(case.facts["signatures"]) == ["serving_default"]
        return
    assert case.names("evaluate")
    assert case.worst("evaluate")[0] <= 1e-5, case.worst("evaluate")[1]


def test_update_ops_move_layer_state_in_training_and_only_then(case):
    for index, name in enumerate(case.names("before")):
        np.testing.assert_array_equal(case.tf1[f"still/{index}"], case.keras[name])
    assert case.worst("after")[0] <= 1e-5, case.worst("after")[1]


def test_three_train_steps_give_the_weights_of_three_train_on_batch(case):
    if not case.names("trained"):
        assert case.case["y"] is None or case.case.get("random")
        return
    assert case.facts["steps counted"] == 3
    assert case.worst("trained")[0] <= 1e-4, case.worst("trained")[1]


def test_every_trainable_variable_has_a_gradient_and_the_losses_add_up(case):
    assert len(case.facts["collections"].get("trainable_variables", ())) == len(case.trainable)
    if case.case["y"] is not None:
        assert case.facts["without gradient"] == []
        np.testing.assert_allclose(case.tf1["total loss"], case.tf1["loss"], rtol=1e-5)


def test_random_layers_are_random_in_training_alone(case):
    if case.case["y"] is not None:
        assert not case.facts["inference differs"]
        if case.case.get("random"):
            assert case.facts["training differs"]


def test_the_graph_is_plain(case):
    assert case.facts["functions"] == 0
    assert case.facts["devices"] == [""]
    assert case.facts["private"] == []


def test_metric_variables_are_all_there_and_update_ops_each_once(case):
    collections = case.facts["collections"]
    metric = collections.get("metric_variables", [])
    assert len(metric) == case.metric_variables
    local = collections.get("local_variables", [])
    assert metric == [name for name in local if not name.startswith("last_batch/")]
    assert set(metric) <= set(collections["variables"])
    updates = collections.get("update_ops", [])
    assert len(updates) == len(set(updates))


def test_the_value_of_a_metric_changes_nothing(case):
    assert case.facts.get("values that change something", []) == []


def test_manifest_tells_the_collections_as_tensorflow_1_counts_them(case):
    told = {key: size for key, size in case.manifest["collections"].items() if not key.endswith("_context")}
    counted = {key: len(names) for key, names in case.facts["collections"].items() if not key.endswith("_context")}
    assert told == counted
