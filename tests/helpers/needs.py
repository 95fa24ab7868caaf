"""Marks that say what a test needs. `conftest.py` deselects a test where TensorFlow or Keras does not have it.

    @needs(tf="2.11")      TensorFlow 2.11 or later; tf="newest": later than the other TensorFlow versions of the matrix
    @needs(keras3="3.1")   if the Keras is Keras 3: 3.1 or later
    @needs(keras2=True)    Keras 2: tf_keras, or the tf.keras of TensorFlow up to 2.15
    @needs(both=True)      Keras 3 and tf_keras
    @outside_matrix        the environment of `run-tests`: no row of the matrix runs the test
    pytestmark = in_tf1    the module runs in TensorFlow 1.15, too; other modules do not

`reason` says why. With `of=[...]` only those cases of a parametrized test need it that have one of these parameters.

The marks in the `pytestmark` of a module are read before the module is imported, since its imports may fail beside an
older TensorFlow. Their keywords must be literals.
"""

import ast
import collections
import functools
import re

import pytest

needs = pytest.mark.needs
in_tf1 = pytest.mark.in_tf1
outside_matrix = pytest.mark.outside_matrix

# The matrix has no row between TensorFlow 2.16 and the newest.
NEWEST = "2.17"

# Versions are (major, minor); `keras3` is None without Keras 3.
Installed = collections.namedtuple("Installed", ["tf", "keras3", "keras2"])

_CONDITIONS = {
    "tf": lambda wanted, there: there.tf >= _version(NEWEST if wanted == "newest" else wanted),
    "keras3": lambda wanted, there: there.keras3 is None or there.keras3 >= _version(wanted),
    "keras2": lambda wanted, there: there.keras2 or not wanted,
    "both": lambda wanted, there: (there.keras2 and there.keras3 is not None) or not wanted,
}


@functools.lru_cache(maxsize=None)
def installed():
    """The TensorFlow and the Keras that run the tests."""
    import tensorflow as tf
    from kerases import KERASES, module_of

    keras3 = _version(module_of("keras").__version__) if "keras" in KERASES else None
    return Installed(_version(tf.__version__), keras3, KERASES != ("keras",))


def can_run(marks, there, matrix, parameters=()):
    """Whether a test or a module with these marks runs.

    Args:
        marks: list of Mark.
        there: Installed.
        matrix: bool, whether a row of the matrix runs.
        parameters: list, the parameters of a parametrized test.
    """
    names = [mark.name for mark in marks]
    if matrix and "outside_matrix" in names or there.tf < (2, 0) and "in_tf1" not in names:
        return False
    return all(_is_met(mark, there, parameters) for mark in marks if mark.name == "needs")


def _is_met(mark, there, parameters):
    conditions = {name: wanted for name, wanted in mark.kwargs.items() if name in _CONDITIONS}
    unknown = [*map(repr, mark.args), *sorted(set(mark.kwargs) - {*_CONDITIONS, "of", "reason"})]
    if unknown:
        raise pytest.UsageError(
            f"`needs` does not take {', '.join(unknown)}. It takes {', '.join(_CONDITIONS)}, of and reason."
        )
    if not conditions:
        raise pytest.UsageError(f"`needs` says nothing. It takes one or more of {', '.join(_CONDITIONS)}.")
    if "of" in mark.kwargs and not any(_is_one_of(value, mark.kwargs["of"]) for value in parameters):
        return True
    return all(_CONDITIONS[name](wanted, there) for name, wanted in conditions.items())


def _is_one_of(value, wanted):
    """Whether a parameter is one of `wanted`; a function may be given by its name."""
    return any(value is each or value == getattr(each, "__name__", None) for each in wanted)


def _version(text):
    found = re.match(r"(\d+)\.(\d+)", str(text))
    if found is None:
        raise pytest.UsageError(f"`needs` got the version {text!r}. A version is a string like '2.11'.")
    return int(found.group(1)), int(found.group(2))


def marks_of_module(path):
    """The marks of this file in the `pytestmark` of a module that is not imported: list of Mark."""
    text = path.read_text(encoding="utf-8")
    if "pytestmark" not in text:
        return []
    return [mark for statement in ast.parse(text).body for mark in _marks_of(statement)]


def _marks_of(statement):
    """The marks that a statement gives its module."""
    names = [getattr(target, "id", "") for target in getattr(statement, "targets", ())]
    if "pytestmark" not in names:
        return
    value = statement.value
    for node in value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]:
        mark = node.func if isinstance(node, ast.Call) else node
        name = getattr(mark, "attr", getattr(mark, "id", ""))
        if name in ("needs", "in_tf1", "outside_matrix"):
            keywords = {each.arg: ast.literal_eval(each.value) for each in getattr(node, "keywords", ())}
            yield getattr(pytest.mark, name)(**keywords).mark
