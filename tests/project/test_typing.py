"""The public names have types, which `py.typed` lets a user's type checker see."""

import pathlib
import re

import pytest
from mypy import api
from needs import outside_matrix

pytestmark = outside_matrix(reason="runs mypy")

PROGRAM = pathlib.Path(__file__).parents[1].joinpath("helpers", "typed_user.py")
# Of TensorFlow and Keras there are none.
OPTIONS = ["--strict", "--ignore-missing-imports", "--follow-imports=silent", "--config-file=", "--no-incremental"]


def checked(path):
    said, errors, status = api.run([*OPTIONS, str(path)])
    assert not errors
    return status, said


def test_a_typed_program_passes_in_strict_mode():
    assert checked(PROGRAM) == (0, "Success: no issues found in 1 source file\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "right, wrong, said",
    [
        ('graph="inference"', 'graph="training"', 'Argument "graph" to "export_checkpoint"'),
        ("save_freq=100", "save_freq=1.5", 'Argument "save_freq" to "GenSynthExportCallback"'),
        ("record.size", "record.sise", 'has no attribute "sise"'),
        ('(prefix)["parameters"]', '(prefix)["parametres"]', 'has no key "parametres"'),
        ("List[str]:\n    export", "List[int]:\n    export", "Incompatible return value type"),
    ],
)
def test_a_mistake_is_found(tmp_path, right, wrong, said):
    text = PROGRAM.read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "user.py").write_text(text.replace(right, wrong), encoding="utf-8")
    status, found = checked(tmp_path / "user.py")
    assert status == 1 and re.search(re.escape(said), found), found
