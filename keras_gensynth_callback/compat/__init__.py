"""What differs between releases of TensorFlow, and what is private in them.

control_flow   loops and conditionals of TF 1.x
functions      `tf.function`, `Defun`, ConcreteFunction, FuncGraph
gradients      `tf.gradients` and `tf.GradientTape`
operations     ops, variables and devices
replicas       `tf.distribute`, and the specs of its datasets
patching       a patch that is scoped and undone
distribution   which strategies are known, who writes, how all stay in step

Private names of TensorFlow stand here alone, each with its reason and the versions it was seen in; `distribution` has
none. `tests/compat/test_private_apis.py` touches each of them first, so that a release that moves one fails there and
not in a user's training.
"""

from .control_flow import (
    ask_for_v1_control_flow,
    branches_without_result,
    cases_as_conditionals,
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
from .distribution import Workers, check_strategy, strategy_of
from .functions import (
    arguments_of_restored,
    autograph_status,
    concrete_functions_inlined,
    defuns_inlined,
    function_calls,
    function_graph,
    functions_run_eagerly,
    initialisers_left_out,
    python_of,
)
from .gradients import can_be_differentiated, gradient_function, gradients_of_graphs, observed_tapes
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
from .replicas import element_spec_of, outside_of_strategies, spec_of_one_replica, specs_of_calls

__all__ = [
    "SPARSE_READS",
    "VARIABLE_READS",
    "Workers",
    "arguments_of_restored",
    "ask_for_v1_control_flow",
    "autograph_status",
    "branches_without_result",
    "broadcasts_unasserted",
    "can_be_differentiated",
    "cases_as_conditionals",
    "check_strategy",
    "concrete_functions_inlined",
    "defuns_inlined",
    "device_lists",
    "eager_outside_of_functions",
    "element_spec_of",
    "function_calls",
    "function_graph",
    "functions_run_eagerly",
    "gradient_function",
    "gradients_of_graphs",
    "identity_inside_contexts",
    "initialisers_left_out",
    "inside_context_of",
    "inside_control_flow",
    "list_outputs_in_contexts",
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
    "strategy_of",
    "vectorized_loops",
    "watched_handle",
    "without_control_flow_v2",
]
