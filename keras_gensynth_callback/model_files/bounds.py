"""How much memory a model file may ask for: what a file of its size can reasonably mean."""

from keras_gensynth_callback._util import size_of
from keras_gensynth_callback.errors import ModelFileError

_MIB = 2**20


def largest_content(size):
    """How many bytes may come out of a file, which may be compressed: fresh slots of an optimizer are zeros."""
    return 64 * _MIB + 10 * size


def largest_text(size):
    """How many bytes of JSON may come out of that many bytes in a file."""
    return 16 * _MIB + 10 * size


def largest_model(stored):
    """How many bytes of variables a model may have whose file stores that many: slots and metrics may be left out."""
    return 256 * _MIB + 8 * stored


def check_content(path, content, size):
    """Refuses a file that says it holds much more than it can.

    Raises:
        ModelFileError: it says how much.
    """
    if content > largest_content(size):
        raise ModelFileError(
            f"{path!r} says that it holds {size_of(content)} of values, and has {size_of(size)}. Expected: at most "
            f"{size_of(largest_content(size))} in a file of that size, as Keras stores values uncompressed. Take "
            "another copy of it, or save the model again."
        )
