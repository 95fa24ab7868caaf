"""Turns a Keras model into a plain v1 graph and says what each thing in it is. The only room that knows Kerases."""

from .adapters import (
    Adapter,
    Variable,
    adapter_of,
    check_environment,
    compute_as_other_backends,
    distribution,
    named_alike,
    own_variables,
    trainable_alike,
    v1_engine,
    values_of,
)
from .fitted_data import spec_of_batches
from .keras_numbers import KerasNumbers
from .lifted import Lifted
from .lifting import lift
from .tracing import Table, scope_of

__all__ = [
    "own_variables",
    "Adapter",
    "KerasNumbers",
    "Lifted",
    "Table",
    "Variable",
    "adapter_of",
    "check_environment",
    "compute_as_other_backends",
    "distribution",
    "lift",
    "named_alike",
    "scope_of",
    "spec_of_batches",
    "trainable_alike",
    "v1_engine",
    "values_of",
]
