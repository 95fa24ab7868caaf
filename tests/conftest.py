"""What the tests share: the reader (TensorFlow 1.15.5) and the two Kerases."""

import importlib
import os

# Read by TensorFlow and Keras when they are imported.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import pytest
from find_reader import ReaderNotFoundError, find_reader
from reader import Reader

# Holds the tests of the contract, but is no test module itself.
pytest.register_assert_rewrite("contract")


@pytest.fixture(scope="session")
def reader():
    """TensorFlow 1.15.5 in a process of its own: `reader.run(code, *args)` returns what the code prints.

    Where it is missing a test that needs it is skipped, or, in CI, fails.
    """
    try:
        return Reader(find_reader())
    except ReaderNotFoundError as error:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing(str(error))


@pytest.fixture(params=["keras", "tf_keras"])
def keras_name(request):
    """The name of a Keras: the test runs once with each."""
    return request.param


@pytest.fixture
def keras(keras_name):
    """A Keras module, with its name counters and random seeds reset: the test runs once with each Keras."""
    module = importlib.import_module(keras_name)
    module.backend.clear_session()
    module.utils.set_random_seed(0)
    return module
