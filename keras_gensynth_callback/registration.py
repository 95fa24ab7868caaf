"""Lets each Keras load models that were saved as a `GenSynthModel`, without importing a Keras or TensorFlow for it."""

import functools
import sys
from typing import Set

import wrapt

from keras_gensynth_callback.kerases import KERASES, OTHER_BACKENDS, TENSORFLOW, backend_of_program

_imported: Set[str] = set()  # whole: a module that is being imported stands in `sys.modules`, too


def register_when_keras_is_imported():
    """Registers the model classes with each Keras: now if it is imported, else once it is, and TensorFlow
    too where it runs on that."""
    for name in (TENSORFLOW, *KERASES):
        wrapt.register_post_import_hook(functools.partial(_note, name), name)


def _note(name, _module):
    _imported.add(name)
    register_now()


def register_now():
    """Registers with the Kerases that are there, unless they, or modules of this package, are half imported."""
    there = _imported.intersection(KERASES)
    if not there or _half_imported() or TENSORFLOW not in _imported and backend_of_program() not in OTHER_BACKENDS:
        return
    from keras_gensynth_callback.training import gensynth_model_class

    for keras in there:
        gensynth_model_class(sys.modules[keras].Model)


def _half_imported():
    """Whether a module of this package has begun to import TensorFlow, and with it a Keras, and is not done."""
    inside = __package__ + "."
    specs = [getattr(module, "__spec__", None) for name, module in list(sys.modules.items()) if name.startswith(inside)]
    # Python's own mark, by which it tells what "partially initialized" modules are (importlib/_bootstrap.py).
    return any(getattr(spec, "_initializing", False) for spec in specs)
