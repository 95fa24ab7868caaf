"""What the package shows to its users, and what importing it does."""

import json
import os
import subprocess
import sys

from needs import in_tf1

import keras_gensynth_callback as package

pytestmark = in_tf1

PROGRAM = """
import json, sys
import tensorflow
before = set(sys.modules)
{statement}
print(json.dumps([sorted(before), sorted(sys.modules)]))
"""


def test_public_names_are_listed_in_order():
    assert package.__all__ == sorted(package.__all__)
    assert len(package.__all__) == len(set(package.__all__))


def test_all_public_names_can_be_had_and_are_documented():
    for name in package.__all__:
        assert getattr(package, name).__doc__, name
        assert name in dir(package)


def test_public_names_say_that_they_are_of_this_package():
    for name in package.__all__:
        assert getattr(package, name).__module__.split(".")[0] == "keras_gensynth_callback", name


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    assert not hasattr(package, "export_checkpint")


def test_importing_the_package_imports_no_keras_that_tensorflow_has_not_imported():
    before, after = _modules_around("import keras_gensynth_callback")
    added = {name.split(".")[0] for name in set(after) - set(before)}
    assert "keras_gensynth_callback" in added
    assert not added & {"keras", "tf_keras", "jax", "torch"}


def test_a_star_import_gives_the_public_names():
    names = f"from keras_gensynth_callback import *; {', '.join(package.__all__)}"
    _, after = _modules_around(names)
    assert "keras_gensynth_callback.export.functions" in after
    assert "tf_keras" not in after


def _modules_around(statement):
    """The names of all modules before and after a statement, in an interpreter of its own that has imported
    TensorFlow.
    """
    root = os.path.dirname(os.path.dirname(os.path.abspath(package.__file__)))
    environ = dict(os.environ, PYTHONPATH=root)
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
