"""Unusual metrics, losses and targets give Keras's numbers in TensorFlow 1.15."""

import metrics_and_losses
import numpy as np
import pytest
from contract import (  # noqa: F401
    test_every_trainable_variable_has_a_gradient_and_the_losses_add_up,
    test_loss_and_metrics_over_several_batches_are_those_of_keras,
    test_metric_variables_are_all_there_and_update_ops_each_once,
    test_predictions_are_those_of_keras,
    test_the_value_of_a_metric_changes_nothing,
    test_three_train_steps_give_the_weights_of_three_train_on_batch,
)
from kerases import KERASES
from replayed import replay

MODELS = [*metrics_and_losses.METRICS, *metrics_and_losses.LOSSES, *metrics_and_losses.TARGETS]


@pytest.fixture(scope="module", params=KERASES)
def replayed(request, reader, tmp_path_factory):
    return replay(MODELS, request.param, [reader], tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=[make.__name__ for make in MODELS])
def case(request, replayed):
    return replayed[request.param].checked("1.15")


def test_every_metric_that_evaluate_gives_is_there(case):
    told = {name.split("/")[1] for name in case.names("evaluate")}
    for signature in ("eval", "train"):
        outputs = case.facts["signatures"][signature]["outputs"]
        assert told - {"loss"} <= {name.split("/")[1] for name in outputs if name.endswith("/update_op")}


def test_logs_of_vectors_are_lists_in_the_manifest(replayed):
    logs = replayed["several_thresholds"].checked("1.15").manifest["logs"]
    assert np.shape(logs["recall"]) == (2,)
    assert isinstance(logs["loss"], float)


SAMPLE_WEIGHTS = {
    "loss_of_the_whole_batch": [],
    "loss_that_asks_for_weights": [],
    "loss_is_a_sum": ["p_sample_weights"],
    "first_output_without_loss": ["features_sample_weights", "head_sample_weights"],
    "outputs_of_two_lengths": ["long_sample_weights", "short_sample_weights"],
    "one_of_two_losses_has_no_weights": ["each_sample_weights"],
}


@pytest.mark.parametrize("name", sorted(SAMPLE_WEIGHTS))
def test_there_are_sample_weights_where_ones_are_the_same_as_none(replayed, name):
    inputs = replayed[name].checked("1.15").facts["signatures"]["eval"]["inputs"]
    assert [key for key in inputs if key.endswith("_sample_weights")] == SAMPLE_WEIGHTS[name]


def test_what_a_batch_gave_last_is_kept_and_reset(replayed):
    case = replayed["logs_of_the_batch"].checked("1.15")
    held = [name for name in case.facts["collections"]["local_variables"] if name.startswith("last_batch/")]
    assert sorted(held) == ["last_batch/each:0", "last_batch/loss:0", "last_batch/samples:0"]
