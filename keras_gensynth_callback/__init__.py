"""Carries a Keras model into TensorFlow 1.x while it trains."""
from .api import build_graph, export_checkpoint
from .callback import GenSynthExportCallback
from .errors import GenSynthExportError

__all__ = ["GenSynthExportCallback", "GenSynthExportError", "build_graph", "export_checkpoint"]
