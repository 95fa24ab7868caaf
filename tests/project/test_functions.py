"""`scripts/functions` calls each function of keras.ops and TensorFlow, and tells right, refused and wrong apart."""

import keras
import pytest
import tensorflow as tf
from functions import calls, trying
from needs import needs

pytestmark = needs(tf="newest", reason="docs/FUNCTIONS.md lists the functions of the newest TensorFlow")


def test_arguments_are_found_that_a_function_takes():
    assert calls.way_to_call(tf.abs) == "x"
    assert calls.way_to_call(tf.image.psnr) == "images, images, number"
    assert calls.way_to_call(tf.strings.regex_full_match) == "words, pattern"
    assert calls.way_to_call(keras.ops.einsum) == "equation, x, y"
    assert calls.way_to_call(lambda: 1) is None


def test_what_makes_state_or_runs_python_is_left_out():
    found = calls.functions(tf)
    assert "abs" in found
    assert not {"Variable", "py_function", "numpy_function", "while_loop"} & set(found)


def test_each_function_of_a_group_has_an_outcome_of_its_own(reader):
    found = trying.tried({"abs": tf.abs, "eig": tf.linalg.eigvals, "none": lambda: 1}, reader)
    outcomes = {each.name: (each.outcome, each.call) for each in found}
    assert outcomes["abs"] == (trying.RIGHT, "x")
    assert outcomes["eig"][0] == trying.REFUSED
    assert outcomes["none"] == (trying.NOT_CALLED, "")


def test_a_number_that_differs_is_told_of_the_function_it_belongs_to(reader, monkeypatch):
    monkeypatch.setattr(trying, "BOUNDS", {"predict": -1.0})
    found = {each.name: each for each in trying.tried({"abs": tf.abs, "square": tf.square}, reader)}
    assert [each.outcome for each in found.values()] == [trying.WRONG] * 2
    assert found["abs"].why.startswith("predict differs by")


@pytest.mark.parametrize("named", ["abs", "exp"])
def test_a_group_that_fails_is_parted_at_what_the_error_names(named):
    group = [(name, getattr(tf, name), "x") for name in ("abs", "exp", "square")]
    parts = trying._parts(group, f"layer 'f_{named}' has an op that ...")
    assert [[each[0] for each in part] for part in parts] == [
        [named],
        [n for n in ("abs", "exp", "square") if n != named],
    ]
    assert [len(part) for part in trying._parts(group, "no name")] == [1, 2]
