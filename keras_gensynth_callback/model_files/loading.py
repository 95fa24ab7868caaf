"""Makes the model of a file, by the Keras that wrote it."""

import inspect
import zipfile

from keras_gensynth_callback.errors import GenSynthExportError, ModelFileError, UnsafeModelFileError

from .budget import Budget
from .building import build_model, call_once, is_misread_by_keras_2
from .compiled import choose_metrics_again, load_hdf5_of_keras_3, warn_of_lost_state
from .frameworks import keras_of, version_of
from .missing import Known, check_names, missing_error
from .references import optimizers_of_torch
from .safety import check_config, check_safe, has_bytecode

_SUFFIXES = {"HDF5": (".h5", ".hdf5"), "keras": (".keras",)}


def load_model(file, custom_objects, safe_mode, training):
    """The Keras model in a ModelFile.

    Args:
        file: ModelFile.
        custom_objects: dict.
        safe_mode: bool, whether code in the file is refused.
        training: bool, whether the model is compiled as it was.

    Raises:
        ModelFileError: the file is refused, or its Keras could not make the model; or a subclass.
        MissingKerasError: its Keras is not installed.
    """
    keras = keras_of(file)
    _check_name(file)
    if safe_mode:
        _check_kind(file)
    custom_objects = {**optimizers_of_torch(file, keras), **custom_objects}
    known = Known(file, keras, custom_objects)
    if safe_mode:
        check_safe(file, known, training)
        check_names(file, known, training)
        _check_has_config(file)
        check_config(file)
    budget = Budget(file, keras)
    try:
        with budget.watched():
            model = _made(file, keras, custom_objects, safe_mode, training, known)
        if not isinstance(model, keras.Model):
            raise TypeError(f"the config is that of a {type(model).__name__}, and should be that of a model")
        return model
    except GenSynthExportError as error:
        # Keras adds words of its own to what is raised while it makes a layer.
        raise (budget.refusal or error) from None
    # The code of a custom layer may raise anything.
    except Exception as error:
        raise (budget.refusal or missing_error(file, known, training) or _failed(file, keras, error)) from error


def _made(file, keras, custom_objects, safe_mode, training, known):
    if file.kind == "SavedModel" and (safe_mode or _needs_no_code(file, known, training)):
        return build_model(file, keras, custom_objects, training)
    options = {}
    if "safe_mode" in inspect.signature(keras.models.load_model).parameters:
        options["safe_mode"] = safe_mode
    if file.kind == "HDF5" and file.of_keras_3:
        return load_hdf5_of_keras_3(file, keras, custom_objects, training, **options)
    if is_misread_by_keras_2(file) and not has_bytecode(file):
        model = build_model(file, keras, custom_objects, training)
    else:
        model = keras.models.load_model(file.path, custom_objects=custom_objects, compile=training, **options)
    if file.kind == "keras":
        call_once(model, file)
    if file.kind == "HDF5" and training:
        if file.training:
            with keras.utils.custom_object_scope(custom_objects):
                choose_metrics_again(model, file.training, keras)
        warn_of_lost_state(model, file, keras)
    return model


def _needs_no_code(file, known, training):
    return file.model is not None and not has_bytecode(file) and missing_error(file, known, training) is None


def _check_name(file):
    """Keras chooses how to read a file by its name; Keras 2 reads HDF5 under any name."""
    suffixes = _SUFFIXES.get(file.kind, ())
    by_name = file.kind == "keras" or file.kind == "HDF5" and file.of_keras_3
    if by_name and not file.path.endswith(suffixes) and not file.is_folder:
        kind = "an HDF5 file" if file.kind == "HDF5" else "a zip archive in the format `.keras`"
        raise ModelFileError(
            f"{file.path!r} is {kind} of Keras {file.version}, which reads such under a name that ends in "
            f"{' or '.join(suffixes)}. Rename it."
        )


def _check_kind(file):
    """Refuses what Keras would take for a file of another kind than the one that was looked at."""
    other = None
    if file.kind == "HDF5" and file.path.endswith(".keras") and zipfile.is_zipfile(file.path):
        other = "an HDF5 file, and a zip archive as well"
    elif file.is_folder and file.kind == "keras" and not file.of_keras_3:
        other = "a folder with the config of an archive, as only Keras 3 writes them, of another Keras"
    if other:
        raise UnsafeModelFileError(
            f"Reading {file.path!r} might run code that stands in it, since it is {other}. Expected: a file of one "
            "kind. Save the model again; or, if you trust whoever wrote the file, pass `safe_mode=False`."
        )


def _check_has_config(file):
    if file.model is None:
        raise ModelFileError(
            f"The SavedModel {file.path!r} holds functions instead of a config, since the model's class has no "
            "`get_config`. Expected: a config, from which the model is made without running what the file holds. If "
            "you trust whoever wrote the file, pass `safe_mode=False`; or export the model by its own code, with "
            "`export_checkpoint(model, filepath)`."
        )


def _failed(file, keras, error):
    name = keras.__name__.split(".")[-1]
    return ModelFileError(
        f"{name} {version_of(keras)} could not make the model in {file.path!r}, which Keras {file.version} wrote: "
        f"{type(error).__name__}: {_shortened(error)}\nExpected: a whole file, and the same code of custom layers as "
        "when it was written. Take another copy of the file, or install the Keras that wrote it."
    )


def _shortened(error):
    """What an error says; Keras repeats whole configs."""
    said = str(error)
    return said if len(said) <= 2000 else f"{said[:2000]} ..."


def failed_model(path, error):
    """The ModelFileError for a model that was made, and cannot be run."""
    return ModelFileError(
        f"The model in {path!r} cannot be run: {type(error).__name__}: {_shortened(error)}\nExpected: a model that "
        "predicts, and trains if it is compiled. Take another copy of the file, or export the model by its own code, "
        "with `export_checkpoint(model, filepath)`."
    )
