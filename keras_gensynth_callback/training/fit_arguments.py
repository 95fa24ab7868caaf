"""The callbacks among the arguments of a `fit`: taken out, and one of ours put in."""

import contextlib
import inspect

from .callback import GenSynthExportCallback


def take_callbacks(train, args, kwargs):
    """Takes `callbacks` out of the arguments of `fit`; what stood behind it is then passed by name."""
    names = list(inspect.signature(train).parameters)
    if "callbacks" not in names or names.index("callbacks") >= len(args):
        kwargs = dict(kwargs)
        return args, kwargs, kwargs.pop("callbacks", None)
    at = names.index("callbacks")
    return args[:at], dict(zip(names[at + 1 :], args[at + 1 :]), **kwargs), args[at]


def _is_callback_list(callbacks):
    return not isinstance(callbacks, GenSynthExportCallback) and hasattr(callbacks, "callbacks")


def flat_callbacks(callbacks):
    """The callbacks in what `fit` takes as `callbacks`."""
    if _is_callback_list(callbacks):
        callbacks = callbacks.callbacks
    if not isinstance(callbacks, (list, tuple)):
        return [] if callbacks is None else [callbacks]
    return [callback for part in callbacks for callback in flat_callbacks(part)]


@contextlib.contextmanager
def with_callback(callback, callbacks, model):
    """What to pass to `fit` so that it calls our callback, too. The user's list stays as it is."""
    given = flat_callbacks(callbacks)
    if callback is None or any(callback is other for other in given):
        yield callbacks
    elif not _is_callback_list(callbacks):
        yield given + [callback]
    else:
        # A `keras.callbacks.CallbackList` has configured its callbacks before `fit`; ours is its guest.
        callback.set_model(model)
        callback.set_params(getattr(callbacks, "params", None))
        callbacks.callbacks.append(callback)
        try:
            yield callbacks
        finally:
            callbacks.callbacks.remove(callback)
