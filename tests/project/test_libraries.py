"""docs/libraries.md has rows of models of other libraries, and says of each that is not whole what to do."""

import re

import pytest
from libraries import advice, catalogue, table
from libraries.environments import ENVIRONMENTS
from libraries.store import FAILED, REFUSED, WHOLE, WRONG, Store, outcome
from needs import outside_matrix

pytestmark = outside_matrix(reason="docs/libraries.md is written beside the newest TensorFlow")

MODULES = catalogue.modules()
COLUMNS = ("export", "predict", "evaluate", "gradients", "training", "states", "train steps", "random")
FACTS = {"keras": "keras", "version": "3.0", "tensorflow": "2.16", "library version": "1.0", "name": "net"}


def result(**more):
    """A result of a model that is whole, or not, as `more` has it."""
    checks = {**dict.fromkeys(COLUMNS), "random": "–", **more.pop("checks", {})}
    return {**FACTS, "checks": checks, **more}


REFUSAL = {"stage": "export", "error": ["UnsupportedOpError", "GenSynthExportError"], "checks": {"export": "no"}}
DEFECT = {"stage": "export", "error": ["DefectError", "GenSynthExportError"], "checks": {"export": "no"}}


def test_the_rows_of_the_page_are_models():
    page = table.PAGE.read_text(encoding="utf-8")
    models = [model for module in MODULES.values() for model in module.MODELS]
    rows = re.findall(r"^\| (?!model )(.+?) \|", page, re.MULTILINE)
    assert len(rows) >= 55
    assert set(rows) - set(models) == set()


def test_advice_is_of_models_that_there_are():
    there = {(module.LIBRARY, model) for module in MODULES.values() for model in module.MODELS}
    given = {(library, model) for library, models in advice.ADVICE.items() for model in models}
    assert given - there == set()


def test_each_library_has_an_environment():
    assert {module.ENVIRONMENT for module in MODULES.values()} == set(ENVIRONMENTS)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, WHOLE),
        ({"checks": {"predict": "differs"}}, WRONG),
        (REFUSAL, REFUSED),
        (DEFECT, FAILED),
        ({"stage": "recipe", "error": ["ValueError"], "checks": {"export": "no"}}, FAILED),
    ],
)
def test_outcomes_are_told_apart(more, expected):
    assert outcome(result(**more)) == expected
    assert outcome({"name": "net", "failed": "it ended with status -11"}) == FAILED


def entry(found):
    module = next(iter(MODULES.values()))
    return table.Entry(module, "net", found)


def test_what_is_not_whole_is_on_the_page(monkeypatch):
    monkeypatch.setitem(advice.ADVICE, next(iter(MODULES.values())).LIBRARY, {"net": "Do this."})
    assert "| net | yes | all | Do this. |" in table.written([entry(result())])
    refused = result(**REFUSAL, inference=result())
    assert '| net | refused | predictions, with `graph="inference"` | Do this. |' in table.written([entry(refused)])
    wrong = table.written([entry(result(checks={"predict": "it differs"}))])
    assert "**not right**: predict: it differs" in wrong and "1 not right" in wrong
    assert "1 more have no result yet" in table.written([entry(None)])


def test_what_is_refused_needs_a_way_out(monkeypatch):
    assert entry(result()).is_sound()
    assert not entry(None).is_sound()
    assert not entry(result(checks={"predict": "differs"})).is_sound()
    assert not entry(result(**REFUSAL)).is_sound()
    monkeypatch.setitem(advice.ADVICE, next(iter(MODULES.values())).LIBRARY, {"net": "Do this."})
    assert entry(result(**REFUSAL)).is_sound()
    assert not entry(result(**DEFECT)).is_sound()


def test_a_result_is_kept_under_its_name(tmp_path):
    store = Store(tmp_path, "library")
    store.keep(result(name="A layer, twice"))
    assert store.has("A layer, twice") and store.result("A layer, twice")["version"] == "3.0"
    store.forget("A layer, twice")
    assert store.result("A layer, twice") is None
