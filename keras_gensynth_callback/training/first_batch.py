"""A look at the first batch of training, before it moves a weight.

Both generations of Keras call `model.train_function(iterator)` for each step, and only the iterator knows the shapes
and types of what the model is trained on. So the function is exchanged when training begins for one that puts the
original back at its first call, looks at the iterator, and then runs the step as ever.
"""

import wrapt

from keras_gensynth_callback.lift import spec_of_batches


class FirstBatch:
    """Calls an action with the spec of the batches, just before the first step of training."""

    def __init__(self):
        self._model = None
        self._original = None
        self._proxy = None

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
        model.train_function = proxy

    def withdraw(self):
        """Puts the original back where the first step never came."""
        if self._proxy is not None:
            _put_back(self._model, self._proxy, self._original)
            self._forget()

    def _forget(self):
        self._model = self._original = self._proxy = None


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
