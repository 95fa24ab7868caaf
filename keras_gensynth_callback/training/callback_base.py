"""The hooks that a `fit` calls, for every generation of Keras, without importing one.

Keras calls the hooks, and asks of the batch hooks whether they do anything at all: Keras 3 looks for `_is_default` on
each, and runs the hooks aside of training as long as all have it; tf_keras calls `_implements_*_batch_hooks`. Others,
scikeras among them, ask whether a callback is an instance of Keras's `Callback`. So that class becomes a base of ours,
behind `KerasHooks`, when the program imports its Keras. The class stays the same one: its instances are copied, pickled
and derived from as ever, and those made before are instances, too.
"""

import functools
from typing import Any, Dict, Optional, TypeVar

import wrapt

_Class = TypeVar("_Class", bound=type)
# Where each generation of Keras defines its `Callback`: Keras 3; tf_keras; tf.keras of TensorFlow 2.13 to 2.15, 2.6 to
# 2.12, 1.15 to 2.5 (twice).
_HOMES = (
    "keras.src.callbacks.callback",
    "tf_keras.src.callbacks",
    "keras.src.callbacks",
    "keras.callbacks",
    "tensorflow.python.keras.callbacks",
    "tensorflow_core.python.keras.callbacks",
)


def extends_callback_of_keras(cls: _Class) -> _Class:
    """Lets a subclass of `KerasHooks` extend the `Callback` of each Keras that is imported, or will be."""
    for home in _HOMES:
        wrapt.register_post_import_hook(functools.partial(_extend, cls), home)
    return cls


def _extend(cls: type, module: Any) -> None:
    base = getattr(module, "Callback", None)
    if base is not None and not issubclass(cls, base):
        cls.__bases__ = (*cls.__bases__, base)


def default(hook):
    """Marks a hook that does nothing, as both Kerases mark their own."""
    hook._is_default = True
    return hook


@default
def nothing(batch, logs=None):
    """A batch hook that does nothing."""


def _does_something(hooks):
    return not all(getattr(hook, "_is_default", False) for hook in hooks)


class KerasHooks:
    """A callback that does nothing yet. Overridden batch hooks are recognised by both Kerases."""

    # Logs may stay tensors: tf_keras then need not wait for them after each batch.
    _supports_tf_logs = True

    model: Any = None
    params: Optional[Dict[str, Any]] = None

    def set_params(self, params):
        """Takes what `fit` says of the training: epochs, steps, verbose."""
        self.params = params

    def set_model(self, model):
        """Takes the model that is about to be trained."""
        self.model = model

    def on_train_begin(self, logs=None):
        """Training begins."""

    def on_train_end(self, logs=None):
        """Training has ended."""

    def on_test_begin(self, logs=None):
        """An evaluation begins."""

    def on_test_end(self, logs=None):
        """An evaluation has ended."""

    def on_predict_begin(self, logs=None):
        """A prediction begins."""

    def on_predict_end(self, logs=None):
        """A prediction has ended."""

    @default
    def on_epoch_begin(self, epoch, logs=None):
        """An epoch begins."""

    @default
    def on_epoch_end(self, epoch, logs=None):
        """An epoch has ended, its validation included."""

    @default
    def on_batch_begin(self, batch, logs=None):
        """Another name for `on_train_batch_begin`."""

    @default
    def on_batch_end(self, batch, logs=None):
        """Another name for `on_train_batch_end`."""

    @default
    def on_train_batch_begin(self, batch, logs=None):
        """A step of training begins."""

    @default
    def on_train_batch_end(self, batch, logs=None):
        """A step of training has ended."""

    @default
    def on_test_batch_begin(self, batch, logs=None):
        """A step of an evaluation begins."""

    @default
    def on_test_batch_end(self, batch, logs=None):
        """A step of an evaluation has ended."""

    @default
    def on_predict_batch_begin(self, batch, logs=None):
        """A step of a prediction begins."""

    @default
    def on_predict_batch_end(self, batch, logs=None):
        """A step of a prediction has ended."""

    def _implements_train_batch_hooks(self):
        return _does_something(
            [self.on_batch_begin, self.on_batch_end, self.on_train_batch_begin, self.on_train_batch_end]
        )

    def _implements_test_batch_hooks(self):
        return _does_something([self.on_test_batch_begin, self.on_test_batch_end])

    def _implements_predict_batch_hooks(self):
        return _does_something([self.on_predict_batch_begin, self.on_predict_batch_end])
