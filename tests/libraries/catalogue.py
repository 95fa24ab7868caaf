"""The modules that have the models of a library each, in the order of the page."""

import importlib

from .environments import ENVIRONMENTS

NAMES = (
    "transformers_models",
    "keras_hub_models",
    "kecam_models",
    "segmentation_models_models",
    "addons_models",
    "probability_models",
    "optimization_models",
    "larq_models",
    "qkeras_models",
    "spektral_models",
    "tcn_models",
    "tcn_keras3_models",
    "deepctr_models",
    "recommenders_models",
    "ranking_models",
    "hub_models",
    "tuner_models",
    "scikeras_models",
)


def modules():
    """dict, name of a module -> module; no library is imported for it."""
    return {name: importlib.import_module(f"libraries.{name}") for name in NAMES}


def keras_of(module):
    """The name of the Keras that the models of a module are of."""
    return getattr(module, "KERAS", ENVIRONMENTS[module.ENVIRONMENT].keras)
