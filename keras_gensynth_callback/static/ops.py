"""How the shapes of an op's outputs follow from its inputs, for the ops that models of Keras and their gradients are
made of.

`FUNCTIONS` has a function for each op: it takes a step of `shapes.StaticShapes` and returns the shapes of the outputs.
"""

from . import convolutions, elementwise, indexing, products

FUNCTIONS = {**elementwise.FUNCTIONS, **products.FUNCTIONS, **convolutions.FUNCTIONS, **indexing.FUNCTIONS}
