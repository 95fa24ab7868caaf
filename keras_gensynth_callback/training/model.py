"""Model classes whose `fit` exports by itself: `GenSynthMixin` for any of them, `GenSynthModel` for `keras.Model`."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, List, Optional, Union

from keras_gensynth_callback.kerases import KERASES, OTHER_BACKENDS, backend_of_program
from keras_gensynth_callback.public import export_checkpoint

from .callback import GenSynthExportCallback
from .fit_arguments import flat_callbacks, take_callbacks, with_callback
from .ways import fill_collections

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Path
    from keras_gensynth_callback.record import ExportRecord

    Export = Optional[Union[Path, GenSynthExportCallback]]

DEFAULT_FOLDER = "gensynth_exports"
PACKAGE = "keras_gensynth_callback"
TF_KERAS = "tensorflow"  # where tf.keras was defined before it was a package of its own

logger = logging.getLogger(PACKAGE)

_EXPORT_DOC = """

    Also takes `export`: where and when the model is exported to a TensorFlow 1.x checkpoint while it trains. A prefix
    is written when training completes, or after each epoch if it has template fields such as `{epoch}`; a
    `GenSynthExportCallback` decides itself. What `fit` is given wins over what `compile` was given.
"""


class GenSynthMixin:
    """Makes `fit` of a model class export to TensorFlow 1.x checkpoints.

    Stands before the model class: `class MySequential(GenSynthMixin, keras.Sequential)`. `compile` and `fit` take
    `export`, a prefix or a `GenSynthExportCallback`; `fit`'s wins. With neither, and with no such callback among
    `callbacks`, one export is written when training completes, to `gensynth_exports/<model name>`.
    """

    _gensynth_export = None
    # What the model class behind it has.
    name: str
    built: bool
    trainable_variables: List[Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("compile", "fit"):
            _show_signature(cls, name)
        _offer_fit_generator(cls)

    def compile(self, *args: Any, export: Export = None, **kwargs: Any) -> Any:
        """Configures the model for training; see the model class that this one extends."""
        self._gensynth_export = None if export is None else as_callback(export)
        result = super().compile(*args, **kwargs)  # type: ignore[misc]
        fill_collections(self)
        return result

    def fit(self, *args: Any, export: Export = None, **kwargs: Any) -> Any:
        """Trains and exports the model; see the model class that this one extends."""
        return self._train(super().fit, export, args, kwargs)  # type: ignore[misc]

    def _train(self, train, export, args, kwargs):
        args, kwargs, callbacks = take_callbacks(train, args, kwargs)
        with with_callback(self._export_callback(export, callbacks), callbacks, self) as callbacks:
            return train(*args, callbacks=callbacks, **kwargs)

    def export_checkpoint(self, filepath: Path, **options: Any) -> ExportRecord:
        """Exports the model now.

        Args:
            filepath: checkpoint prefix, as str or path object.
            **options: what `keras_gensynth_callback.export_checkpoint` takes.

        Returns:
            An `ExportRecord`.
        """
        return export_checkpoint(self, filepath, **options)

    def compile_from_config(self, config):
        """Compiles a loaded model.

        Keras does not call a `compile` that is not its own; ours takes the same configuration.
        """
        if _compile_is_custom(type(self)):
            return super().compile_from_config(config)  # type: ignore[misc]
        saving = sys.modules[_keras_name(type(self))].saving
        self.compile(**saving.deserialize_keras_object(config))
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and self.built and hasattr(optimizer, "build"):
            optimizer.build(self.trainable_variables)

    def _export_callback(self, export, callbacks):
        """The callback that this training needs besides those it was given, or None."""
        if export is not None:
            return as_callback(export)
        if self._gensynth_export is not None:
            return self._gensynth_export
        if any(isinstance(callback, GenSynthExportCallback) for callback in flat_callbacks(callbacks)):
            return None
        return _default_callback(self.name)


def as_callback(export):
    """The callback for what `compile` and `fit` take as `export`."""
    if isinstance(export, GenSynthExportCallback):
        return export
    callback = GenSynthExportCallback(export, save_freq="train_end")
    return GenSynthExportCallback(export) if callback.has_template else callback


def _default_callback(model_name):
    name = model_name.replace("/", "_").replace("{", "{{").replace("}", "}}")
    return GenSynthExportCallback(os.path.join(DEFAULT_FOLDER, name), save_freq="train_end", on_export=_log_place)


def _log_place(record):
    logger.info("Exported the trained model to %s; pass `export` to choose another place.", record.prefix)


def _show_signature(cls, name):
    """Gives a class that mixes us in a method with the signature of its own Keras's, and `export`."""
    ours = getattr(GenSynthMixin, name)
    if getattr(cls, name) is not ours:
        return  # a class above has it, or the class has a method of its own
    theirs = getattr(super(GenSynthMixin, cls), name, None)
    if theirs is None:
        return

    @functools.wraps(theirs)
    def method(self, *args, **kwargs):
        return ours(self, *args, **kwargs)

    method.__doc__ = inspect.cleandoc(theirs.__doc__ or "") + inspect.cleandoc(_EXPORT_DOC).join(["\n\n", "\n"])
    vars(method).update(__signature__=_with_export(inspect.signature(theirs)), _is_gensynth=True)
    setattr(cls, name, method)


def _offer_fit_generator(cls):
    """Lets `fit_generator`, where this Keras has it, take `export` as `fit` does."""
    theirs = getattr(cls, "fit_generator", None)
    if theirs is None or hasattr(theirs, "_is_gensynth") or "fit_generator" in vars(cls):
        return

    @functools.wraps(theirs)
    def fit_generator(self, *args, export=None, **kwargs):
        return self._train(super(cls, self).fit_generator, export, args, kwargs)

    vars(fit_generator)["_is_gensynth"] = True
    cls.fit_generator = fit_generator


def _with_export(signature):
    export = inspect.Parameter("export", inspect.Parameter.KEYWORD_ONLY, default=None)
    parameters = list(signature.parameters.values())
    at = len(parameters) - (bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD)
    return signature.replace(parameters=parameters[:at] + [export] + parameters[at:])


def _keras_name(cls):
    """The top package of the Keras that a model class stems from."""
    for base in cls.__mro__:
        root = base.__module__.split(".")[0]
        if root in (*KERASES, TF_KERAS):
            return root
    raise TypeError(
        f"{cls.__name__} must extend a model class of Keras, such as keras.Sequential, behind GenSynthMixin."
    )


def _compile_is_custom(cls):
    """Whether a class between ours and Keras's has a `compile` of its own."""
    owners = [base for base in cls.__mro__ if "compile" in vars(base) and base is not GenSynthMixin]
    return any(
        base.__module__.split(".")[0] not in (*KERASES, TF_KERAS) and not hasattr(vars(base)["compile"], "_is_gensynth")
        for base in owners
    )


@functools.lru_cache(maxsize=None)
def gensynth_model_class(keras_model_class: Any) -> Any:
    """The `GenSynthModel` over the `Model` class of one Keras, the same one at each call.

    Args:
        keras_model_class: `keras.Model` or `tf_keras.Model`.

    Returns:
        A class to use instead of it, subclassed or as `GenSynthModel(inputs, outputs)`.
    """
    functional_base: Any = _functional_class(keras_model_class)
    if functional_base is None:
        return _model_class_of_tf1(keras_model_class)

    class GenSynthModel(GenSynthMixin, keras_model_class):
        """Use it instead of `keras.Model`, subclassed or functional: `fit` exports the model by itself."""

        # As Keras does with `Model`: made from inputs and outputs, it is an instance of a functional class. Keras would
        # exchange the bases of this class itself, for all who extend it.
        def __new__(cls, *args, **kwargs):
            if cls is GenSynthModel and _is_functional(args, kwargs):
                cls = GenSynthFunctional
            return super(GenSynthModel, cls).__new__(cls, *args, **kwargs)

        def __init__(self, *args, **kwargs):
            if _is_functional(args, kwargs) and not isinstance(self, functional_base):
                _make_functional(type(self), GenSynthModel, GenSynthFunctional)
            super(GenSynthModel, self).__init__(*args, **kwargs)

    class GenSynthFunctional(GenSynthModel, functional_base):
        """A `GenSynthModel` made from inputs and outputs."""

        __init__ = functional_base.__init__  # Keras compares its arguments to know a functional model

    serializing = _serializing(keras_model_class)
    for cls in (GenSynthModel, GenSynthFunctional):
        cls.__module__, cls.__qualname__ = __name__, cls.__name__
        serializing.register_keras_serializable(package=PACKAGE)(cls)
        if not hasattr(keras_model_class, "stateless_call"):
            # Keras 2's HDF5 files of graph mode name a class without its package.
            serializing.get_custom_objects()[cls.__name__] = cls
    return GenSynthModel


def _model_class_of_tf1(keras_model_class: Any) -> Any:
    """The same for tf.keras of TF 1.15, where a model of either kind is a `Model`."""

    class GenSynthModel(GenSynthMixin, keras_model_class):
        """Use it instead of `tf.keras.Model`, subclassed or functional: `fit` exports the model by itself."""

    GenSynthModel.__module__, GenSynthModel.__qualname__ = __name__, GenSynthModel.__name__
    import tensorflow as tf

    tf.keras.utils.get_custom_objects()[GenSynthModel.__name__] = GenSynthModel
    return GenSynthModel


def _serializing(keras_model_class):
    """The module with this Keras's `register_keras_serializable` and `get_custom_objects`."""
    root = _keras_name(keras_model_class)
    saving = None if root == TF_KERAS else getattr(sys.modules[root], "saving", None)
    if hasattr(saving, "register_keras_serializable"):
        return saving
    import tensorflow as tf

    return tf.keras.utils  # before TF 2.12


def _functional_class(keras_model_class):
    """The class that this Keras makes of `Model(inputs, outputs)`, for which no Keras has a public name; None in TF
    1.15, which makes a `Model`.
    """
    root = _keras_name(keras_model_class)
    places = (
        f"{root}.src.models.functional",
        f"{root}.src.engine.functional",
        f"{root}.engine.functional",  # of TF 2.6 to 2.12
        f"{root}.python.keras.engine.functional",
    )
    return next((sys.modules[place].Functional for place in places if place in sys.modules), None)


def _is_functional(args, kwargs):
    return len(args) == 2 or (len(args) == 1 and "outputs" in kwargs) or {"inputs", "outputs"} <= set(kwargs)


def _make_functional(cls, plain, functional):
    """Puts the functional class in place of the plain one among the bases of a user's class."""
    if cls is plain:
        return functional
    if issubclass(cls, plain) and not issubclass(cls, functional):
        cls.__bases__ = tuple(_make_functional(base, plain, functional) for base in cls.__bases__)
    return cls


def default_keras_model_class(namespace=None):
    """`Model` of the Keras that the user works with; none is imported that he has not imported, unless he has none.

    TensorFlow itself imports `keras`, so `tf_keras` is the one that somebody has chosen where both are there, unless
    the module that asks knows Keras alone.

    Args:
        namespace: the globals of the module that asks for `GenSynthModel`, or None.
    """
    used = {_root(value) for value in list((namespace or {}).values())} & set(KERASES)
    imported = [name for name in ("tf_keras", "keras") if name in sys.modules]
    for name in [*used] if len(used) == 1 else imported[:1]:
        return sys.modules[name].Model
    if backend_of_program() in OTHER_BACKENDS:
        return importlib.import_module("keras").Model
    import tensorflow as tf

    return tf.keras.Model


def _root(value):
    name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
    return name.split(".")[0] if isinstance(name, str) else None
