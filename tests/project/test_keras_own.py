"""What Keras's own tests make is noted once, put into models, and compared with what TensorFlow 1.15 says of it."""

import json
import types

import keras
import numpy as np
import pytest
from breadth import checks, table
from breadth.catalogue import Row
from breadth.suite import Suite
from find_reader import clean_environ
from keras.src.testing import TestCase
from keras_own import __main__, cases, configurations, outcomes, page, recording
from keras_own.configurations import Array, Configuration
from needs import needs

pytestmark = needs(tf="newest", reason="reads the tests in the wheel of the newest Keras")


@pytest.fixture(scope="module")
def noted():
    """What two small test modules of Keras make."""
    paths = [*recording.modules("core/masking_test"), *recording.modules("metrics/hinge_metrics_test")]
    return recording.recorded(paths)


def test_layers_are_noted_with_arguments_and_inputs(noted):
    layers = [each.described() for each in noted if each.kind == "layers"]
    assert layers[0]["class"] == "keras.src.layers.core.masking.Masking"
    assert layers[0]["kwargs"] == {"mask_value": 0.0}
    assert layers[0]["inputs"] == "float32[2, 3, 2]"


def test_metrics_are_noted_with_the_first_values_that_they_get(noted):
    (first, *_) = [each for each in noted if each.kind == "metrics" and each.inputs]
    assert first.where.startswith("hinge_metrics_test.py::HingeTest")
    assert [array.shape for array in first.inputs] == [(2, 4), (2, 4)]


def test_keras_is_as_it_was_afterwards(noted):
    count = len(noted)
    keras.metrics.Hinge()
    assert len(noted) == count
    assert type(vars(TestCase)["run_layer_test"]) is types.FunctionType


def dense(units, shape=(2, 3), **kwargs):
    return Configuration(
        "layers", keras.layers.Dense, {"units": units, **kwargs}, "a test", Array(np.ones(shape, "f4"))
    )


def test_equal_configurations_count_once():
    given = [dense(4), dense(4), dense(5), dense(4, name="other"), dense(4, activation=None), dense(4, shape=(2, 5))]
    assert configurations.distinct(given) == [given[0], given[2], given[5]]


def test_a_layer_among_the_arguments_is_made_anew():
    wrapped = Configuration("layers", keras.layers.Bidirectional, {"layer": keras.layers.LSTM(3)}, "a test")
    one, other = wrapped.kwargs()["layer"], wrapped.kwargs()["layer"]
    assert one is not other
    assert one.units == other.units == 3


def examined(reader, *given):
    suite = Suite("keras", reader.python, clean_environ(), recipe_of=lambda row: cases.case)
    rows = [Row(each.kind, str(number), [], each) for number, each in enumerate(given)]
    found = {int(result["name"]): result for result in suite.run(rows)}
    return [outcomes.outcome(each, found[number]) for number, each in enumerate(given)]


def test_configurations_are_exported_and_compared(reader):
    pair = [np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.2, 0.7], [0.6, 0.4]])]
    found = examined(
        reader,
        dense(4, activation="tanh"),
        Configuration("losses", keras.losses.MeanAbsoluteError, {"reduction": "sum"}, "a test", pair),
        Configuration("metrics", keras.metrics.BinaryAccuracy, {"threshold": 0.6}, "a test", pair),
        Configuration("optimizers", keras.optimizers.Adam, {"beta_1": 0.5}, "a test"),
        Configuration("layers", keras.layers.Dense, {"units": 2}, "a test"),
    )
    assert [each.outcome for each in found] == [outcomes.RIGHT] * 4 + [outcomes.NOT_A_MODEL], found
    assert "the test makes it without an input" in found[-1].why


def test_a_wrong_number_is_reported(reader, monkeypatch):
    compare = checks.verdicts

    def with_a_wrong_number(wanted, facts, got, replayed):
        return compare(wanted, facts, {**got, "predict/0": got["predict/0"] * 1.001}, replayed)

    monkeypatch.setattr(checks, "verdicts", with_a_wrong_number)
    (found,) = examined(reader, dense(4))
    assert found.outcome == outcomes.WRONG
    assert found.why.startswith("predict: predict/0 differs by 0.001")
    assert "Dense" in outcomes.line(found)
    assert outcomes.counts([found])["layers"]["wrong"] == 1


def an_outcome(word, why=""):
    return outcomes.Outcome(
        "layers", "Dense", 'layers Dense {"kwargs": {"units": 4}}', "a test", word, why, "", "Keras 3 in TensorFlow 2"
    )


def test_the_section_is_replaced_and_the_rest_of_the_page_stays(tmp_path, monkeypatch):
    document = tmp_path / "COVERAGE.md"
    document.write_text("# Coverage\n\n| `Dense` | yes |\n")
    monkeypatch.setattr(table, "DOCUMENT", document)
    page.write([an_outcome("right"), an_outcome("right")], 2)
    page.write([an_outcome("right"), an_outcome("refused", "UnsupportedOpError: no such op")], 2)
    text = document.read_text()
    assert text.startswith("# Coverage\n\n| `Dense` | yes |\n\n## Keras's own tests\n")
    assert text.count("## Keras's own tests") == 1
    assert "| layers | 2 | 1 | 1 | 0 | 0 | 0 |" in text
    assert '- layers, `Dense`, as with `{"kwargs": {"units": 4}}`: `UnsupportedOpError: no such op`' in text
    assert table.own_tests(text) in text
    assert "still to be run" not in text


def test_what_is_still_to_be_run_is_said():
    assert "2 of 5 configurations were run; the others are still to be run." in page.section(
        [an_outcome("right")] * 2, 5
    )


def test_what_ends_for_one_reason_is_one_line():
    whys = [f"UnsupportedOpError: 'functional_{n}/dense_{n}' holds no such op" for n in range(2)]
    found = [an_outcome("refused", why) for why in whys] + [an_outcome("refused", "UnsupportedOpError: another")]
    text = page.section(found, 3)
    assert "- layers, `Dense` (2), as with" in text
    assert text.count("holds no such op") == text.count("another") == 1


def test_what_ends_the_process_is_the_outcome_of_what_was_running(tmp_path, monkeypatch):
    options = types.SimpleNamespace(out=tmp_path)
    running = [(tmp_path / "first.json", an_outcome("crashed"))]
    statuses = []

    def part(command):
        statuses.append(command[-1])
        if running:
            file, begun = running.pop()
            (tmp_path / "running-1").write_text(json.dumps([str(file), begun._asdict()]))
            return -11
        return 0

    monkeypatch.setattr(__main__.subprocess, "call", part)
    assert __main__._part(options, 1) == 0
    assert statuses == ["1", "1"]
    (kept,) = tmp_path.glob("*")
    told = outcomes.Outcome(**json.loads(kept.read_text()))
    assert (kept.name, told.outcome, told.why) == ("first.json", "crashed", "the process ended with status -11")


def test_a_process_that_ends_with_nothing_running_is_not_started_again(tmp_path, monkeypatch):
    monkeypatch.setattr(__main__.subprocess, "call", lambda command: 2)
    assert __main__._part(types.SimpleNamespace(out=tmp_path), 0) == 2
