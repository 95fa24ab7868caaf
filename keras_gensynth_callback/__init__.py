"""Carries a Keras model into TensorFlow 1.x while it trains."""

import sys

from .api import build_graph, export_checkpoint
from .callback import GenSynthExportCallback
from .errors import GenSynthExportError
from .live_graph import init_variable_collections_from_keras
from .load import load_checkpoint
from .model import GenSynthMixin, default_keras_model_class, gensynth_model_class, register_when_keras_is_imported
from .model_files import convert_model_file
from .verify import verify_checkpoint

__all__ = [
    "GenSynthExportCallback",
    "GenSynthExportError",
    "GenSynthMixin",
    "GenSynthModel",
    "build_graph",
    "convert_model_file",
    "export_checkpoint",
    "init_variable_collections_from_keras",
    "load_checkpoint",
    "verify_checkpoint",
]

register_when_keras_is_imported()


def __getattr__(name):
    # A class for the Keras that the importing module uses; made when asked for, since no Keras is imported for the
    # user.
    if name == "GenSynthModel":
        return gensynth_model_class(default_keras_model_class(sys._getframe(1).f_globals))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
