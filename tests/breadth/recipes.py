"""The recipe for each row, of whatever kind."""

from . import applications, layers, losses_and_metrics, training

_RECIPES = {
    "layers": layers.recipe,
    "losses": losses_and_metrics.loss_recipe,
    "metrics": losses_and_metrics.metric_recipe,
    "optimizers": training.optimizer_recipe,
    "optimizers.schedules": training.schedule_recipe,
    "regularizers": training.regularizer_recipe,
    "constraints": training.constraint_recipe,
    "activations": training.activation_recipe,
    "applications": applications.recipe,
}


def recipe(row):
    """How a row gets into a model: a function of a Keras module and the row's object that returns a case.

    A class that is in no table gets the default recipe of its kind, if it can be made without arguments; else None.
    """
    return _RECIPES[row.kind](row)


def must_be_random(row):
    """Whether the row has to be random in training; if it were not, its recipe would show too little."""
    return row.kind == "layers" and (row.name.startswith(("Random", "SpatialDropout")) or row.name in layers.RANDOM)
