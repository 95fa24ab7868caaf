"""Lets every `fit` of a program export, as if the callback had been passed to it: for scripts that stay as they are.

Nothing is imported for it: a Keras is hooked into when the program imports it, and the callback comes with the first
`fit`.
"""

import weakref

import wrapt

# Where each generation of Keras defines a `Model` with a `fit` of its own: Keras 3; tf_keras; tf.keras of TensorFlow
# 2.13 to 2.15, 2.6 to 2.12, 1.15 to 2.5 (twice). Graph mode has another class.
_HOMES = (
    "keras.src.models.model",
    "tf_keras.src.engine.training",
    "tf_keras.src.engine.training_v1",
    "keras.src.engine.training",
    "keras.src.engine.training_v1",
    "keras.engine.training",
    "keras.engine.training_v1",
    "tensorflow.python.keras.engine.training",
    "tensorflow.python.keras.engine.training_v1",
    "tensorflow_core.python.keras.engine.training",
)


class FitHooks:
    """Adds an export callback to each `fit`, one for each model.

    Args:
        filepath: str, the prefix for the first model that is trained; others have `-2`, `-3` and so on behind it.
        inputs: what `input_signature` is to be, as texts (`arguments.input_signature_of`).
        **options: what else `GenSynthExportCallback` takes.

    Attributes:
        callbacks: the callbacks that were added, in the order of the models.
    """

    def __init__(self, filepath, inputs=(), **options):
        self._filepath, self._inputs, self._options = filepath, inputs, options
        self._by_model: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        self.callbacks = []

    def install(self):
        """Hooks into the Kerases that are there, and into those that will be."""
        for home in _HOMES:
            wrapt.register_post_import_hook(self._wrap, home)

    def _wrap(self, module):
        for method in ("fit", "fit_generator"):
            if hasattr(module.Model, method):
                wrapt.wrap_function_wrapper(module, f"Model.{method}", self._fit)

    def _fit(self, fit, model, args, kwargs):
        from keras_gensynth_callback.training import take_callbacks, with_callback

        args, kwargs, callbacks = take_callbacks(fit, args, kwargs)
        with with_callback(self._callback_for(model), callbacks, model) as callbacks:
            return fit(*args, callbacks=callbacks, **kwargs)

    def _callback_for(self, model):
        from keras_gensynth_callback.arguments import input_signature_of
        from keras_gensynth_callback.training import GenSynthExportCallback

        if model not in self._by_model:
            number = f"-{len(self.callbacks) + 1}" if self.callbacks else ""
            signature = input_signature_of(self._inputs)
            callback = GenSynthExportCallback(self._filepath + number, input_signature=signature, **self._options)
            self._by_model[model] = callback
            self.callbacks.append(self._by_model[model])
        return self._by_model[model]
