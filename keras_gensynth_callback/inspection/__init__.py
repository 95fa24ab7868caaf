"""`inspect_checkpoint`: what is in a checkpoint, whoever wrote it, seen in its files alone.

collections   the collections of a meta graph, with names for members
variables     the variables of a graph, and what each is: weight, metric, optimizer
writes        which nodes change variables while the graph runs
layers        layers, in the order in which data goes through, with what they hold
signatures    inputs and outputs, by signature or by placeholders
gaps          what a TensorFlow 1.x program will miss
filling       what of that the graph shows by itself
inspecting    all of it together
"""

from .collections import VARIABLE_COLLECTIONS, members, variable_def_from_graph, variable_defs
from .damaged import told_if_damaged
from .filling import missing_members, outputs_of
from .inspecting import inspect_checkpoint, inspected
from .layers import CARRYING, layers_of, layers_of_nodes, scope_of, scopes_around, weights_by_layer
from .meta_file import parsed_meta_graph, read_meta_graph
from .signatures import inputs_and_outputs, is_learning_phase, is_placeholder, signatures_of
from .variables import variables_of
from .writes import PASSING, is_variable

__all__ = [
    "CARRYING",
    "PASSING",
    "VARIABLE_COLLECTIONS",
    "inputs_and_outputs",
    "inspect_checkpoint",
    "inspected",
    "is_learning_phase",
    "is_placeholder",
    "is_variable",
    "layers_of",
    "layers_of_nodes",
    "members",
    "missing_members",
    "outputs_of",
    "parsed_meta_graph",
    "read_meta_graph",
    "scope_of",
    "scopes_around",
    "signatures_of",
    "told_if_damaged",
    "variable_def_from_graph",
    "variable_defs",
    "variables_of",
    "weights_by_layer",
]
