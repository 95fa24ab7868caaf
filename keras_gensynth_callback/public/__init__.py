"""What a program calls with a model, or with the file of one. Nothing here imports TensorFlow before it is needed."""

from .functions import build_graph, convert_model_file, export_checkpoint, load_checkpoint

__all__ = [
    "build_graph",
    "convert_model_file",
    "export_checkpoint",
    "load_checkpoint",
]
