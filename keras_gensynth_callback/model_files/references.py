"""The classes and functions that the configs of a model name, in either dialect of Keras: with modules, or without."""

_FUNCTIONS = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}
# Classes of Keras without a public name, made of a function.
WRAPPERS = ("LossFunctionWrapper", "MeanMetricWrapper", "SumOverBatchSizeMetricWrapper")
# What stands for values, and not for objects of Keras or of the user.
_VALUES = ("TensorShape", "TypeSpec", "CompositeTensor")


class Reference:
    """A class or a function that a config names.

    Attributes:
        name: str.
        registered_name: str, under which it is registered; the name itself where the config has none.
        module: str, or None where the config tells none.
        is_function: bool.
        family: str, the module of Keras that functions named by a str alone are of, `activations`; or None.
    """

    def __init__(self, name, registered_name=None, module=None, is_function=False, family=None):
        # Functions are registered under their name; tf_keras writes "function" there for all of them.
        self.name, self.registered_name = name, name if is_function else registered_name or name
        self.module, self.is_function, self.family = module, is_function, family


def dicts(config):
    """All dicts in a config, itself among them."""
    if isinstance(config, dict):
        yield config
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for part in config:
            yield from dicts(part)


def references(model):
    """The References in the config of a model."""
    for config in dicts(model):
        reference = _of_object(config)
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


def _of_object(config):
    name, inner, module = config.get("class_name"), config.get("config"), config.get("module")
    if not isinstance(name, str) or "config" not in config or name in _VALUES:
        return None
    if name == "function":
        return Reference(inner, config.get("registered_name"), module, is_function=True)
    if name == "__typespec__":
        return Reference(config.get("spec_name"), config.get("registered_name"), module)
    if name.startswith("__"):
        return None
    return Reference(name, config.get("registered_name"), module)


def _by_name_alone(config):
    """Functions of Lambda layers, and of the classes that Keras wraps around losses and metrics."""
    inner = config.get("config")
    if config.get("class_name") in WRAPPERS and isinstance(inner, dict) and isinstance(inner.get("fn"), str):
        yield Reference(inner["fn"], is_function=True)
    if config.get("function_type") == "function" and isinstance(config.get("function"), str):
        yield Reference(config["function"], is_function=True)


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
