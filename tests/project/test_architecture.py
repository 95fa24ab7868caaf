"""What holds of the package's imports. The order of the rooms is in `.importlinter`, which `lint-imports` checks."""

import ast
import pathlib

import pytest

import keras_gensynth_callback

ROOT = pathlib.Path(keras_gensynth_callback.__file__).parent
PACKAGE = ROOT.name
# Where the private names of TensorFlow stand, each with its reason and versions.
OF_TENSORFLOW = [
    f"compat.{name}" for name in ("control_flow", "functions", "gradients", "operations", "patching", "replicas")
]


def _name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in ROOT.rglob("*.py")}
ROOMS = {name for name, path in MODULES.items() if path.name == "__init__.py" and name}


def _imports(name):
    """The modules, or the names in them, that a module imports of the package: dotted, without the package's name."""
    path = MODULES[name]
    here = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = [part for part in (node.module or "").split(".") if part]
        if node.level:
            above = [part for part in here if part]
            base = above[: len(above) - node.level + 1] + module
        elif module[:1] == [PACKAGE]:
            base = module[1:]
        else:
            continue
        for alias in node.names:
            yield ".".join([*base, alias.name]), ".".join(base)


def _reached_past(importer, module):
    """The room whose front an import goes past, or None."""
    for room in sorted(ROOMS, key=len):
        is_inside = importer == room or importer.startswith(room + ".")
        if module.startswith(room + ".") and not is_inside:
            return room
    return None


@pytest.mark.parametrize("name", sorted(MODULES))
def test_nobody_reaches_past_the_front_of_a_room(name):
    # A program of its own imports what it runs.
    past = {module for _, module in _imports(name) if _reached_past(name, module)}
    assert not past


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_has_no_name_twice(room):
    """A function with the name of its module would hide it."""
    offered = {target.split(".")[-1]: module for target, module in _imports(room) if module != room}
    assert not [name for name, module in offered.items() if f"{room}.{name}" in MODULES and module.startswith(room)]


def test_private_names_of_tensorflow_stand_in_one_room():
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            imported += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            private = [module for module in imported if module.startswith(("tensorflow.python", "tensorflow_core"))]
            assert not private or name in OF_TENSORFLOW, (name, private)


def test_the_packages_of_keras_are_listed_once():
    lists = [name for name, path in MODULES.items() if '"keras", "tf_keras")' in path.read_text(encoding="utf-8")]
    assert lists == ["kerases"]


def test_a_newcomer_finds_few_modules_beside_the_rooms():
    assert len([name for name in MODULES if "." not in name and name not in ROOMS]) <= 10
