"""GraphDefs, read and changed as protos: no Keras, no session that belongs to anybody. Stands below all other rooms.

nodes        the words for nodes: names of tensors, attributes, a node that becomes another op
editable     a GraphDef that can be edited, with its v1 control flow contexts
colocation   what stands beside which variable
op_types     the types of tensors, by the definitions of their ops
variables    which nodes read and change variables, and what runs after them
match, union which node of one graph is which of another; two graphs brought together
overlay_plan, overlay   the training trace laid over the inference trace, chosen by `keras_learning_phase`
build_conditionals   v1 conditionals on the learning phase
simplify     fewer nodes, the same numbers
switched_terms   what a branch takes from outside, where its sums take it twice
losses       a total loss taken apart into its terms
rnn_loops    loops as TF 1.15's own layers have them
checks       whether a MetaGraphDef that somebody else wrote is one
"""

from .build_conditionals import LEARNING_PHASE
from .checks import Fault, check_meta_graph, check_names
from .colocation import COLOCATION, colocate, drop_lost_colocation
from .editable import COND_CONTEXT, FAR, WHILE_CONTEXT, EditableGraph
from .losses import split_losses
from .match import RANK, note_rank
from .nodes import (
    CASTS,
    HANDS_ON,
    HANDS_ON_REFERENCES,
    attr_value,
    become,
    become_identity,
    data_inputs,
    has_control_inputs,
    input_name,
    is_control,
    moved,
    node_of,
    shape_of,
    tensor_name,
    unique,
)
from .op_types import disagreements, input_types, op_definition, output_types, type_name, type_of
from .overlay import lay_over
from .rnn_loops import last_output_without_array, one_counter_a_loop
from .simplify import drop_unused_inputs, equal_nodes, fold_constants, merge_equal_nodes, shorten_identities
from .switched_terms import hand_on_switched_terms
from .union import unite
from .variables import (
    add_outlets,
    free_branches_of_outside,
    is_write,
    outlet,
    stands_in_loop,
    step_nodes,
    writes_of,
    written_variable,
)

__all__ = [
    "RANK",
    "note_rank",
    "CASTS",
    "COLOCATION",
    "COND_CONTEXT",
    "EditableGraph",
    "FAR",
    "Fault",
    "HANDS_ON",
    "HANDS_ON_REFERENCES",
    "LEARNING_PHASE",
    "WHILE_CONTEXT",
    "add_outlets",
    "attr_value",
    "become",
    "become_identity",
    "check_meta_graph",
    "check_names",
    "colocate",
    "data_inputs",
    "disagreements",
    "drop_lost_colocation",
    "drop_unused_inputs",
    "equal_nodes",
    "fold_constants",
    "free_branches_of_outside",
    "has_control_inputs",
    "hand_on_switched_terms",
    "input_name",
    "input_types",
    "is_control",
    "is_write",
    "last_output_without_array",
    "lay_over",
    "merge_equal_nodes",
    "moved",
    "node_of",
    "one_counter_a_loop",
    "op_definition",
    "outlet",
    "output_types",
    "shape_of",
    "shorten_identities",
    "split_losses",
    "stands_in_loop",
    "step_nodes",
    "tensor_name",
    "type_name",
    "type_of",
    "unique",
    "unite",
    "writes_of",
    "written_variable",
]
