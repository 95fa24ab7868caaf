"""What one Keras exported is read by another: the Kerases of today, and tf.keras inside of TensorFlow 1.15, where
models live in a session.
"""

import importlib
import json
import logging
import pathlib
import shutil

import numpy as np
import pytest
import round_trip_program
import tensorflow as tf
from kerases import KERASES, module_of
from needs import needs

from keras_gensynth_callback import export_checkpoint, load_checkpoint
from keras_gensynth_callback.restore.name_mapping import in_names_of_model

pytestmark = needs(keras2=True)

REPOSITORY = pathlib.Path(__file__).parents[2]
PROGRAM = pathlib.Path(round_trip_program.__file__)
OFTEN = [("keras", "images"), ("tf_keras", "words")]
SLOW = [("keras", "words"), ("tf_keras", "images")]


@pytest.fixture(scope="module")
def there_and_back(reader, tmp_path_factory):
    """Callable, list of (Keras, model) -> folder with what TensorFlow 1.15's Keras made of their exports, and with what
    they predicted themselves.
    """

    def run(cases):
        root = tmp_path_factory.mktemp("ages")
        for case in cases:
            trained(*case, root / "-".join(case))
        shutil.copytree(root / "-".join(cases[-1]), root / "other")
        reader.run(PROGRAM, REPOSITORY, root)
        return root

    ran = {}
    return lambda cases: ran[id(cases)] if id(cases) in ran else ran.setdefault(id(cases), run(cases))


def trained(keras_name, make, folder):
    keras = importlib.import_module(keras_name)
    keras.utils.set_random_seed(3)
    model, x, y = getattr(round_trip_program, make)(keras)
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    export_checkpoint(model, folder / "there")
    predicted = model.predict(x, verbose=0)
    for _ in range(3):
        model.train_on_batch(x, y)
    np.savez(folder / "known.npz", predicted=predicted, trained=model.predict(x, verbose=0))


@pytest.fixture(params=[*OFTEN, *[pytest.param(case, marks=pytest.mark.slow) for case in SLOW]], ids="-".join)
def passed(request, there_and_back):
    """(folder, what Keras said, what TensorFlow 1.15's Keras said of the same, the names that it read and logged)."""
    folder = there_and_back(OFTEN if request.param in OFTEN else SLOW) / "-".join(request.param)
    said = json.loads((folder / "said.json").read_text())
    return folder, dict(np.load(folder / "known.npz")), dict(np.load(folder / "said.npz")), said


def test_tensorflow_1_predicts_the_same(passed):
    _, known, said, _ = passed
    np.testing.assert_allclose(said["predicted"], known["predicted"], rtol=1e-5, atol=1e-6)


def test_tensorflow_1_trains_on_from_the_same_slots_and_statistics(passed):
    _, known, said, _ = passed
    assert said["iterations"] == 4
    assert np.abs(known["trained"] - known["predicted"]).max() > 1e-3
    np.testing.assert_allclose(said["trained"], known["trained"], rtol=1e-4, atol=1e-5)


def test_what_tensorflow_1_exported_is_read_back(passed):
    folder, _, said, _ = passed
    keras_name, make = folder.name.split("-")
    model, x, _ = getattr(round_trip_program, make)(importlib.import_module(keras_name))
    names = load_checkpoint(model, folder / "back")
    np.testing.assert_allclose(model.predict(x, verbose=0), said["trained"], rtol=1e-5, atol=1e-6)
    assert int(np.array(tf.convert_to_tensor(model.optimizer.iterations))) == 7
    slots = {"images": ["filters/kernel/m", "deep"], "words": ["both/forward_memory", "each", "gate"]}
    for slot in slots[make]:
        assert [name for name in names if name.startswith("training/") and slot in name], (slot, names)


def test_loading_adds_no_op_to_the_graph_of_a_session_that_has_the_slots(passed):
    *_, said = passed
    assert said["added"] == 0


def test_what_only_one_of_them_has_is_listed_by_name(passed):
    *_, said = passed
    kept, passed_over = said["log"][:2]
    assert "Kept as they were" in kept and "training/" in kept and "/decay" in kept
    assert "Passed over" in passed_over and "metrics/loss/total" in passed_over
    assert not any(name in kept + passed_over for name in said["read"])


@needs(both=True)
def test_another_architecture_is_refused_in_a_session_and_what_differs_is_listed(there_and_back):
    said = json.loads((there_and_back(OFTEN) / "other" / "said.json").read_text())
    assert said["same"] and said["added"] == 0
    for line in [
        "both/forward_memory/kernel (3, 16): not in the checkpoint",
        "gate/bias (9,): not in the checkpoint",
        "both/backward_memory/lstm_cell/kernel (3, 12): not in the model",
        "nothing was read",
    ]:
        assert line in said["error"]


# Names alone


def of_shape(*names, shape=(2,)):
    return {name: np.zeros(shape) for name in names}


def test_names_of_another_age_are_those_of_the_model_and_slots_go_along():
    values = of_shape("lstm/lstm_cell/kernel", "training/Adam/lstm/lstm_cell/kernel/m", "metrics/loss/total")
    assert list(in_names_of_model(values, {"lstm/kernel": (2,)})) == [
        "lstm/kernel",
        "training/Adam/lstm/kernel/m",
        "metrics/loss/total",
    ]


@pytest.mark.parametrize(
    "there, model",
    [
        (["left/dense/kernel", "right/dense/kernel"], ["dense/kernel"]),
        (["dense/kernel"], ["left/dense/kernel", "right/dense/kernel"]),
        (["dense/kernel"], ["conv/kernel"]),
        (["lstm/lstm_cell/kernel"], ["lstm/bias"]),
    ],
)
def test_what_could_be_two_weights_or_is_another_one_keeps_its_name(there, model):
    assert list(in_names_of_model(of_shape(*there), dict.fromkeys(model, (2,)))) == there


def test_a_weight_of_another_shape_is_another_weight():
    assert list(in_names_of_model(of_shape("gru/gru_cell/bias", shape=(2, 9)), {"gru/bias": (9,)})) == [
        "gru/gru_cell/bias"
    ]


def test_what_one_keras_of_today_has_and_the_other_not_is_logged(tmp_path, caplog, keras3):
    for name in KERASES:
        keras = module_of(name)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(1, name="only")])
        if name == "keras":
            export_checkpoint(model, tmp_path / "net")
    with caplog.at_level(logging.INFO, "keras_gensynth_callback"):
        assert load_checkpoint(model, tmp_path / "net") == ["only/bias", "only/kernel"]
    assert "Passed over" in caplog.text and "seed_generator" in caplog.text
