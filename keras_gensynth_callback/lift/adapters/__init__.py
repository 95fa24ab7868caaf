"""One interface to a Keras model, and the Kerases behind it.

base, variable        the interface; a variable and its name
select, environment   the Keras of a model, by its class; by what it trains
keras3, tf_keras, tf_keras_v1   one a generation
v1_engine, v1_steps, session_graph   what graph mode keeps in the session's graph
initializers          what each weight is drawn from
outer_model           models that are trained by their layers alone
rebuilt               names of a model that was made again in another process
snapshots             the values of all variables at one moment
"""

from . import v1_engine
from .base import Adapter, relaxed, restored_lists
from .environment import check_environment
from .initializers import distribution
from .outer_model import predicts
from .rebuilt import compute_as_other_backends, named_alike, trainable_alike
from .select import adapter_of, values_of
from .snapshots import snapshot
from .v1_variables import own_variables
from .variable import LastValue, Variable

__all__ = [
    "own_variables",
    "Adapter",
    "LastValue",
    "Variable",
    "adapter_of",
    "check_environment",
    "compute_as_other_backends",
    "distribution",
    "named_alike",
    "predicts",
    "relaxed",
    "restored_lists",
    "snapshot",
    "trainable_alike",
    "v1_engine",
    "values_of",
]
