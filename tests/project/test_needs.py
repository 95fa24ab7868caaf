"""The marks of `needs.py` keep a test from an environment that does not have what it needs."""

import pathlib

import needs
import pytest
from needs import Installed

CONFTEST = pathlib.Path(__file__).parents[1] / "conftest.py"
MARKERS = """
[pytest]
markers =
    needs: which TensorFlow and Keras a test needs
    in_tf1: runs in TensorFlow 1.15
    outside_matrix: no row of the matrix runs it
"""
NO_KERAS_3 = Installed((2, 10), None, True)
NO_KERAS_2 = Installed((2, 16), (3, 0), False)
BOTH = Installed((2, 21), (3, 15), True)


@pytest.fixture
def collected(pytester, monkeypatch):
    """Function: the names of the tests that pytest collects beside a TensorFlow and a Keras."""
    pytester.makeini(MARKERS)
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))

    def names(there, *arguments):
        monkeypatch.setattr(needs, "installed", lambda: there)
        found = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
        found.assert_outcomes()
        return [line.partition("::")[2] for line in found.outlines if "::" in line]

    return names


@pytest.mark.parametrize(
    "keywords, there",
    [
        ({"tf": "2.11"}, [BOTH, NO_KERAS_2]),
        ({"tf": "2.9"}, [BOTH, NO_KERAS_2, NO_KERAS_3]),
        ({"tf": "newest"}, [BOTH]),
        ({"keras3": "3.1"}, [BOTH, NO_KERAS_3]),
        ({"keras2": True}, [BOTH, NO_KERAS_3]),
        ({"both": True}, [BOTH]),
        ({"tf": "2.11", "keras2": True, "reason": "two conditions"}, [BOTH]),
    ],
)
def test_a_test_runs_where_its_needs_are_met(keywords, there):
    mark = needs.needs(**keywords).mark
    everywhere = [BOTH, NO_KERAS_2, NO_KERAS_3]
    assert [each for each in everywhere if needs.can_run([mark], each, matrix=False)] == there


def test_tests_and_cases_are_deselected(collected, pytester):
    pytester.makepyfile(
        """
        import pytest
        from needs import needs, outside_matrix

        def ours(): ...
        def theirs(): ...

        def test_anywhere(): ...

        @needs(tf="2.11", reason="a newer optimizer")
        def test_newer(): ...

        @needs(keras3="3.1", of=[theirs])
        @pytest.mark.parametrize("make", [ours, theirs])
        def test_of_a_function(make): ...

        @needs(keras3="3.1", of=[theirs])
        @pytest.mark.parametrize("name", ["ours", "theirs"])
        def test_of_a_name(name): ...

        @pytest.mark.parametrize("x", [1, pytest.param(2, marks=needs(both=True))])
        def test_case(x): ...

        @outside_matrix
        def test_once(): ...
        """
    )
    case, function, name = "test_case[1]", "test_of_a_function[ours]", "test_of_a_name[ours]"
    others = ["test_of_a_function[theirs]", "test_of_a_name[theirs]"]
    assert set(collected(NO_KERAS_3)) == {"test_anywhere", "test_once", case, function, name, *others}
    assert set(collected(NO_KERAS_2)) == {"test_anywhere", "test_once", "test_newer", case, function, name}
    assert len(collected(BOTH)) == 9 and "test_once" not in collected(BOTH, "--matrix")
    assert collected(Installed((1, 15), None, True)) == []


@pytest.mark.parametrize(
    "marks, there, arguments",
    [
        ("needs(tf='2.11')", NO_KERAS_3, []),
        ("[pytest.mark.slow, needs(tf='newest', reason='imports what is new')]", NO_KERAS_2, []),
        ("pytest.mark.outside_matrix(reason='imports a tool')", BOTH, ["--matrix"]),
        ("None", Installed((1, 15), None, True), []),
    ],
)
def test_a_module_that_cannot_run_is_not_imported(collected, pytester, marks, there, arguments):
    pytester.makepyfile(
        test_old="from needs import in_tf1\npytestmark = in_tf1\ndef test_old(): ...",
        test_new=f"import there_is_none\npytestmark = {marks}\ndef test_new(): ...",
    )
    assert collected(there, *arguments) == ["test_old"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("tff='2.11'", "`needs` does not take tff. It takes tf, keras3, keras2, both, of and reason."),
        ("'2.11'", "`needs` does not take '2.11'. It takes tf, keras3, keras2, both, of and reason."),
        ("reason='none'", "`needs` says nothing. It takes one or more of tf, keras3, keras2, both."),
        ("tf=2", "`needs` got the version 2. A version is a string like '2.11'."),
    ],
)
def test_what_a_mark_does_not_take_is_an_error(collected, pytester, arguments, message):
    pytester.makepyfile(f"from needs import needs\n@needs({arguments})\ndef test_it(): ...")
    with pytest.raises(pytest.UsageError) as error:
        needs.can_run([eval(f"needs.needs({arguments})").mark], BOTH, matrix=False)
    assert str(error.value) == message
    found = pytester.runpytest_inprocess("-q")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert message in str(found.stderr)
