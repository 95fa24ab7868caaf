"""An exporter that writes nothing and records what it was asked for: the tests of the hooks look at *when*."""

import collections

import numpy as np

from keras_gensynth_callback.options import Moment


class Record(collections.namedtuple("Record", "prefix epoch batch logs is_best")):
    """What an export was asked for."""

    size = 1


def values_of(model):
    """Every value of a model, its optimizer's and metrics' included."""
    return [np.array(variable.numpy()) for variable in [*model.variables, *_optimizer_variables(model)]]


def _optimizer_variables(model):
    variables = model.optimizer.variables
    return variables() if callable(variables) else variables


class FakeExporter:
    """Takes the place of `Exporter`. Every test has a class of its own, so that nothing is left behind."""

    made = ()
    can_prepare = True
    fail_prepare = None  # raised by `prepare`
    fail_export = None  # raised by what `begin` returns, once

    def __init__(self, model, options):
        self.model = model
        self.options = options
        self.prepared = False
        self.specs = []
        self.values_when_prepared = None
        type(self).made.append(self)

    def prepare(self, data_spec=None):
        self.specs.append(data_spec)
        self.values_when_prepared = [np.array(variable.numpy()) for variable in self.model.variables]
        if self.fail_prepare is not None:
            raise self.fail_prepare
        self.prepared = True

    def export(self, prefix, moment=None, manager=None):
        return self.begin(prefix, moment or Moment(), manager)()

    def begin(self, prefix, moment, manager=None, started=None):
        assert self.prepared
        values = values_of(self.model)
        prefix = prefix if manager is None else manager.shown(prefix)

        def write():
            if self.fail_export is not None:
                error, type(self).fail_export = type(self).fail_export, None
                raise error
            record = Record(prefix, moment.epoch, moment.batch, moment.logs, moment.is_best)
            type(self).records.append(record)
            type(self).values.append(values)
            return record

        return write


def fake_exporter_class():
    """A new `FakeExporter` class with empty lists `made`, `records` and `values` (of the model at each export)."""
    return type("FakeExporter", (FakeExporter,), {"made": [], "records": [], "values": []})
