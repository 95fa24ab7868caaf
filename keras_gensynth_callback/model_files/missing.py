"""Which classes and functions of a model file nobody has: neither Keras, nor `custom_objects`."""

from ..errors import MissingCustomObjectError
from .compiled import CHOSEN_BY_SHAPE
from .references import WRAPPERS, references, references_of_training

_OF_KERAS = ("keras", "tf_keras")
# Packages that Keras 3 itself imports for a file.
_BESIDE_KERAS_3 = ("keras_hub", "keras_cv", "keras_nlp")
_NAMESPACES = (
    "",
    "layers",
    "models",
    "optimizers",
    "optimizers.legacy",
    "optimizers.schedules",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "mixed_precision",
    "layers.experimental.preprocessing",
)
_FAMILIES = ("activations", "losses", "metrics", "initializers", "regularizers", "constraints")
# Layers that Keras makes by itself, and has no public name for.
_INTERNAL = (
    "AddLoss",
    "AddMetric",
    "BatchNormalizationV1",
    "BatchNormalizationV2",
    "ClassMethod",
    "CuDNNGRU",
    "CuDNNLSTM",
    "Functional",
    "GetItem",
    "InstanceMethod",
    "InstanceProperty",
    "NotEqual",
    "SlicingOpLambda",
    "TFOpLambda",
    "TensorFlowOpLayer",
)


class Known:
    """Knows which names of a file there are.

    Args:
        file: ModelFile.
        keras: the module of the Keras that reads it.
        custom_objects: dict.
    """

    def __init__(self, file, keras, custom_objects):
        self.file, self.keras, self.custom_objects = file, keras, custom_objects

    def is_registered(self, reference):
        """Whether the user gave it: in `custom_objects`, or registered with Keras."""
        look_up = getattr(self.keras.utils, "get_registered_object", None)
        given = dict(self.keras.utils.get_custom_objects(), **self.custom_objects)
        for name in (reference.registered_name, reference.name):
            if name in given or look_up is not None and look_up(name) is not None:
                return True
        return False

    def is_foreign(self, reference):
        """Whether the file wants a module to be imported that is not Keras's."""
        if reference.module in (None, "builtins"):
            return False
        allowed = _OF_KERAS + (_BESIDE_KERAS_3 if self.file.of_keras_3 else ())
        return reference.module.split(".")[0] not in allowed

    def has(self, reference):
        """Whether the user gave it, or Keras has it."""
        if self.is_registered(reference):
            return True
        if self.is_foreign(reference):
            return False
        if reference.module not in (None, "builtins"):
            return True
        return self._keras_has_function(reference) if reference.is_function else self._keras_has_class(reference.name)

    def _keras_has_class(self, name):
        # Keras finds optimizers in any case of letters.
        if name in _INTERNAL + WRAPPERS or name.lower() in {
            attribute.lower() for attribute in dir(self.keras.optimizers)
        }:
            return True
        return any(hasattr(space, name) for space in map(self._namespace, _NAMESPACES) if space is not None)

    def _namespace(self, dotted):
        space = self.keras
        for part in dotted.split(".") if dotted else ():
            space = getattr(space, part, None)
        return space

    def _keras_has_function(self, reference):
        if reference.family == "metrics" and reference.name in CHOSEN_BY_SHAPE:
            return True
        families = (reference.family,) if reference.family else _FAMILIES
        return any(self._gets(family, reference.name) for family in families)

    def _gets(self, family, name):
        try:
            found = getattr(self.keras, family).get(name)
        except (ValueError, TypeError):
            return False
        # tf_keras gives a name that it does not know back as it is.
        return found is not None and not isinstance(found, str)


def check_names(file, known, training):
    """Refuses what no Keras would find without running what the file names.

    Args:
        file: ModelFile.
        known: Known.
        training: bool, whether the model is compiled as well.

    Raises:
        MissingCustomObjectError: it names all that are missing.
    """
    compiled = list(references_of_training(file.training)) if training else []
    named = [reference for reference in compiled if reference.is_function]
    foreign = [reference for reference in [*references(file.model), *compiled] if known.is_foreign(reference)]
    if not all(known.has(reference) for reference in named + foreign):
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
        reference.name if reference.is_function else reference.registered_name: str(reference.name)
        for reference in found
        if not known.has(reference)
    }
