"""While the model of a file is made: no variables that are much larger than the values in the file."""

import contextlib
import threading

import tensorflow as tf

from keras_gensynth_callback._util import shape_of, size_of
from keras_gensynth_callback.compat import patched
from keras_gensynth_callback.errors import ModelFileError

from .bounds import largest_model


class Budget:
    """How much the variables of a model may take.

    Args:
        file: ModelFile.
        keras: the module of the Keras that makes it.
    """

    def __init__(self, file, keras):
        self._file, self._keras = file, keras
        self._taken, self._thread = 0, threading.get_ident()
        self.refusal = None

    @contextlib.contextmanager
    def watched(self):
        """Refuses, for the time of the block, variables that are too large before they take their memory.

        Raises:
            ModelFileError: the config wants more than the file holds.
        """
        if self._file.stored is None or self._file.of_keras_3 and not hasattr(self._keras, "Variable"):
            yield
        elif self._file.of_keras_3:
            with patched(self._keras.Variable, "__init__", self._made_by_keras_3):
                yield
        else:
            with tf.variable_creator_scope(self._made_by_tensorflow):
                yield

    def _made_by_keras_3(self, make, variable, args, kwargs):
        shape = kwargs.get("shape", args[1] if len(args) > 1 else None)
        self._take(shape, kwargs.get("dtype", args[2] if len(args) > 2 else None))
        return make(*args, **kwargs)

    def _made_by_tensorflow(self, make, **kwargs):
        shape = kwargs.get("shape")
        if shape is None:
            shape = getattr(kwargs.get("initial_value"), "shape", None)
        self._take(shape, kwargs.get("dtype"))
        return make(**kwargs)

    def _take(self, shape, dtype):
        if shape is None or threading.get_ident() != self._thread:
            return
        shape = [shape] if isinstance(shape, int) else [size for size in tuple(shape) if size is not None]
        size = _bytes_of(dtype)
        for count in shape:
            size *= int(count)
        self._taken += size
        if self._taken > largest_model(self._file.stored):
            self.refusal = ModelFileError(
                f"The config in {self._file.path!r} wants a variable of {shape_of(shape)}, which makes "
                f"{size_of(self._taken)} with those before it. Expected: variables for the values in the file, which "
                f"are {size_of(self._file.stored)}. Take another copy of the file, or save the model again."
            )
            raise self.refusal


def _bytes_of(dtype):
    try:
        return tf.as_dtype(dtype or "float32").size or 1
    except TypeError:
        return 4  # a policy's name
