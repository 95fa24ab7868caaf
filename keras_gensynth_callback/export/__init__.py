"""From a model to files: lifts and fits it once, then writes its values as often as they are asked for.

exporter             the thread through the rooms
metagraph            saver, initialisers, signatures and collections, as protos
functions            `export_checkpoint`, `build_graph`
session_collections  the collections of a session's graph that a model lives in
logs                 what is read of a training, as plain values
"""

from .exporter import Exporter
from .functions import build_graph, export_checkpoint, write_export
from .logs import described, five_digits, one_number, plain_logs, sample_of_weights
from .metagraph import EVAL_METHOD, TRAIN_METHOD
from .session_collections import fill_if_live, init_variable_collections_from_keras

__all__ = [
    "EVAL_METHOD",
    "Exporter",
    "TRAIN_METHOD",
    "build_graph",
    "described",
    "export_checkpoint",
    "fill_if_live",
    "five_digits",
    "init_variable_collections_from_keras",
    "one_number",
    "plain_logs",
    "sample_of_weights",
    "write_export",
]
