"""What the tests share: the reader (TensorFlow 1.15.5) and the two Kerases."""

import os

# Read by TensorFlow and Keras when they are imported.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import pytest
from kerases import KERAS2, KERASES, keras_of, module_of
from needs import can_run, installed, marks_of_module
from reader import OLDER_TARGETS, reader_of

# Hold the checks of the contract, but are no test modules themselves.
pytest.register_assert_rewrite("contract", "replayed")


@pytest.fixture(scope="session")
def reader():
    """TensorFlow 1.15.5 in a process of its own: `reader.run(code, *args)` returns what the code prints.

    Where it is missing a test that needs it is skipped, or, in CI, fails.
    """
    return reader_of("1.15")


@pytest.fixture(scope="session", params=OLDER_TARGETS)
def old_reader(request):
    """The same for the older targets; its `version` says which it is. The test runs once with each."""
    return reader_of(request.param)


@pytest.fixture(params=KERASES)
def keras_name(request):
    """The name of a Keras: the test runs once with each."""
    return request.param


@pytest.fixture
def keras(keras_name):
    """A Keras module, with its name counters and random seeds reset: the test runs once with each Keras."""
    return keras_of(keras_name)


@pytest.fixture(scope="session")
def keras3():
    """Keras 3, for tests of what it alone has. Beside an older TensorFlow they are left out."""
    return module_of("keras")


@pytest.fixture(scope="session")
def keras2():
    """tf_keras, or the tf.keras that it was, for tests of what Keras 3 does not have."""
    return module_of(KERAS2)


def pytest_addoption(parser):
    parser.addoption("--matrix", action="store_true", help="deselect what is marked `outside_matrix`")


def pytest_ignore_collect(collection_path, config):
    """Does not import a module whose marks say that it cannot run; see `needs.py`."""
    if collection_path.suffix == ".py" and collection_path.name.startswith("test_"):
        marks = marks_of_module(collection_path)
        return not can_run(marks, installed(), config.getoption("matrix")) or None
    return None


def pytest_collection_modifyitems(config, items):
    """Deselects what needs another TensorFlow or Keras; see `needs.py`."""
    out = [item for item in items if _is_about_another_keras(item) or not _has_what_it_needs(item)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def _has_what_it_needs(item):
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return can_run(list(item.iter_markers()), installed(), item.config.getoption("matrix"), parameters)


def _is_about_another_keras(item):
    named = [getattr(item.module, "KERAS", None)]
    fixtures = getattr(item, "fixturenames", ())
    named += ["keras"] if "keras3" in fixtures else []
    named += ["tf_keras"] if "keras2" in fixtures and KERAS2 == "keras" else []
    for value in item.callspec.params.values() if hasattr(item, "callspec") else ():
        named += value if isinstance(value, (tuple, list)) else [value]
    return any(name in ("keras", "tf_keras") and name not in KERASES for name in named if isinstance(name, str))


@pytest.fixture(scope="session")
def small_export(tmp_path_factory):
    """One export, made once and only read by the tests; see `cli_export`."""
    import cli_export

    return cli_export.small_export(tmp_path_factory.mktemp("small_export"))


@pytest.fixture
def run_command():
    """Runs `keras-gensynth` with arguments, in this process: its `exit_code`, `stdout` and `stderr`."""
    from click.testing import CliRunner

    from keras_gensynth_callback.cli.app import commands

    # Without the width of the terminal that the tests may run in.
    return lambda *args, **env: CliRunner(env={"COLUMNS": None, **env}).invoke(commands, [str(arg) for arg in args])
