"""`load_checkpoint`: from files back into a Keras model.

loading        reads and assigns
name_mapping      Kerases of different ages give one weight different names
"""

from .loading import load_checkpoint

__all__ = [
    "load_checkpoint",
]
