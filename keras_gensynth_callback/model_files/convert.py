"""The function for model files: load, and export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

from keras_gensynth_callback.arguments import check_bool, check_custom_objects, check_filepath, check_path
from keras_gensynth_callback.errors import GenSynthExportError
from keras_gensynth_callback.export import write_export
from keras_gensynth_callback.options import ExportOptions

from .contents import read_model_file
from .loading import failed_model, load_model

if TYPE_CHECKING:
    from keras_gensynth_callback._types import ComputeDtype, DataFormat, Graph, Nest, Path, Target
    from keras_gensynth_callback.record import ExportRecord


def convert_model_file(
    path: Path,
    filepath: Path,
    custom_objects: Optional[Dict[str, Any]] = None,
    *,
    safe_mode: bool = True,
    target: Target = "1.15",
    graph: Graph = "trainable",
    include_optimizer: bool = True,
    input_signature: Nest = None,
    compute_dtype: ComputeDtype = None,
    data_format: DataFormat = "channels_last",
    verify: bool = False,
) -> ExportRecord:
    """Writes an export of the model in a file that Keras wrote, with the optimizer, loss and metrics that it holds.

    The file may be `.h5` or `.hdf5` (Keras 2 and 3, `tf.keras` of TensorFlow 1.15 too), `.keras`, or a SavedModel
    folder that Keras wrote. The Keras that wrote it reads it, and is imported for that: Keras 3 its own files,
    `tf_keras` (up to TensorFlow 2.15 `tf.keras`) those of Keras 2.

    Args:
        path: str or PathLike, the file or the folder.
        filepath: str or PathLike, the checkpoint prefix: `exports/net` gives `exports/net.meta` and so on.
        custom_objects: dict, names -> layers, functions and other objects that are not Keras's own, as for Keras's
            `load_model`.
        safe_mode: bool. True: nothing of the file is run as a program: Python code in it (lambdas), functions that it
            names outside of Keras, and the functions of a SavedModel. False: they are, so trust whoever wrote the file.
        target, graph, include_optimizer, input_signature, compute_dtype, data_format, verify: as for
            `export_checkpoint`. With
            `graph="inference"` what the file says of training is not read.

    Returns:
        An ExportRecord.

    Raises:
        ModelFileError: the file is missing, truncated, of another kind, or has weights alone.
        MissingCustomObjectError: the model needs objects that are not in `custom_objects`; all of them are named.
        UnsafeModelFileError: the file holds what only `safe_mode=False` runs.
        MissingKerasError: the Keras that wrote the file is not installed.
        GenSynthExportError: another of its subclasses, as for `export_checkpoint`.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.save(tmp_path / "net.keras")
        >>> gensynth.convert_model_file(tmp_path / "net.keras", tmp_path / "net").prefix.endswith("net")
        True
    """
    source, prefix = check_path(path), check_filepath(filepath)
    objects = check_custom_objects(custom_objects)
    check_bool("safe_mode", safe_mode)
    options = ExportOptions(target, graph, include_optimizer, input_signature, compute_dtype, data_format, verify)
    file = read_model_file(source, safe_mode)
    model = load_model(file, objects, safe_mode=safe_mode, training=options.is_trainable)
    try:
        return write_export(model, prefix, options)
    except GenSynthExportError:
        raise
    # Keras makes models of damaged files that it cannot run.
    except Exception as error:
        raise failed_model(source, error) from error
