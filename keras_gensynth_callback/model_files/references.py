"""The classes and functions that the configs of a model name, in either dialect of Keras: with modules, or without."""

from .objects import WRAPPERS

_FUNCTIONS = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}
# What stands for values, and not for objects of Keras or of the user.
_VALUES = (
    "CompositeTensor",
    "TensorShape",
    "TypeSpec",
    "__bytes__",
    "__ellipsis__",
    "__keras_tensor__",
    "__lambda__",
    "__numpy__",
    "__slice__",
    "__tensor__",
    "__tuple__",
)
_OPTIMIZERS_OF_TORCH = "keras.src.backend.torch.optimizers.torch_"


class Reference:
    """A class or a function that a config names.

    Attributes:
        name: str.
        registered_name: str, under which it is registered; the name itself where the config has none.
        module: str, or None where the config tells none.
        is_function: bool.
        family: str, the module of Keras that functions named by a str alone are of, `activations`; or None.
        is_spec: bool, whether it is the class of a TypeSpec.
        by_name_alone: bool, whether a str alone names it, which custom layers may use for other things.
    """

    def __init__(self, name, registered_name=None, module=None, is_function=False, family=None, **facts):
        # Functions are registered under their name; tf_keras writes "function" there for all of them.
        self.name = _text(name)
        self.registered_name = self.name if is_function else _text(registered_name or name)
        self.module = None if module is None else _text(module)
        self.is_function, self.family = is_function, family
        self.by_name_alone = facts.get("by_name_alone", family is not None)
        self.is_spec = facts.get("is_spec", False)


def _text(name):
    """A name as a str: in a damaged file it may be anything."""
    return name if isinstance(name, str) else repr(name)


def dicts(config):
    """All dicts in a config, itself among them."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += reversed(list(part.values()))
        elif isinstance(part, (list, tuple)):
            waiting += reversed(part)


def references(model):
    """The References in the config of a model."""
    for config in dicts(model):
        reference = of_object(config)
        if reference is not None:
            yield reference
        for key, value in config.items():
            family = _FUNCTIONS.get(key.rsplit("_", 1)[-1])
            if family and isinstance(value, str):
                yield Reference(value, is_function=True, family=family)
        yield from _by_name_alone(config)


def references_of_training(training):
    """The References in what a model was compiled with."""
    training = training or {}
    yield from references(training)
    for key, family in (("loss", "losses"), ("metrics", "metrics"), ("weighted_metrics", "metrics")):
        for name in _strings(training.get(key)):
            yield Reference(name, is_function=True, family=family)


def optimizers_of_torch(file, keras):
    """The optimizers that Keras 3 on Torch stores under the names of classes that import Torch.

    Each has the state of the one that any backend has (keras/src/backend/torch/optimizers).

    Args:
        file: ModelFile.
        keras: the module of the Keras that reads it.

    Returns:
        dict, name of a class -> the class of `keras.optimizers`.
    """
    found = references_of_training(file.training) if file.of_keras_3 else ()
    names = [reference.name for reference in found if (reference.module or "").startswith(_OPTIMIZERS_OF_TORCH)]
    classes = {name: getattr(keras.optimizers, name, None) for name in names}
    return {name: value for name, value in classes.items() if isinstance(value, type)}


def of_object(config):
    """The Reference of a dict that stands for an object; None for other dicts."""
    if "class_name" not in config or "config" not in config:
        return None
    name, module = config["class_name"], config.get("module")
    if name in _VALUES and module in (None, "builtins"):
        return None
    if name == "function":
        return Reference(config["config"], config.get("registered_name"), module, is_function=True)
    if name == "__typespec__":
        return Reference(config.get("spec_name"), config.get("registered_name"), module, is_spec=True)
    return Reference(name, config.get("registered_name"), module)


def _by_name_alone(config):
    """Functions of Lambda layers, and of the classes that Keras wraps around losses and metrics."""
    inner = config.get("config")
    if config.get("class_name") in WRAPPERS and isinstance(inner, dict) and isinstance(inner.get("fn"), str):
        yield Reference(inner["fn"], is_function=True, by_name_alone=True)
    if config.get("function_type") == "function" and isinstance(config.get("function"), str):
        yield Reference(config["function"], is_function=True, by_name_alone=True)


def _strings(nest):
    """The names in a nest of losses or metrics; what is an object of its own is left out."""
    if isinstance(nest, str):
        yield nest
    elif isinstance(nest, dict):
        if "class_name" not in nest:
            yield from _strings(list(nest.values()))
    elif isinstance(nest, (list, tuple)):
        for part in nest:
            yield from _strings(part)
