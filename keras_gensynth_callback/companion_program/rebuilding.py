"""The model of a description, made again by Keras on TensorFlow."""

import re

import tensorflow as tf

from keras_gensynth_callback.companion import variables_of
from keras_gensynth_callback.errors import GenSynthExportError, UnsupportedModelError
from keras_gensynth_callback.lift import named_alike, trainable_alike

from .other_backends import told_by_layer

_SHOWN = 8


def rebuilt(description, objects, arrays):
    """The model.

    Args:
        description: what `companion.description.described` gave.
        objects: OwnObjects.
        arrays: the values of its variables, dict, group -> list of arrays.

    Raises:
        UnsupportedModelError: the configuration gives another model, or none.
    """
    import keras

    found, config = objects.all_of(description["objects"]), dict(description["config"])
    build, compiled = config.pop("build_config", None), config.pop("compile_config", None)
    name = f"`{config['config'].get('name', config['class_name'])}` of class {config['class_name']}"
    with keras.saving.custom_object_scope(found), told_by_layer(bool(found)):
        model = _made(name, "made", lambda: keras.saving.deserialize_keras_object(config, found, safe_mode=False))
        named_alike(model, description["layers"], ())
        if build and not model.built:
            _made(name, "built", lambda: model.build_from_config(build))
        trainable_alike(model, description["trainable"])
        weights = description["variables"]["weights"]
        named_alike(model, description["layers"], [path for path, _ in weights], variables_of(model)["weights"])
        _check(name, variables_of(model)["weights"], weights)
        _assign(variables_of(model)["weights"], arrays["weights"])
        if compiled:
            _made(name, "compiled", lambda: _compile(model, compiled, found))
        named_alike(model, description["layers"], ())
    assign(model, description, arrays)
    return model


def _compile(model, config, found):
    model.compile_from_config(config)
    model.compiled = True


def _made(name, done, make):
    try:
        return make()
    except GenSynthExportError:
        raise
    except Exception as error:
        raise UnsupportedModelError(
            f"The model {name} cannot be {done} from its configuration by Keras on TensorFlow, as its export needs it: "
            f"{type(error).__name__}: {_shortened(error)}\nExpected: a `get_config` that returns what `__init__` "
            "takes, layers that compute with `keras.ops`, and classes that another process can import."
        ) from error


def _shortened(error):
    """What an error says, without the whole configurations that Keras repeats in it."""
    said = re.sub(r"\n\nconfig=\{.*?\}\.\n\nException encountered:", "", str(error), flags=re.DOTALL)
    return re.sub(r"Full object config: \{.*", "", said, flags=re.DOTALL)[:2000].strip()


def _check(name, variables, described):
    """Raises UnsupportedModelError where the weights are others than in the process that trains."""
    here = [f"{variable.path} {tuple(variable.shape)}" for variable in variables]
    there = [f"{path} {tuple(shape)}" for path, shape in described]
    if here == there:
        return
    missing, more = [v for v in there if v not in here], [v for v in here if v not in there]
    differing = [*(f"missing: {value}" for value in missing), *(f"not in the model: {value}" for value in more)]
    listed = "\n  ".join(differing[:_SHOWN] or ["their order"])
    raise UnsupportedModelError(
        f"The model {name}, made again from its configuration, has other weights than the one that trains:\n  "
        f"{listed}\nExpected: a configuration that says all that the model is made of. Let its `get_config`, and those "
        "of its layers, return every argument of `__init__`, and add no layers from outside after that."
    )


def assign(model, description, arrays):
    """Gives a model the values of all variables that it and the one that trains have."""
    for name, variables in variables_of(model).items():
        values = arrays[name]
        if values and len(values) != len(variables):
            by_path = dict(zip([path for path, _ in description["variables"][name]], values))
            pairs = [(variable, by_path[variable.path]) for variable in variables if variable.path in by_path]
            variables, values = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if values:
            _assign(variables, values)


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.assign(tf.cast(tf.convert_to_tensor(value), variable.dtype))
