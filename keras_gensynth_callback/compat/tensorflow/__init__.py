"""Every private name of TensorFlow that lifting needs, each with its reason and the versions it was seen in.

`tests/compat/test_private_apis.py` touches each of them first, so that a release that moves one fails there and not in
a user's training.
"""

from .control_flow import (
    ask_for_v1_control_flow,
    branches_without_result,
    by_identity,
    cases_as_conditionals,
    changes_something,
    gradient_of_loops,
    identity_inside_contexts,
    inside_context_of,
    inside_control_flow,
    list_outputs_in_contexts,
    loops_built_by,
    loops_of_defuns_inlined,
    order_reads_before_branches,
    vectorized_loops,
    without_control_flow_v2,
)
from .distributed import element_spec_of, outside_of_strategies, spec_of_one_replica, specs_of_calls
from .functions import (
    FunctionGraph,
    autograph_status,
    concrete_functions_inlined,
    defuns_inlined,
    function_calls,
    function_graph,
    functions_run_eagerly,
    functions_wait_for_their_writes,
    initialisers_left_out,
    python_of,
)
from .gradients import gradient_function, gradients_of_graphs, loops_behind_sources_left_alone, observed_tapes
from .operations import (
    SPARSE_READS,
    VARIABLE_READS,
    broadcasts_unasserted,
    device_lists,
    eager_outside_of_functions,
    op_definition,
    selects_built_by,
    watched_handle,
)
from .patching import patched

__all__ = [
    "FunctionGraph",
    "SPARSE_READS",
    "VARIABLE_READS",
    "ask_for_v1_control_flow",
    "autograph_status",
    "branches_without_result",
    "broadcasts_unasserted",
    "by_identity",
    "cases_as_conditionals",
    "changes_something",
    "concrete_functions_inlined",
    "defuns_inlined",
    "device_lists",
    "eager_outside_of_functions",
    "element_spec_of",
    "function_calls",
    "function_graph",
    "functions_run_eagerly",
    "functions_wait_for_their_writes",
    "gradient_function",
    "gradient_of_loops",
    "gradients_of_graphs",
    "identity_inside_contexts",
    "initialisers_left_out",
    "inside_context_of",
    "inside_control_flow",
    "list_outputs_in_contexts",
    "loops_behind_sources_left_alone",
    "loops_built_by",
    "loops_of_defuns_inlined",
    "observed_tapes",
    "op_definition",
    "order_reads_before_branches",
    "outside_of_strategies",
    "patched",
    "python_of",
    "selects_built_by",
    "spec_of_one_replica",
    "specs_of_calls",
    "vectorized_loops",
    "watched_handle",
    "without_control_flow_v2",
]
