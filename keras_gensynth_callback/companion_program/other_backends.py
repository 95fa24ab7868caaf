"""What calls JAX or Torch by itself, and not by way of Keras: found while the model's own Python runs on TensorFlow.

Some of it fails on tensors of TensorFlow, and some gives a number once and for all. So each call is looked at, where
the model has code of its own.
"""

import ast
import contextlib
import linecache
import sys
from typing import List

from keras_gensynth_callback.errors import UnsupportedModelError
from keras_gensynth_callback.kerases import OTHER_BACKENDS

# What these compute is there before the model is called, and goes along as a value.
_BEFOREHAND = ("__init__", "build", "add_weight", "from_config", "get_config", "<module>")


@contextlib.contextmanager
def told_by_layer(watched):
    """Raises UnsupportedModelError, with the layer and the function, where something calls another backend inside.

    Args:
        watched: bool, whether there is code in the model that might.
    """
    if not watched:
        yield
        return
    found: List[str] = []

    def look(frame, event, argument):
        if event == "call" and _is_of_backend(frame.f_globals.get("__name__")):
            _note(frame.f_back, found)
        elif event == "c_call" and _is_of_backend(_module_of(argument)):
            _note(frame, found)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    except Exception as error:
        if found:
            raise UnsupportedModelError(found[0]) from error
        raise
    finally:
        sys.setprofile(before)
    if found:
        raise UnsupportedModelError(found[0])


def _is_of_backend(module):
    return isinstance(module, str) and module.split(".")[0] in OTHER_BACKENDS


def _module_of(function):
    return getattr(function, "__module__", None) or type(getattr(function, "__self__", None)).__module__


def _note(frame, found):
    """Notes who called, once: the code that is neither the backend's nor Keras's own."""
    while frame is not None and _is_of_backend(frame.f_globals.get("__name__")):
        frame = frame.f_back
    if found or frame is None or _is_of_framework(frame):
        return
    # Others do not call it, but are interrupted by it: the garbage collection calls a function of JAX.
    called = _called_in(frame) or _mentioned_in(frame)
    if called is None:
        return
    owner, outer = None, frame
    while outer is not None and owner is None:
        if outer.f_code.co_name in _BEFOREHAND:
            return
        own = outer.f_locals.get("self")
        owner = own if _is_of_keras(own) else None
        outer = outer.f_back
    if owner is None:
        return
    code, line = frame.f_code, frame.f_lineno
    found.append(
        f"`{owner.name}` of class {type(owner).__name__} calls {called} in `{code.co_name}` ({code.co_filename}, line "
        f"{line}), and the graph of an export is made by Keras on TensorFlow. Expected: functions of `keras.ops`, "
        "`keras.random` and `keras.layers`, which each backend has. Write it with these."
    )


def _is_of_framework(frame):
    return str(frame.f_globals.get("__name__")).split(".")[0] in ("keras", "tensorflow", "keras_gensynth_callback")


def _is_of_keras(value):
    import keras

    kinds = (keras.layers.Layer, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer)
    return isinstance(value, kinds) and isinstance(getattr(value, "name", None), str)


def _called_in(frame):
    """The dotted name, in the line that a frame is at, of what is of another backend; None where it cannot be told."""
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    known = {**frame.f_builtins, **frame.f_globals, **frame.f_locals}
    for start in (text, text.rstrip(":") + ": pass", text.partition("=")[2].strip()):
        try:
            tree = ast.parse(start)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            name = _dotted(node.func) if isinstance(node, ast.Call) else None
            value = known.get(name.split(".")[0]) if name else None
            if _is_of_backend(getattr(value, "__name__", None)) or _is_of_backend(getattr(value, "__module__", None)):
                return f"`{_spelled(name, value)}`"
    return None


def _mentioned_in(frame):
    """What a function that is running knows of another backend, where its line does not tell; None without any."""
    known = {**frame.f_globals, **frame.f_locals}
    for name in (*frame.f_code.co_names, *frame.f_code.co_freevars):
        value = known.get(name)
        if _is_of_backend(getattr(value, "__name__", None)) or _is_of_backend(getattr(value, "__module__", None)):
            return f"a function of `{getattr(value, '__name__', name)}`"
    return None


def _dotted(node):
    if isinstance(node, ast.Name):
        return node.id
    inner = _dotted(node.value) if isinstance(node, ast.Attribute) else None
    return f"{inner}.{node.attr}" if inner else None


def _spelled(name, value):
    """A name with the module in full: `jax.numpy.dot` for `jnp.dot`."""
    rest = name.partition(".")[2]
    return f"{value.__name__}.{rest}" if rest and _is_of_backend(getattr(value, "__name__", None)) else name
