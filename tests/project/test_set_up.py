"""What `scripts/set-up` installs is named where it is looked for."""

import configparser
import pathlib
import re
import subprocess
import sys

import dependency_group
import pytest
from needs import outside_matrix

pytestmark = outside_matrix(reason="tests the scripts of the repository")

ROOT = pathlib.Path(__file__).parents[2]


def extras():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(parser["options.extras_require"])


def names():
    """The groups and extras that programs of the repository ask for."""
    programs = [
        ROOT / "run-tests",
        ROOT / "demo",
        *ROOT.glob("scripts/*"),
        *ROOT.glob(".ci/*"),
        *ROOT.glob("benchmarks/*"),
    ]
    found = set()
    for program in programs:
        text = program.read_text(encoding="utf-8", errors="replace") if program.is_file() else ""
        for asked in re.findall(r"(?:\$\(|\" )scripts/set-up ([a-z ]+)", text):
            found |= set(asked.split())
    return found


def test_all_that_is_asked_for_is_a_group_or_an_extra():
    assert names() >= {"test", "lint", "docs", "cli"}
    for name in names():
        first, *others = dependency_group.requirements(name)
        assert first == "." and others or first == f".[{name}]" and name in extras()


@pytest.mark.parametrize("name, expected", [("matrix", [".", "nox>=2024"]), ("cli", [".[cli]"])])
def test_a_group_is_its_requirements_and_an_extra_is_one_of_the_package(name, expected):
    program = [sys.executable, ROOT / "scripts" / "dependency_group.py", name]
    assert subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")[:-1] == expected
