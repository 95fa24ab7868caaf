"""Exports of models that run on another backend than TensorFlow: the side of the process that trains. Nothing here
imports TensorFlow. The other side, `companion_program`, runs the same Keras on TensorFlow in a process of its own.

process       that process: started once, asked one thing at a time, dead with its parent
areas         memory that both processes see: values go through it, as they are
description   what the other process makes the same model of: configurations, names, types and shapes
keras_privates   what Keras has no public name for
exporting     the exporter of a training, which stays which, and the functions for one export

Questions and answers are lines of JSON through pipes. An answer has a result or an error, and the warnings and log
records of the other side, which are given again here.
"""

from .areas import SharedMemory
from .description import spec_of_batch, variables_of
from .exporting import (
    CompanionExporter,
    RemoteManager,
    check_model,
    check_writable,
    convert,
    load_checkpoint,
    meta_graph,
    sample_of_weights,
    write_export,
)
from .keras_privates import put_back
from .process import running_companion

__all__ = [
    "CompanionExporter",
    "RemoteManager",
    "SharedMemory",
    "check_model",
    "check_writable",
    "convert",
    "load_checkpoint",
    "meta_graph",
    "put_back",
    "running_companion",
    "sample_of_weights",
    "spec_of_batch",
    "variables_of",
    "write_export",
]
