"""Exports by themselves while a model trains.

callback, callback_base   `GenSynthExportCallback`; the hooks that a `fit` of any Keras calls
model, fit_arguments      `GenSynthModel`: a `fit` that brings its own callback
schedule, monitor         at which batches and epochs an export is due; which is the best
prefix_template, series   under which name; the exports of one `filepath`
first_batch, exporter_cache   a look at the first batch; the exporter of the training that is going on
export_queue, writer_thread, one_core   exports on their way, and the thread that writes them
"""

from .callback import GenSynthExportCallback
from .fit_arguments import take_callbacks, with_callback
from .model import GenSynthMixin, default_keras_model_class, gensynth_model_class

__all__ = [
    "GenSynthExportCallback",
    "GenSynthMixin",
    "default_keras_model_class",
    "gensynth_model_class",
    "take_callbacks",
    "with_callback",
]
