"""Exports by the companion, of models of Keras 3 on another backend than TensorFlow."""

import itertools

import wrapt

from keras_gensynth_callback import companion

from .preparation import Preparation
from .ways import OneWorker


class Beside:
    """A way to export; see `ways.Ways`.

    Args:
        plan: ways.Plan.
    """

    def __init__(self, plan):
        template = plan.template
        self.manager = companion.RemoteManager(plan.max_to_keep, plan.keep_every_n_hours, plan.series, template.shown)
        self.series = SeriesBeside(template, self.manager, plan.monitor)
        self.first_batch = FirstBatchBeside()
        self.preparation = PreparationBeside(plan.options)

    def workers_of(self, model):
        return OneWorker()

    def check_writable(self, prefix):
        companion.check_writable(prefix)

    def fill_collections(self, model):
        return False


class PreparationBeside(Preparation):
    """For models that the companion exports."""

    def __init__(self, options):
        super().__init__(options)
        self._next = None

    def check(self, model):
        # While `fit` of JAX runs, model and optimizer cannot be asked for their values.
        self._next = None if self.serves(model) else companion.CompanionExporter(model, self.options)

    def new_exporter(self, model):
        made, self._next = self._next, None
        return companion.CompanionExporter(model, self.options) if made is None else made

    def sample(self, model):
        return companion.sample_of_weights(model)


class SeriesBeside:
    """As `series.Series`, of which the companion has the claim and the exports.

    Args:
        template: PrefixTemplate.
        manager: companion.RemoteManager.
        monitor: Monitor.
    """

    def __init__(self, template, manager, monitor):
        self._template, self._manager, self._monitor = template, manager, monitor
        self._claimed = False

    def take_up(self, model, make_folder=False):
        folder = self._template.folder
        if folder is None or self._claimed and self._manager.is_known:
            return
        answer = self._manager.take_up(folder, self._template.series, make_folder)
        self._claimed = answer["claimed"]
        value = self._monitor.value(answer["best"] or {})
        if self._monitor.improves(value, model):
            self._monitor.best = value

    def let_go(self):
        self._claimed = False
        self._manager.let_go()


class FirstBatchBeside:
    """Calls an action with the spec of the batches, just before the first step of training.

    `fit` calls `model.train_function` for each step: on JAX with its state and the iterator of the batches, on Torch
    with a list of them.
    """

    def __init__(self):
        self._watched = None

    def expect(self, model):
        pass

    def watch(self, model, action):
        self.withdraw()
        original, history = model.train_function, model.history

        def first_call(wrapped, instance, args, kwargs):
            # Every `fit` has a new History: with another one this call belongs to a later `fit`, after ours died
            # between `on_train_begin` and its first step.
            watching = self._watched is not None and self._watched[2] is proxy and model.history is history
            self.withdraw()
            if not watching:
                return wrapped(*args, **kwargs)
            *state, batches = args
            batches = iter(batches)
            first = next(batches)
            spec = companion.spec_of_batch(model, first)
            try:
                again = action(spec)
            except BaseException:
                if state:
                    companion.put_back(model, *state)
                raise
            rest = itertools.chain([first], batches)
            result = wrapped(*state, rest if state else list(rest), **kwargs)
            if again:
                action(spec)
            return result

        proxy = wrapt.FunctionWrapper(original, first_call)
        self._watched = (model, original, proxy)
        model.train_function = proxy

    def withdraw(self):
        if self._watched is not None:
            (model, original, proxy), self._watched = self._watched, None
            if model.train_function is proxy:
                model.train_function = original
