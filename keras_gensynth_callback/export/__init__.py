"""From a model to files: lifts and fits it once, then writes its values as often as they are asked for.

exporter             the thread through the rooms
metagraph            saver, initialisers, signatures and collections, as protos
functions            one export, outside of `fit`
session_collections  the collections of a session's graph that a model lives in
samples              a few of a model's weights, to see whether they changed
"""

from .exporter import Exporter
from .functions import graph_of, made_meta_graph, write_export
from .metagraph import EVAL_METHOD, TRAIN_METHOD
from .samples import sample_of_weights
from .session_collections import fill_if_live, init_variable_collections_from_keras

__all__ = [
    "EVAL_METHOD",
    "Exporter",
    "TRAIN_METHOD",
    "fill_if_live",
    "graph_of",
    "init_variable_collections_from_keras",
    "made_meta_graph",
    "sample_of_weights",
    "write_export",
]
