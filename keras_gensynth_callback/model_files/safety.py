"""What of a model file is a program, or a way to one: found in its configs, before anything is made of them.

Keras's own `safe_mode` looks at less, and `tf_keras` imports whatever module a file names.
"""

import re

from keras_gensynth_callback.errors import ModelFileError, UnsafeModelFileError

from .counts import count_problem
from .operations import impure_operation
from .references import dicts, of_object, references, references_of_training
from .topology import topology_problem

# What a layer reads a file for, where it is not the values themselves.
_PATHS = ("ckpt_to_load_from", "idf_weights", "vocabulary", "vocabulary_file")
_SPECS = re.compile(r"tf\.(Tensor|RaggedTensor|SparseTensor|IndexedSlices)Spec")
_DTYPE = re.compile(
    "bool|u?int[0-9]+|b?float[0-9]+(_[a-z0-9]+)?|complex[0-9]+|str|string|object|<U[0-9]{1,4}|[|]S[0-9]{1,4}"
)


def check_safe(file, known, training):
    """Refuses a file that holds a program, or names other files.

    Args:
        file: ModelFile.
        known: Known.
        training: bool, whether the model is compiled as well.

    Raises:
        UnsafeModelFileError: it says what was found.
    """
    configs = [file.model, file.training] if training else [file.model]
    found = [*references(file.model), *(references_of_training(file.training) if training else ())]
    code = [part for config in configs for part in [*_bytecode(config), *_operations(config)]]
    code += [f"{reference.module}.{reference.name}" for reference in found if known.is_no_part_of_models(reference)]
    if code:
        raise UnsafeModelFileError(
            f"Reading {file.path!r} would run code that stands in it: {_listed(code)}. Expected: a model whose "
            "functions have names, and are passed by `custom_objects`. Write them so, and save the model again; or, if "
            "you trust whoever wrote the file, pass `safe_mode=False`."
        )
    paths = [part for config in configs for part in _paths(config, known)]
    if paths:
        raise UnsafeModelFileError(
            f"Reading {file.path!r} would read other files of this machine, which it names: {_listed(paths)}. "
            "Expected: the values themselves, as Keras stores them. Save the model again where these files are; or, if "
            "you trust whoever wrote the file, pass `safe_mode=False`."
        )


def check_config(file):
    """Refuses a config that Keras never wrote, with values or calls of layers that it would not end with.

    Raises:
        ModelFileError: it says what is wrong.
    """
    configs = filter(None, (file.model, file.training))
    problems = (*map(_unknown_value, configs), topology_problem(file.model), count_problem(file.model))
    problem = next(filter(None, problems), None)
    if problem:
        raise ModelFileError(
            f"The model in {file.path!r} is damaged: {problem}. Expected: a config as Keras writes it. Take another "
            "copy of the file, or save the model again."
        )


def has_bytecode(file):
    """Whether the model in a ModelFile holds lambdas."""
    return any(_bytecode(file.model))


def _listed(found):
    return ", ".join(sorted(set(found)))


def _bytecode(config, layer=None):
    """Lambdas, which Keras stores as the bytecode of Python."""
    waiting = [(config, layer)]
    while waiting:
        part, layer = waiting.pop()
        if isinstance(part, dict):
            layer = _layer_name(part) or layer
            of_lambda = [key for key, value in part.items() if key.endswith("_type") and value == "lambda"]
            # Keras 3 takes a list for bytecode, whatever the type beside it says.
            if of_lambda or part.get("class_name") == "__lambda__" or isinstance(part.get("function"), list):
                yield f"a lambda in the layer `{layer}`" if layer else "a lambda"
            part = list(part.values())
        if isinstance(part, (list, tuple)):
            waiting += [(inner, layer) for inner in part]


def _layer_name(config):
    inner = config.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None


def _operations(config):
    """Functions of TensorFlow that a layer calls by name, and that do more than compute."""
    for layer in dicts(config):
        inner = layer.get("config")
        impure = impure_operation(layer.get("class_name"), inner if isinstance(inner, dict) else {})
        if impure:
            yield impure


def _paths(config, known):
    for part in dicts(config):
        inner, reference = part.get("config"), of_object(part)
        if not isinstance(inner, dict) or reference is None or known.is_own_code(reference):
            continue
        for key in _PATHS:
            if isinstance(inner.get(key), str):
                yield f"{key}={inner[key]!r}"


def _unknown_value(config):
    """What is no value that Keras writes into a config, in words; None where all are."""
    for part in dicts(config):
        inner, name = part.get("config"), part.get("class_name")
        if name in ("__numpy__", "__tensor__"):
            dtype = inner.get("dtype") if isinstance(inner, dict) else None
            if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
                return f"an array has the type {dtype!r}"
        elif name == "TypeSpec" and not _SPECS.fullmatch(str(part.get("type_spec"))):
            return f"a TypeSpec is a {part.get('type_spec')!r}"
    return None
