"""What keras.io's examples do, exported while it trains and replayed in TensorFlow 1.15; those with a `train_step` are
in `test_train_steps`.
"""

import public_examples
import pytest
import tensorflow as tf
from kerases import KERASES
from replayed import replay


@pytest.fixture(scope="module", params=KERASES)
def replayed(request, reader, tmp_path_factory):
    return replay(public_examples.ALL, request.param, [reader], tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("example", [make.__name__ for make in public_examples.ALL])
def test_an_example_predicts_evaluates_and_trains_as_in_keras(replayed, example):
    case = replayed[example].checked("1.15")
    assert case.names("predict") and case.names("evaluate")
    case.assert_within({"predict": 1e-5, "evaluate": 1e-5, "trained": 1e-4})


def test_targets_of_bool_are_fed_as_such(replayed):
    folder = replayed["sums_spelled_out"].checked("1.15").folder
    meta = tf.compat.v1.MetaGraphDef.FromString((folder / "net.meta").read_bytes())
    (target,) = (info for name, info in meta.signature_def["train"].inputs.items() if name.endswith("_target"))
    assert target.dtype == tf.bool.as_datatype_enum
