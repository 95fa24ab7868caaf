"""`inspect_checkpoint`: what is in a checkpoint, whoever wrote it, seen in its files alone.

collections   the collections of a meta graph, with names for members
variables     the variables of a graph, and what each is: weight, metric, optimizer
writes        which nodes change variables while the graph runs
layers        layers, in the order in which data goes through, with what they hold
signatures    inputs and outputs, by signature or by placeholders
gaps          what a TensorFlow 1.x program will miss
filling       what of that the graph shows by itself
inspecting    all of it together
"""

from .inspecting import inspect_checkpoint

__all__ = ["inspect_checkpoint"]
