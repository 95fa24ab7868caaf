"""The numbers of the contract for models that train on JAX and on Torch: replayed in TensorFlow 1.15, against Keras in
the process that trained them.
"""

import json
import pathlib

import numpy as np
import other_backends
import pytest
from needs import outside_matrix

pytestmark = outside_matrix(reason="runs programs in a Python with JAX or Torch")

HERE = pathlib.Path(__file__).parent
REPLAY = HERE.parent / "helpers" / "replay_in_tf1.py"
MODELS = (
    "sequential_convnet",
    "dropout_and_noise",
    "nested_and_shared",
    "subclassed_with_everything_custom",
    "never_built_before_fit",
    "frozen_layers_and_regularizers",
    "dicts_of_inputs_and_outputs",
    "weighted_samples",
    "masked_embedding_and_lstm",
    "attention",
    "uncompiled",
    "own_compute_loss",
    "pooled_at_an_edge",
    "pooled_at_an_edge_of_any_size",
    "schedule_decay_and_average",
)
BOUNDS = {"predict": 1e-5, "evaluate": 1e-5, "still": 1e-5, "after": 1e-5, "gradient": 1e-4, "trained": 1e-4}


@pytest.fixture(scope="module", params=other_backends.BACKENDS)
def exported(request, reader, tmp_path_factory):
    """The folder of the exports of one backend, replayed, and what its program says."""
    root = tmp_path_factory.mktemp(request.param)
    other_backends.run(request.param, HERE / "numbers_program.py", root)
    reader.run(REPLAY, root, timeout=900)
    return root, json.loads((root / "facts.json").read_text())


@pytest.mark.parametrize("name", MODELS)
def test_the_numbers_are_those_of_keras(exported, name):
    root, facts = exported
    assert name not in facts["errors"], facts["errors"][name]
    replayed = json.loads((root / name / "replay.json").read_text())
    assert "error" not in replayed, replayed["error"]
    keras, tf1 = dict(np.load(root / name / "keras.npz")), dict(np.load(root / name / "replay.npz"))
    for number, value in keras.items():
        want, got = value.astype("f8"), tf1[number].astype("f8")
        assert got.shape == want.shape, number
        error = np.abs(got - want).max() / max(np.abs(want).max(), 1e-6) if want.size else 0.0
        assert error <= BOUNDS[number.split("/")[0]], (number, error)


def test_all_models_are_compared_here(exported):
    root, _ = exported
    assert {folder.name for folder in root.iterdir() if folder.is_dir()} == set(MODELS)


def test_what_is_random_in_training_is_so_in_the_export(exported):
    facts = json.loads((exported[0] / "dropout_and_noise" / "replay.json").read_text())
    assert facts["training differs"] and not facts["inference differs"]


def test_a_step_of_training_is_counted(exported):
    assert json.loads((exported[0] / "attention" / "replay.json").read_text())["steps counted"] == 3


def test_no_tensorflow_is_imported_into_the_program_that_trains(exported):
    assert exported[1]["tensorflow"] is False
