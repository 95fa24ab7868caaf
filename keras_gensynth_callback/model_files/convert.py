"""A model file: loaded, and exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from keras_gensynth_callback.errors import GenSynthExportError
from keras_gensynth_callback.export import write_export

from .contents import read_model_file
from .loading import failed_model, load_model

if TYPE_CHECKING:
    from keras_gensynth_callback.options import ExportOptions
    from keras_gensynth_callback.record import ExportRecord


def convert_file(
    source: str, prefix: str, objects: Dict[str, Any], safe_mode: bool, options: ExportOptions
) -> ExportRecord:
    """Writes an export of the model in a file, as `public.convert_model_file` says."""
    file = read_model_file(source, safe_mode)
    model = load_model(file, objects, safe_mode=safe_mode, training=options.is_trainable)
    try:
        return write_export(model, prefix, options)
    except GenSynthExportError:
        raise
    # Keras makes models of damaged files that it cannot run.
    except Exception as error:
        raise failed_model(source, error) from error
