"""The coverage suite knows every class, its document has a row for each, and some of its rows are run."""

import numpy as np
import pytest
from breadth import catalogue, checks, recipes, results, suite, table
from find_reader import clean_environ
from needs import outside_matrix

pytestmark = outside_matrix(reason="docs/COVERAGE.md lists the classes of the newest Keras")

# Forms that differ most from each other: loops, state, other inputs, subclasses, parts of the train step.
RUN = {
    "keras": [
        ("layers", "BatchNormalization"),
        ("layers", "RandomFlip"),
        ("layers", "ReversibleEmbedding"),
        ("metrics", "MeanIoU"),
        ("optimizers", "MultiOptimizer"),
        ("activations", "glu"),
    ],
    "tf_keras": [
        ("layers", "AbstractRNNCell"),
        ("layers", "DenseFeatures"),
        ("losses", "Reduction"),
        ("metrics", "MeanTensor"),
        ("optimizers.schedules", "LearningRateSchedule"),
        ("constraints", "MinMaxNorm"),
    ],
}


def test_every_class_of_keras_has_a_recipe(keras_name):
    rows = catalogue.rows(keras_name)
    assert len(rows) > 200
    assert [f"{row.kind}.{row.name}" for row in rows if recipes.recipe(row) is None] == []


def test_introspection_finds_what_a_program_adds(keras, monkeypatch):
    class BrandNew(keras.layers.Layer):
        def __init__(self, size):
            super().__init__()

    monkeypatch.setattr(keras.layers, "BrandNew", BrandNew, raising=False)
    (row,) = [row for row in catalogue.rows(keras.__name__, ["layers"]) if row.name == "BrandNew"]
    assert recipes.recipe(row) is None


def test_names_of_one_object_share_a_row(keras_name):
    rows = {row.name: row for row in catalogue.rows(keras_name, ["layers"])}
    assert rows["Conv2D"].aliases == ["Convolution2D"]
    assert "Convolution2D" not in rows


def test_document_has_a_row_for_each_class(keras_name):
    there = {(keras_name, row.kind, row.name) for row in catalogue.rows(keras_name)}
    assert there == {key for key in table.claims() if key[0] == keras_name}


NUMBERS = {
    "predict/0": np.array([1.0, -2.0]),
    "evaluate/loss": np.array(0.5),
    "gradient/inference/0": np.array([0.1, 0.2]),
    "gradient/training/0": np.array([0.1, 0.2]),
    "training/0": np.array([1.0, -2.0]),
    "before/0": np.array([3.0]),
    "after/0": np.array([4.0]),
    "trained/0": np.array([0.7]),
}
REPLAYED = {"errors": {}, "random_inference": False, "variables": ["kernel:0"], "steps": 3}


def verdicts(changed=(), random=False, **replayed):
    """What the checks say of NUMBERS, if TensorFlow 1.15 gives `changed` instead of some of them."""
    got = {name: value for name, value in {**NUMBERS, **dict(changed)}.items() if value is not None}
    facts = {"random": random, "random_inference": False}
    found = checks.verdicts(NUMBERS, facts, got, {**REPLAYED, **replayed})
    return {column: text for column, text in found.items() if text not in (None, "–")}


def test_equal_numbers_hold():
    assert verdicts() == {}


@pytest.mark.parametrize(
    ("column", "name", "value"),
    [
        ("predict", "predict/0", NUMBERS["predict/0"] + 1e-4),
        ("predict", "predict/0", np.array([1.0])),
        ("predict", "predict/0", np.array([1.0, np.nan])),
        ("evaluate", "evaluate/loss", np.array(0.50001)),
        ("gradients", "gradient/training/0", NUMBERS["gradient/training/0"] * 1.001),
        ("gradients", "gradient/inference/0", None),
        ("gradients", "gradient/inference/1", np.array([0.1])),
        ("training", "training/0", NUMBERS["training/0"] * 1.0001),
        ("states", "before/0", np.array([3.1])),
        ("states", "after/0", np.array([3.0])),
        ("train steps", "trained/0", np.array([0.701])),
    ],
)
def test_other_numbers_do_not_hold(column, name, value):
    assert list(verdicts({name: value})) == [column]


def test_what_tensorflow_1_says_is_told():
    assert verdicts(errors={"train": "NotFoundError: no such kernel"}) == {
        "train steps": "NotFoundError: no such kernel"
    }
    assert "load" not in verdicts(errors={"load": "ValueError: no such op"})
    assert verdicts(steps=2) == {"train steps": "global_step counts 2 of 3 steps"}
    moved = {"moved in inference": ["dense/kernel:0"]}
    assert verdicts(**moved) == {"states": "in inference a layer changes weights: ['dense/kernel:0']"}


@pytest.mark.parametrize(("rate", "holds"), [(0.4, True), (0.6, False), (0.0, False)])
def test_the_rate_of_a_random_layer_is_compared(monkeypatch, rate, holds):
    def dropped(rate, seed):
        draw = np.random.RandomState(seed)
        return np.where(draw.uniform(size=(20, 8, 5)) < rate, 0.0, 1.0 / (1.0 - rate))

    monkeypatch.setitem(NUMBERS, "random/inference", np.ones([8, 5]))
    monkeypatch.setitem(NUMBERS, "random/training", dropped(0.4, 1))
    found = verdicts({"random/training": dropped(rate, 2)}, random=True)
    assert found == {} if holds else list(found) == ["random"]


@pytest.fixture(scope="module")
def found(reader):
    """What the suite finds for RUN: dict, (keras, kind, name) -> result."""
    found = {}
    for keras_name, wanted in RUN.items():
        rows = [row for row in catalogue.rows(keras_name) if (row.kind, row.name) in wanted]
        for result in suite.Suite(keras_name, reader.python, clean_environ()).run(rows):
            found[results.key(result)] = result
    return found


@pytest.mark.parametrize("key", [(keras, *row) for keras, rows in RUN.items() for row in rows], ids="-".join)
def test_special_forms_hold(found, key):
    assert results.problems_of(found[key]) == []
