"""keras-tcn, beside Keras 3."""

from .tcn_models import LIBRARY, MODELS  # noqa: F401

ENVIRONMENT = "keras-3"
