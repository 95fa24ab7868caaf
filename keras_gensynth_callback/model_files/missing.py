"""Which classes and functions of a model file nobody has: neither Keras, nor `custom_objects`."""

import tensorflow as tf

from keras_gensynth_callback.errors import MissingCustomObjectError
from keras_gensynth_callback.kerases import KERASES

from .compiled import CHOSEN_BY_SHAPE
from .objects import FAMILIES, KerasObjects
from .references import references, references_of_training

# Each in the module where TensorFlow defines it.
_SPECS = ("IndexedSlicesSpec", "RaggedTensorSpec", "SparseTensorSpec", "TensorSpec")


class Known:
    """Knows which names of a file there are.

    Args:
        file: ModelFile.
        keras: the module of the Keras that reads it.
        custom_objects: dict.
    """

    def __init__(self, file, keras, custom_objects):
        self.file, self.keras = file, keras
        self._objects = KerasObjects(keras)
        self._given = dict(keras.utils.get_custom_objects(), **custom_objects)

    def is_given(self, reference):
        """Whether the user gave it: in `custom_objects`, or registered with Keras."""
        look_up = getattr(self.keras.utils, "get_registered_object", None)
        names = [reference.registered_name]
        # What has no module is looked up by its own name as well; what has one is imported otherwise.
        if reference.module in (None, "builtins"):
            names.append(reference.name)
        return any(name in self._given or look_up is not None and look_up(name) is not None for name in names)

    def is_own_code(self, reference):
        """Whether a class of the user's own is meant, which is none of Keras's layers with a vocabulary."""
        own = self._given.get(reference.registered_name) or self._given.get(reference.name)
        bases = [base.__name__ for base in getattr(own, "__mro__", ())]
        return self.is_given(reference) and not {"IndexLookup", "TextVectorization"} & set(bases)

    def has(self, reference):
        """Whether the user gave it, or Keras has it as a part of models."""
        return self.is_given(reference) or self._keras_has(reference) is True

    def is_no_part_of_models(self, reference):
        """Whether the file names something in Keras that models are not made of, such as `get_file`."""
        return not self.is_given(reference) and self._keras_has(reference) is False

    def _keras_has(self, reference):
        """True, False, or None where Keras has nothing of that name."""
        if reference.is_spec:
            return self._is_spec(reference) or None
        if reference.module is None:
            if reference.is_function:
                return self._has_function(reference) or None
            return self._objects.has_class(reference.name) or None
        if reference.module == "builtins":
            return reference.is_function and self._objects.has_builtin_function(reference.name) or None
        if reference.module.split(".")[0] not in KERASES:
            return None
        return self._objects.has_in_module(reference.module, reference.name, reference.is_function)

    def _has_function(self, reference):
        if reference.family == "metrics" and reference.name in CHOSEN_BY_SHAPE:
            return True
        families = (reference.family,) if reference.family else FAMILIES
        return any(self._gets(family, reference.name) for family in families)

    def _gets(self, family, name):
        try:
            found = getattr(self.keras, family).get(name)
        except (ValueError, TypeError):
            return False
        # tf_keras gives a name that it does not know back as it is.
        named = getattr(found, "__name__", None)
        return found is not None and not isinstance(found, str) and named not in ("get", "serialize", "deserialize")

    @staticmethod
    def _is_spec(reference):
        found = getattr(tf, reference.name, None) if reference.name in _SPECS else None
        return found is not None and reference.module == found.__module__


def check_names(file, known, training):
    """Refuses what no Keras would find without running what the file names.

    Args:
        file: ModelFile.
        known: Known.
        training: bool, whether the model is compiled as well.

    Raises:
        MissingCustomObjectError: it names all that are missing.
    """
    # A str in the config of a layer may be anything to the code of a custom layer.
    needed = [reference for reference in references(file.model) if not reference.by_name_alone]
    if training:
        needed += references_of_training(file.training)
    if not all(map(known.has, needed)):
        raise missing_error(file, known, training)


def missing_error(file, known, training):
    """The MissingCustomObjectError that names all that are missing, or None."""
    model, compiled = _names(known, references(file.model)), {}
    if training:
        compiled = _names(known, references_of_training(file.training))
    names = sorted({**model, **compiled})
    if not names:
        return None
    words = f"The model in {file.path!r} needs {len(names)} object(s) that are not Keras's: {', '.join(names)}."
    given = ", ".join(f"{name!r}: {(model.get(name) or compiled.get(name))}" for name in names)
    words += f" Import or define them, and pass them by name: `custom_objects={{{given}}}`."
    if file.kind == "SavedModel":
        words += " If you trust whoever wrote the file, `safe_mode=False` takes the functions that it holds instead."
    only_training = sorted(set(compiled) - set(model))
    if only_training:
        words += f' For training alone are {", ".join(only_training)}: `graph="inference"` goes without.'
    return MissingCustomObjectError(words)


def _names(known, found):
    """dict, the key in `custom_objects` -> the name of the object, of those that are missing."""
    return {
        reference.name if reference.is_function else reference.registered_name: reference.name
        for reference in found
        if not known.has(reference)
    }
