"""Prints what pip is to install for a dependency group of pyproject.toml, or an extra of setup.cfg, an argument a line.

python scripts/dependency_group.py test
"""

import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # before Python 3.11
    from pip._vendor import tomli as tomllib

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def requirements(name):
    """The package, and what the group `name` names; the package with the extra `name` where there is no such group."""
    groups = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["dependency-groups"]
    return [".", *groups[name]] if name in groups else [f".[{name}]"]


if __name__ == "__main__":
    print(*requirements(sys.argv[1]), sep="\n")
