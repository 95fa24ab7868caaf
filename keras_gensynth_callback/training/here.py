"""Exports by this process, of models on TensorFlow."""

from keras_gensynth_callback.checkpoint import CheckpointManager, check_writable
from keras_gensynth_callback.compat import Workers
from keras_gensynth_callback.tensorflow_version import check_tensorflow

from .exporter_cache import PreparationHere
from .first_batch import FirstBatch
from .series import Series
from .ways import fill_collections


class Here:
    """A way to export; see `ways.Ways`.

    Args:
        plan: ways.Plan.
    """

    def __init__(self, plan):
        check_tensorflow()
        template = plan.template
        self.manager = CheckpointManager(plan.max_to_keep, plan.keep_every_n_hours, plan.series, template.shown)
        self.series = Series(template, self.manager, plan.monitor)
        self.first_batch = FirstBatch()
        self.preparation = PreparationHere(plan.options)

    def workers_of(self, model):
        return Workers(model)

    def check_writable(self, prefix):
        check_writable(prefix)

    def fill_collections(self, model):
        return fill_collections(model)
