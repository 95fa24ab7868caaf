"""What there is to be covered: found by introspection, so that nothing new in a Keras can be forgotten."""

import collections
import importlib
import inspect

KERASES = ("keras", "tf_keras")
TITLES = {"keras": "Keras 3", "tf_keras": "tf_keras"}
KINDS = (
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "regularizers",
    "constraints",
    "activations",
    "applications",
)
# In these modules what is to be covered are functions, too.
_FUNCTIONS = ("activations", "applications")
# Functions of `keras.activations` that are no activations.
_TOOLS = ("deserialize", "get", "serialize")

# One thing to cover: its kind, its name, its other names, and the class or function itself.
Row = collections.namedtuple("Row", ["kind", "name", "aliases", "object"])


def rows(keras_name, kinds=KINDS):
    """All rows of one Keras, in the order of kinds and names: a list of Row.

    Names of one object make one row, under the name that it was defined with.
    """
    keras = importlib.import_module(keras_name)
    return [row for kind in kinds for row in _rows(keras, kind)]


def _rows(keras, kind):
    module = keras
    for part in kind.split("."):
        module = getattr(module, part)
    names = collections.OrderedDict()
    for name in sorted(dir(module)):
        found = getattr(module, name)
        if not name.startswith("_") and _counts(kind, name, found):
            names.setdefault(id(found), (found, []))[1].append(name)
    found = [(_main_name(item, aliases), aliases, item) for item, aliases in names.values()]
    return [Row(kind, name, [a for a in aliases if a != name], item) for name, aliases, item in sorted(found, key=_key)]


def _counts(kind, name, found):
    if inspect.isclass(found):
        return True
    return kind in _FUNCTIONS and inspect.isfunction(inspect.unwrap(found)) and name not in _TOOLS


def _main_name(item, names):
    return item.__name__ if item.__name__ in names else names[0]


def _key(item):
    return item[0].lower(), item[0]
