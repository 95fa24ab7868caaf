"""From files back into a Keras model.

loading        reads and assigns
name_mapping      Kerases of different ages give one weight different names
"""

from .loading import read_into

__all__ = [
    "read_into",
]
