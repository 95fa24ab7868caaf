"""The foreign reader is what it claims to be, and a failure in it is never lost."""

import find_reader
import pytest
from needs import outside_matrix
from reader import ReaderFailed

pytestmark = outside_matrix(reason="tests the scripts that find and run a reader")


def test_the_reader_is_tensorflow_1_15_on_its_own(reader, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "leaked.py").write_text("")

    printed = reader.run(
        """
        import importlib.util
        import sys

        import tensorflow as tf

        print(tf.__version__, sys.argv[1:])
        print([name for name in ("keras", "keras_gensynth_callback", "leaked") if importlib.util.find_spec(name)])
        """,
        "first",
        2,
    )

    assert printed == "1.15.5 ['first', '2']\n[]\n"


def test_the_reader_runs_a_file(reader, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("print('from a file')")

    assert reader.run(program) == "from a file\n"


def test_a_failure_in_the_reader_shows_all_that_it_printed(reader):
    with pytest.raises(ReaderFailed) as failure:
        reader.run("print('so far so good')\nraise ValueError('then not')")

    for part in ("exit status 1", "so far so good", "ValueError: then not", "program.py"):
        assert part in str(failure.value)


def test_a_reader_that_hangs_is_stopped(reader):
    with pytest.raises(ReaderFailed, match="stopped after 0.5 seconds(.|\n)*waiting"):
        reader.run("import time; print('waiting', flush=True); time.sleep(60)", timeout=0.5)


def test_a_python_named_for_the_reader_must_have_tensorflow_1_15(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_GENSYNTH_READER", str(tmp_path / "python"))

    with pytest.raises(find_reader.ReaderNotFoundError, match="has no TensorFlow that can be imported; expected"):
        find_reader.make_reader()


def test_a_missing_reader_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_GENSYNTH_READER", raising=False)
    monkeypatch.setattr(find_reader, "CACHE", tmp_path)

    with pytest.raises(find_reader.ReaderNotFoundError, match="Install Python 3.7 .* or name a Python"):
        find_reader.find_reader()


def test_the_readers_of_older_targets_are_what_they_claim_to_be(old_reader):
    assert old_reader.run("import tensorflow as tf; print(tf.__version__)").startswith(old_reader.version + ".")


@pytest.mark.parametrize("version", ["1.4", "1.13", "1.14"])
def test_a_python_named_for_an_older_reader_must_have_that_tensorflow(monkeypatch, reader, version):
    monkeypatch.setenv(find_reader.override(version), reader.python)

    with pytest.raises(find_reader.ReaderNotFoundError) as error:
        find_reader.make_reader(version)

    name = "KERAS_GENSYNTH_READER_" + version.replace(".", "_")
    assert str(error.value).startswith(f"{name} is {reader.python!r}, which has TensorFlow 1.15.5; ")
    assert f"expected TensorFlow {version}." in str(error.value)


@pytest.mark.parametrize("ci, outcome", [("true", "failed"), ("", "skipped")])
def test_without_a_reader_tests_fail_in_ci_and_are_skipped_elsewhere(pytester, monkeypatch, request, ci, outcome):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("KERAS_GENSYNTH_READER", "no-such-python")
    tests = request.path.parents[1]
    pytester.makeconftest((tests / "conftest.py").read_text())
    pytester.makepyfile("def test_that_needs_the_reader(reader): assert reader")
    pytester.makeini(f"[pytest]\npythonpath = {tests} {tests}/helpers {tests.parent / 'scripts'}\n")

    result = pytester.runpytest_subprocess("-rsfE", "-p", "no:cacheprovider")

    outcomes = result.parseoutcomes()
    assert outcomes == ({"errors": 1} if outcome == "failed" else {"skipped": 1})
    assert "no-such-python" in result.stdout.str()
