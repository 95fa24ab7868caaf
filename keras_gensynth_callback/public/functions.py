"""The public functions that take a model, or the file of one: what they are asked for is checked here, and done by this
process, or, where Keras 3 runs on another backend than TensorFlow, by the companion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

from keras_gensynth_callback.arguments import check_bool, check_custom_objects, check_filepath, check_path
from keras_gensynth_callback.kerases import OTHER_BACKENDS, backend_of_program, is_exported_elsewhere
from keras_gensynth_callback.options import ExportOptions

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_gensynth_callback._types import ComputeDtype, DataFormat, Graph, Model, Nest, Path, Target
    from keras_gensynth_callback.record import ExportRecord


def export_checkpoint(
    model: Model,
    filepath: Path,
    *,
    target: Target = "1.15",
    graph: Graph = "trainable",
    include_optimizer: bool = True,
    input_signature: Nest = None,
    compute_dtype: ComputeDtype = None,
    data_format: DataFormat = "channels_last",
    verify: bool = False,
) -> ExportRecord:
    """Writes one export of a Keras model, now.

    Args:
        model: a Keras model, built or called once, or with `input_signature`.
        filepath: str or PathLike, the checkpoint prefix: `exports/net` gives `exports/net.meta` and so on.
        target: str, the oldest TensorFlow that must read it: "1.15", or "current".
        graph: "trainable", or "inference": no learning phase, no targets, no training ops.
        include_optimizer: bool, whether the train step and the optimizer's variables come along.
        input_signature: nest of tf.TensorSpec for the model's inputs, where the model cannot tell them.
        compute_dtype: "float32": a model of `mixed_float16` or `mixed_bfloat16` computes in float32 in the export, for
            targets that cannot compute in the shorter type (TensorFlow 1.15 has no CPU kernels for bfloat16). None: as
            the model computes.
        data_format: "channels_last": images with channels in front (`data_format="channels_first"`) are computed with
            channels last in the export, because TensorFlow 1.x has kernels for the other format on GPUs only. "keep":
            in the format that Keras builds on a machine without a GPU, for readers that have one. Inputs and outputs
            of the model keep their format either way.

        verify: bool, whether a clean process, without Keras, compares the numbers of the graph with those of Keras, and
            reloads the export before it is committed.

    Returns:
        An ExportRecord. (Under `MultiWorkerMirroredStrategy` all workers must call it; the chief writes, and the others
        get None.)

    Raises:
        GenSynthExportError: one of its subclasses; nothing is left behind then.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> gensynth.export_checkpoint(model, tmp_path / "net").prefix.endswith("net")
        True
    """
    prefix = check_filepath(filepath)
    options = ExportOptions(target, graph, include_optimizer, input_signature, compute_dtype, data_format, verify)
    if is_exported_elsewhere(model):
        from keras_gensynth_callback import companion

        return companion.write_export(model, prefix, options)
    from keras_gensynth_callback.export import write_export

    return write_export(model, prefix, options)


def build_graph(
    model: Model,
    *,
    target: Target = "1.15",
    graph: Graph = "trainable",
    include_optimizer: bool = True,
    input_signature: Nest = None,
    compute_dtype: ComputeDtype = None,
    data_format: DataFormat = "channels_last",
) -> tf.Graph:
    """The graph that an export of the model holds, with its collections filled, to look at or to run.

    Args:
        model, target, graph, include_optimizer, input_signature, compute_dtype, data_format: as for
            `export_checkpoint`.

    Returns:
        A new `tf.Graph`. The default graph is not touched.

    Raises:
        GenSynthExportError: one of its subclasses.

    Examples:
        >>> import keras, tensorflow as tf, keras_gensynth_callback as gensynth
        >>> layers = [keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
        >>> graph = gensynth.build_graph(keras.Sequential(layers))
        >>> len(graph.get_collection(tf.compat.v1.GraphKeys.UPDATE_OPS))
        2
    """
    options = ExportOptions(target, graph, include_optimizer, input_signature, compute_dtype, data_format)
    made = None
    if is_exported_elsewhere(model):
        from keras_gensynth_callback import companion

        made = companion.meta_graph(model, options)
    from keras_gensynth_callback.export import graph_of, made_meta_graph

    return graph_of(made_meta_graph(model, options) if made is None else made)


def load_checkpoint(model: Model, filepath: Path) -> List[str]:
    """Reads a checkpoint into a Keras model: weights, and as far as they are there, optimizer, metrics and random
    state.

    The checkpoint may be an export, or what `tf.compat.v1.train.Saver.save` of a TF 1.x program wrote from one, under
    the same names. Variables that such a program added for itself - slots of another optimizer, say - are passed
    over. A line is logged of what was passed over, and of what the model has and the checkpoint has not.

    Any Keras reads what any other wrote, where layers have the same names and weights the same shapes, and, of the
    optimizer, what both know: the moments of Adam and the momentum of SGD, say.

    A model in graph mode gets the values in Keras's session.

    Args:
        model: a built Keras model, of the architecture that was exported.
        filepath: str or PathLike, the checkpoint prefix.

    Returns:
        The names of the variables that were read, a sorted list of str.

    Raises:
        CheckpointFormatError: the files are missing, truncated or of another kind.
        CheckpointMismatchError: the checkpoint is of another architecture; the model is as it was.
        NotBuiltError: the model has no weights yet.

    Examples:
        >>> import keras, keras_gensynth_callback as gensynth
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="level")])
        >>> record = gensynth.export_checkpoint(model, tmp_path / "net")
        >>> gensynth.load_checkpoint(model, record.prefix)
        ['level/bias', 'level/kernel']
    """
    if is_exported_elsewhere(model):
        from keras_gensynth_callback import companion

        return companion.load_checkpoint(model, filepath)
    from keras_gensynth_callback.restore import read_into

    return read_into(model, filepath)


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
    if backend_of_program() in OTHER_BACKENDS:
        from keras_gensynth_callback import companion

        return companion.convert(source, prefix, objects, safe_mode, options)
    from keras_gensynth_callback.model_files import convert_file

    return convert_file(source, prefix, objects, safe_mode, options)
