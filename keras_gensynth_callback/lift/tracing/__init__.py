"""Runs a piece of the model's own Python once, symbolically, and keeps what it built as a flat v1 graph.

tracer       one run
tape, flow   gradients that the model takes meanwhile; where gradients flow
functions, outputs   `tf.function`s inlined; what Python returns, as tensors
custom_gradients     those that change a gradient are refused
devices      a trace is told of CPUs only
one_replica  no `tf.distribute` strategy while a trace is made
tables       the content of lookup tables
"""

from .custom_gradients import compare_gradients, refuse_changed_gradients
from .devices import standard_loops, without_cudnn
from .flow import Flow
from .one_replica import as_one_replica, scope_of
from .outputs import output_tensors
from .tables import Table
from .tape import gradients_for_an_optimizer, noted_layer_calls
from .tracer import Trace, editable, names_of, trace, v1_control_flow

__all__ = [
    "Flow",
    "Table",
    "Trace",
    "as_one_replica",
    "compare_gradients",
    "editable",
    "gradients_for_an_optimizer",
    "names_of",
    "noted_layer_calls",
    "output_tensors",
    "refuse_changed_gradients",
    "scope_of",
    "standard_loops",
    "trace",
    "v1_control_flow",
    "without_cudnn",
]
