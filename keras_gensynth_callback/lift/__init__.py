"""Turns a Keras model into a plain v1 graph and says what each thing in it is. The only room that knows Kerases."""

from .environment import check_environment
from .keras_numbers import KerasNumbers
from .lifting import lift
from .select import adapter_of, values_of
from .simplify import shorten_identities

__all__ = ["KerasNumbers", "adapter_of", "check_environment", "lift", "shorten_identities", "values_of"]
