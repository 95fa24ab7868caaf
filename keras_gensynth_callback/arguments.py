"""Checks of arguments, shared by everything that a user calls.

Each check returns the value in the form the package works with, or raises `InvalidArgumentError`, whose message says
what was received, what was expected and how to mend it.
"""

import math
import numbers
import os
import re
import sys
from typing import NamedTuple, Optional, Tuple

from keras_gensynth_callback.errors import InvalidArgumentError

# Those that `target/data` has tables for, and the installed TensorFlow.
TARGETS = ("1.4", "1.8", "1.10", "1.12", "1.13", "1.14", "1.15", "current")
GRAPHS = ("trainable", "inference")
ON_ERROR = ("raise", "warn")
DATA_FORMATS = ("channels_last", "keep")


def _refuse(name, value, expected, mend):
    raise InvalidArgumentError(
        f"`{name}` must be {expected}. Received: {name}={value!r} of type {type(value).__name__}. {mend}"
    )


def check_filepath(filepath):
    """The checkpoint prefix as a str; a folder, an empty path and other types are refused."""
    mend = "Pass a folder and a name without suffix, for example 'exports/net'."
    path = _text_of_path("filepath", filepath, "a checkpoint prefix", " that is not empty", mend)
    path = path[len("file://") :] if path.startswith("file:///") else path
    if path.endswith(("/", os.sep)) or ("://" not in path and os.path.isdir(path)):
        example = os.path.join(path, "net")
        _refuse("filepath", filepath, "a checkpoint prefix, not a folder", f"Add a name to it: {example!r}.")
    return path


def check_path(path):
    """The path of a model file as a str."""
    mend = "Pass the path of the file, for example 'net.h5'."
    return _text_of_path("path", path, "the path of a model file", ", and not empty", mend)


def _text_of_path(name, path, expected, not_empty, mend):
    if not isinstance(path, (str, os.PathLike)):
        _refuse(name, path, f"{expected}, as a str or a path object", mend)
    text = os.fspath(path)
    if not isinstance(text, str) or not text.strip():
        _refuse(name, path, expected + not_empty, mend)
    return text


def check_custom_objects(custom_objects):
    """A dict of classes and functions by name; {} for None."""
    if custom_objects is None:
        return {}
    if not isinstance(custom_objects, dict) or not all(isinstance(name, str) for name in custom_objects):
        mend = "Pass the classes and functions themselves: custom_objects={'Scale': Scale}."
        _refuse("custom_objects", custom_objects, "None or a dict with names for keys", mend)
    return dict(custom_objects)


def check_choice(name, value, choices):
    """One of a few strings."""
    if not isinstance(value, str) or value not in choices:
        _refuse(name, value, "one of " + ", ".join(repr(choice) for choice in choices), "Choose one of these.")
    return value


def check_target(target):
    """The oldest TensorFlow that must read an export."""
    return check_choice("target", target, TARGETS)


def check_graph(graph):
    """Which graph is exported."""
    return check_choice("graph", graph, GRAPHS)


def check_compute_dtype(compute_dtype):
    """What an export computes in: None, as the model does, or "float32"."""
    if compute_dtype not in (None, "float32"):
        _refuse("compute_dtype", compute_dtype, "None or 'float32'", "Pass None to compute as the model does.")
    return compute_dtype


def check_data_format(data_format):
    """How an export computes images: with channels last, or as the model does."""
    return check_choice("data_format", data_format, DATA_FORMATS)


def check_on_error(on_error):
    """What happens when an export fails."""
    return check_choice("on_error", on_error, ON_ERROR)


def check_bool(name, value):
    """True or False, and nothing that merely counts as one of them."""
    if not isinstance(value, bool):
        _refuse(name, value, "True or False", "Pass a bool.")
    return value


def check_verbose(verbose):
    """0 (silent), 1 or 2 (a line for each export, and one more)."""
    if not isinstance(verbose, numbers.Integral) or verbose not in (0, 1, 2):
        _refuse("verbose", verbose, "0, 1 or 2", "Pass 0 for silence, 1 for a line at each export.")
    return int(verbose)


def check_name(name, value):
    """A str that is not empty."""
    if not isinstance(value, str) or not value:
        _refuse(name, value, "a name, as a str that is not empty", "Pass a key of the logs, for example 'val_loss'.")
    return value


def check_count(name, value):
    """An int of at least 1; bool, which Python counts as int, is refused."""
    if not _is_int(value) or value < 1:
        _refuse(name, value, "an int of at least 1", "Pass a positive whole number.")
    return int(value)


def check_optional_count(name, value):
    """None or an int of at least 1."""
    if value is not None and (not _is_int(value) or value < 1):
        _refuse(name, value, "None or an int of at least 1", "Pass None for no limit, or a positive whole number.")
    return None if value is None else int(value)


def check_optional_duration(name, value):
    """None or a positive finite number."""
    if value is not None and (not _is_finite(value) or value <= 0):
        _refuse(name, value, "None or a positive number", "Pass None to switch it off.")
    return None if value is None else float(value)


def check_optional_number(name, value):
    """None or a finite number."""
    if value is not None and not _is_finite(value):
        _refuse(name, value, "None or a finite number", "Pass None to begin without a value.")
    return None if value is None else float(value)


def check_optional_callable(name, value):
    """None or something that can be called."""
    if value is not None and not callable(value):
        _refuse(name, value, "None or a callable that takes one ExportRecord", "Pass the function itself.")
    return value


def check_save_freq(save_freq):
    """'epoch', 'train_end' or an int of at least 1 (batches)."""
    if isinstance(save_freq, str) and save_freq in ("epoch", "train_end"):
        return save_freq
    if not _is_int(save_freq) or save_freq < 1:
        mend = "To export every 100 batches, pass save_freq=100."
        _refuse("save_freq", save_freq, "'epoch', 'train_end' or an int of at least 1 (a number of batches)", mend)
    return int(save_freq)


def check_input_signature(input_signature):
    """None or a nest (list, tuple, dict) whose leaves have a shape and a dtype, as `tf.TensorSpec` has."""
    leaves = list(_leaves(input_signature))
    if input_signature is not None and not (leaves and all(map(_is_spec, leaves))):
        mend = "For one image input, pass tf.TensorSpec([None, 32, 32, 3], tf.float32)."
        _refuse("input_signature", input_signature, "None or a tf.TensorSpec, or a list, tuple or dict of them", mend)
    return input_signature


_INPUT = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<shape>(?:\?|\d+)(?:,(?:\?|\d+))*):(?P<dtype>\w+)\Z")


def check_input(text):
    """An input as the command line takes it: its shape and its type, and its name where there are several."""
    if not _INPUT.match(text):
        mend = "For one image input, pass '?,32,32,3:float32'; for several, 'image=?,32,32,3:float32' and so on."
        _refuse("input", text, "a shape and a type, and a name where there are several inputs", mend)
    return text


def input_signature_of(texts):
    """The `input_signature` that texts as `check_input` knows them stand for; None for none."""
    found = {}
    for match in filter(None, map(_INPUT.match, texts)):
        sizes = [None if size == "?" else int(size) for size in match.group("shape").split(",")]
        found[match.group("name")] = _spec(sizes, match.group("dtype"))
    if len(found) < len(texts) or None in found and len(found) > 1:
        _refuse("input", texts, "one input, or several of which each has a name", "Pass 'image=?,3:float32' and so on.")
    return found.get(None, found or None)


def _spec(shape, dtype):
    """A `tf.TensorSpec`, or, in a program without TensorFlow, what has a shape and a type as well."""
    tf = sys.modules.get("tensorflow")
    return ShapeAndType(tuple(shape), dtype) if tf is None else tf.TensorSpec(shape, dtype)


class ShapeAndType(NamedTuple):
    """A shape, None where a size is open, and a type, of a tensor."""

    shape: Tuple[Optional[int], ...]
    dtype: str


def _leaves(nest):
    if isinstance(nest, dict):
        nest = list(nest.values())
    if not isinstance(nest, (list, tuple)) or _is_spec(nest):
        yield nest
        return
    for part in nest:
        yield from _leaves(part)


def _is_spec(leaf):
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def _is_int(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_finite(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
