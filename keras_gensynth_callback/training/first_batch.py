"""A look at the first batch of training, before it moves a weight.

Both generations of Keras call `model.train_function(iterator)` for each step, and only the iterator knows the shapes
and types of what the model is trained on. So the function is exchanged when training begins for one that puts the
original back at its first call, looks at the iterator, and then runs the step as ever.

`fit` of TensorFlow 2.2 and 2.3 has the function made before training begins, and keeps it in a local variable. There
what makes it is exchanged, when the callback gets its model, for one that makes a function which can be watched.
"""

import contextlib
import inspect

import wrapt

from keras_gensynth_callback.compat import patched
from keras_gensynth_callback.kerases import of_framework
from keras_gensynth_callback.lift import spec_of_batches


class FirstBatch:
    """Calls an action with the spec of the batches, just before the first step of training."""

    def __init__(self):
        self._model = None
        self._original = None
        self._proxy = None
        self._making = None  # what puts back the method that makes it
        self._kept = None  # the WatchedFunction of a `fit` that keeps it in a local variable

    def expect(self, model):
        """A `fit` gives the callback its model: does what has to be done before it makes its train function."""
        self._unmake()
        self._kept = None
        if not _keeps_its_function(model):
            return

        def make_once(wrapped, instance, args, kwargs):
            self._unmake()
            self._kept = WatchedFunction(wrapped(*args, **kwargs))
            return self._kept

        self._making = contextlib.ExitStack()
        self._making.enter_context(patched(model, "make_train_function", make_once))

    def _unmake(self):
        if self._making is not None:
            making, self._making = self._making, None
            making.close()

    def watch(self, model, action):
        """Exchanges the model's train function until its first call.

        Args:
            model: a Keras model whose `fit` has just begun.
            action: called with `batch_spec(iterator)`; what it raises ends the training before its first step. If it
                returns True it is called again after that step.
        """
        self.withdraw()
        original = getattr(model, "train_function", None)
        if original is None:
            return  # a training loop of the user's own
        history = getattr(model, "history", None)

        def first_call(wrapped, instance, args, kwargs):
            # Every `fit` has a new History: with another one this call belongs to a later `fit`, after ours died
            # between `on_train_begin` and its first step.
            watching = self._proxy is proxy and getattr(model, "history", None) is history
            _put_back(model, proxy, original)
            if self._proxy is proxy:
                self._forget()
            if not watching:
                return wrapped(*args, **kwargs)
            spec = batch_spec(args[0])
            _trace_as_keras_would(wrapped, args)
            again = action(spec)
            result = wrapped(*args, **kwargs)
            if again:
                action(spec)
            return result

        proxy = wrapt.FunctionWrapper(original, first_call)
        self._model, self._original, self._proxy = model, original, proxy
        if self._kept is not None:
            self._kept.call_once(proxy)
        else:
            model.train_function = proxy

    def withdraw(self):
        """Puts the original back where the first step never came."""
        self._unmake()
        if self._proxy is not None:
            _put_back(self._model, self._proxy, self._original)
            self._forget()

    def _forget(self):
        self._model = self._original = self._proxy = None


class WatchedFunction:
    """A train function that can be exchanged for one call, whoever holds it."""

    def __init__(self, function):
        self._function, self._once = function, None

    def call_once(self, function):
        """Calls another function at the next call."""
        self._once = function

    def __call__(self, *args, **kwargs):
        once, self._once = self._once, None
        return (once or self._function)(*args, **kwargs)


def _keeps_its_function(model):
    """Whether a model's `fit` calls what it has in a local variable, and not what the model has when a step begins."""
    fits = [vars(base)["fit"] for base in type(model).__mro__ if "fit" in vars(base) and of_framework(base)]
    code = getattr(inspect.unwrap(fits[0]), "__code__", None) if fits else None
    if code is None or not hasattr(model, "make_train_function"):
        return False
    return "train_function" in (*code.co_varnames, *code.co_cellvars)


def _trace_as_keras_would(train_function, args):
    """Lets tf_keras trace its step before an action makes optimizer slots and metrics.

    A `tf.function` runs its Python twice where that makes variables, and each run moves on the seeds of dropout layers:
    were the variables there already, training would draw other numbers.
    """
    trace = getattr(train_function, "get_concrete_function", None)
    if trace is not None:
        trace(*args)


def _put_back(model, proxy, original):
    # Somebody may have exchanged or rebuilt the function after us; then theirs stays.
    if model.train_function is proxy:
        model.train_function = original


def batch_spec(iterator):
    """The spec of an iterator's batches; see `spec_of_batches`."""
    return spec_of_batches(getattr(iterator, "element_spec", None))
