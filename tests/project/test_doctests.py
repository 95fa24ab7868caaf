"""The examples in docstrings run, with Keras 3 as they stand and with tf_keras in its place."""

import doctest
import importlib
import pathlib

import pytest
from kerases import KERAS2, importable
from needs import needs

import keras_gensynth_callback as package

FOLDER = pathlib.Path(package.__file__).parent


def _modules_with_examples():
    for path in sorted(FOLDER.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(FOLDER.parent).with_suffix("").parts
            yield ".".join(parts)


def _examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in _modules_with_examples():
        yield from (test for test in finder.find(importlib.import_module(name)) if test.examples)


EXAMPLES = {test.name: test for test in _examples()}


def _marks(name):
    imports_keras2 = any(" tf_keras," in step.source for step in EXAMPLES[name].examples)
    return [needs(keras2=True)] if imports_keras2 else []


@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in sorted(EXAMPLES)])
def test_the_example_of_a_docstring_runs(name, keras, keras_name, tmp_path, capsys):
    example = EXAMPLES[name]
    steps = [
        doctest.Example(_with_keras(step.source, keras_name), step.want, step.exc_msg, step.lineno, step.indent)
        for step in example.examples
    ]
    globs = dict(example.globs, tmp_path=tmp_path)
    test = doctest.DocTest(steps, globs, example.name, example.filename, example.lineno, example.docstring)
    failed, tried = doctest.DocTestRunner(verbose=False).run(test)
    assert tried
    assert not failed, capsys.readouterr().out


def test_each_public_function_has_an_example():
    functions = [getattr(package, name) for name in package.__all__ if name.islower()]
    assert len(functions) >= 3
    documented = {f"{function.__module__}.{function.__name__}" for function in functions}
    assert documented <= set(EXAMPLES)


def _with_keras(source, keras_name):
    source = source.replace(" tf_keras,", f" {importable(KERAS2)} as tf_keras,")
    return source.replace("import keras,", f"import {importable(keras_name)} as keras,")
