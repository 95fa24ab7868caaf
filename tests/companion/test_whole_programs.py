"""A whole program on JAX and on Torch: the callback's rules, and every way to export and to read back."""

import json
import pathlib

import other_backends
import pytest
from needs import outside_matrix

from keras_gensynth_callback.run import run_script

pytestmark = outside_matrix(reason="runs programs in a Python with JAX or Torch")

PROGRAM = pathlib.Path(__file__).with_name("whole_program.py")


@pytest.fixture(scope="module", params=other_backends.BACKENDS)
def facts(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    other_backends.run(request.param, PROGRAM, root)
    return json.loads((root / "facts.json").read_text())


def test_training_is_bit_by_bit_what_it_is_without_a_callback(facts):
    assert facts["same training"] and facts["same training with errors"]


def test_exports_are_made_when_they_are_due(facts):
    moments = [[epoch, batch, f"net-{epoch}-{batch}"] for epoch in (1, 2) for batch in (1, 2, 3, 4)]
    assert facts["records"] == moments


def test_the_newest_exports_stay(facts):
    assert facts["kept"] == ["net-2-2", "net-2-3", "net-2-4"]
    assert facts["latest"] == "net-2-4"
    suffixes = (".data-00000-of-00001", ".index", ".json", ".meta")
    assert facts["files"] == ["checkpoint", *(name + suffix for name in facts["kept"] for suffix in suffixes)]


def test_an_export_holds_the_values_of_its_moment(facts):
    assert facts["values of the moment"] == [True, True, True]


def test_a_checkpoint_is_read_back_with_optimizer_and_metrics(facts):
    assert facts["all read"] and facts["goes on alike"]
    assert {"dense/kernel", "scale/scale", "training/Adam/iter", "training/Adam/dense/kernel/m"} <= set(facts["read"])


def test_a_training_with_batches_exports_what_one_with_arrays_does(facts):
    assert facts["same graph from batches"]


def test_what_was_no_better_is_not_exported(facts):
    assert facts["none was better"] == []


def test_a_callback_serves_two_trainings(facts):
    assert facts["at the end"] == ["end/net"]


def test_a_failure_is_a_warning_where_that_is_asked_for(facts):
    assert any("cannot be written" in words and "training goes on" in words for words in facts["warned"])


def test_a_fit_that_died_before_its_first_step_leaves_nothing_for_the_next(facts):
    assert facts["died"] == "before the first step"
    assert facts["prepared by another fit"] == 0


def test_other_ways_export_as_well(facts):
    files = ["net.data-00000-of-00001", "net.index", "net.json", "net.meta"]
    assert facts["now"] == [False, files]
    assert facts["ours"] == ["checkpoint", *files]
    assert facts["converted"] == files
    assert facts["graph"] == 6


def test_nothing_of_ours_imports_tensorflow(facts):
    assert facts["tensorflow"] is False


def test_a_script_exports_that_knows_of_no_export(tmp_path):
    options = json.dumps({"filepath": str(tmp_path / "net-{epoch}")})
    script = PROGRAM.with_name("unmodified_script.py")
    done = other_backends.run("jax", run_script.__file__, options, script, 2)
    assert done.stdout == "False\n"
    assert {"net-1.meta", "net-2.meta"} <= {path.name for path in tmp_path.iterdir()}
