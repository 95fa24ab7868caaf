"""What of a model file is a program: found in its configs, before anything is made of them.

Keras's own `safe_mode` looks at `.keras` files alone, and `tf_keras` imports whatever module a file names.
"""

from ..errors import UnsafeModelFileError
from .references import dicts, references, references_of_training

# Where Keras has what models are made of. The rest of it reads and writes files, downloads, and loads models.
_MODELLING = (
    "activations",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "ops",
    "optimizers",
    "random",
    "regularizers",
)
_NO_OPERATIONS = (
    "config",
    "data",
    "debugging",
    "distribute",
    "io",
    "keras",
    "load_library",
    "load_op_library",
    "numpy_function",
    "profiler",
    "py_func",
    "py_function",
    "saved_model",
    "summary",
    "sysconfig",
    "test",
    "train",
    "tpu",
)


def check_safe(file, known, training):
    """Refuses a file that holds a program.

    Args:
        file: ModelFile.
        known: Known.
        training: bool, whether the model is compiled as well.

    Raises:
        UnsafeModelFileError: it says what was found.
    """
    found = [*_bytecode(file.model), *_operations(file.model), *_functions(references(file.model), known)]
    if training:
        found += [*_bytecode(file.training), *_functions(references_of_training(file.training), known)]
    if not found:
        return
    raise UnsafeModelFileError(
        f"Reading {file.path!r} would run code that stands in it: {', '.join(sorted(set(found)))}. Expected: a model "
        "whose functions have names, and are passed by `custom_objects`. Write them so, and save the model again; or, "
        "if you trust whoever wrote the file, pass `safe_mode=False`."
    )


def has_bytecode(file):
    """Whether the model in a ModelFile holds lambdas."""
    return any(_bytecode(file.model))


def _bytecode(config, layer=None):
    """Lambdas, which Keras stores as the bytecode of Python."""
    if isinstance(config, dict):
        layer = _layer_name(config) or layer
        of_lambda = [key for key, value in config.items() if key.endswith("_type") and value == "lambda"]
        if of_lambda or config.get("class_name") == "__lambda__":
            yield f"a lambda in the layer `{layer}`" if layer else "a lambda"
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for part in config:
            yield from _bytecode(part, layer)


def _layer_name(config):
    inner = config.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None


def _operations(config):
    """Functions of TensorFlow that a layer calls by name, and that do more than compute."""
    for layer in dicts(config):
        inner = layer.get("config")
        if layer.get("class_name") not in ("TFOpLambda", "ClassMethod") or not isinstance(inner, dict):
            continue
        symbol = str(inner.get("function", inner.get("cls_symbol")))
        if set(symbol.split(".")) & set(_NO_OPERATIONS):
            yield f"tf.{symbol}"


def _functions(found, known):
    """Functions of Keras that are no part of a model, such as `get_file`, and what its modules import."""
    for reference in found:
        if reference.module in (None, "builtins") or known.is_foreign(reference) or known.is_registered(reference):
            continue
        parts, name = reference.module.split("."), str(reference.name)
        if reference.is_function:
            harmless = name.isidentifier() and "src" not in parts and set(parts) & set(_MODELLING)
        else:
            harmless = name.isidentifier() and name.lstrip("_")[:1].isupper()
        if not harmless:
            yield f"{reference.module}.{name}"
