"""Carries a Keras model into TensorFlow 1.x while it trains."""

import importlib
import sys
from typing import TYPE_CHECKING

from .kerases import OTHER_BACKENDS, backend_of_program
from .registration import register_now, register_when_keras_is_imported
from .tensorflow_version import check_tensorflow

if TYPE_CHECKING:
    import keras

    from .errors import GenSynthExportError
    from .export import init_variable_collections_from_keras
    from .inspection import inspect_checkpoint
    from .public import build_graph, convert_model_file, export_checkpoint, load_checkpoint
    from .record import ExportRecord
    from .report import write_report
    from .tools import compare_checkpoints, downgrade_checkpoint, freeze_checkpoint
    from .training import GenSynthExportCallback, GenSynthMixin
    from .verification import verify_checkpoint

    class GenSynthModel(GenSynthMixin, keras.Model):
        """Use it instead of `keras.Model`, subclassed or as `GenSynthModel(inputs, outputs)`: `fit` exports by itself.

        It is the model class of the Keras that the module uses which imports it: `keras.Model`, `tf_keras.Model`, or
        `tf.keras.Model`. What it takes besides, `GenSynthMixin` says.
        """


# The version of the package; setup.cfg reads it here.
__version__ = "0.1.0"

__all__ = [
    "ExportRecord",
    "GenSynthExportCallback",
    "GenSynthExportError",
    "GenSynthMixin",
    "GenSynthModel",
    "build_graph",
    "compare_checkpoints",
    "convert_model_file",
    "downgrade_checkpoint",
    "export_checkpoint",
    "freeze_checkpoint",
    "init_variable_collections_from_keras",
    "inspect_checkpoint",
    "load_checkpoint",
    "verify_checkpoint",
    "write_report",
]

# Imported when first asked for: with them comes TensorFlow, which takes seconds, and which a program may want to set up
# before.
_HOMES = {
    "ExportRecord": "record",
    "GenSynthExportCallback": "training",
    "GenSynthExportError": "errors",
    "GenSynthMixin": "training",
    "build_graph": "public",
    "compare_checkpoints": "tools",
    "convert_model_file": "public",
    "downgrade_checkpoint": "tools",
    "export_checkpoint": "public",
    "freeze_checkpoint": "tools",
    "init_variable_collections_from_keras": "export",
    "inspect_checkpoint": "inspection",
    "load_checkpoint": "public",
    "verify_checkpoint": "verification",
    "write_report": "report",
}

register_when_keras_is_imported()


def __getattr__(name):
    if name in _HOMES:
        if _needs_tensorflow(name):
            check_tensorflow()
        globals()[name] = value = getattr(importlib.import_module("." + _HOMES[name], __name__), name)
        register_now()
        return value
    # A class for the Keras that the importing module uses; made when asked for, since no Keras is imported for the
    # user.
    if name == "GenSynthModel":
        if _needs_tensorflow(name):
            check_tensorflow()
        from .training import default_keras_model_class, gensynth_model_class

        return gensynth_model_class(default_keras_model_class(sys._getframe(1).f_globals))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _needs_tensorflow(name):
    """Whether TensorFlow is needed for a name; it is not where Keras 3 trains on another backend."""
    home = _HOMES.get(name, "training")
    return home not in ("errors", "record") and not (
        home in ("public", "training") and backend_of_program() in OTHER_BACKENDS
    )


def __dir__():
    return sorted({*globals(), *__all__})
