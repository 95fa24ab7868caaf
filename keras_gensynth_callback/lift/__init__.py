"""Turns a Keras model into a plain v1 graph and says what each thing in it is. The only room that knows Kerases."""

from .adapter import adapter_of, check_backend
from .lifting import lift

__all__ = ["adapter_of", "check_backend", "lift"]
