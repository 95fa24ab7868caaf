"""Random numbers as the layers of TF 1.15 draw them: by ops that draw anew each time they run.

Keras 3 draws from a seed that a variable holds, and moves the seed on by a write beside the draw. In a graph that write
runs only where it is asked for, and without it two runs would draw the same numbers. So what is drawn from the value of
a variable is drawn without a seed (tensorflow/core/ops/random_ops.cc), and a variable that nothing else reads is no
longer moved on. What is drawn from a seed that is constant, or fed, stays as it is. Two draws from one seed are one
draw: in Keras they are the same numbers, as both directions of `elastic_transform` are.
"""

import tensorflow as tf

from keras_gensynth_callback.compat import VARIABLE_READS
from keras_gensynth_callback.graph import (
    become,
    become_identity,
    data_inputs,
    equal_nodes,
    is_write,
    node_of,
    tensor_name,
    type_of,
    written_variable,
)

# Op -> (op without seed, indices of the inputs that it keeps, its attributes: names of those they are taken from).
_FIRST = {"dtype": "dtype", "T": "T"}
_SECOND = {"dtype": "dtype", "T": "Tshape"}
_WITHOUT_SEED = {
    "StatelessRandomUniform": ("RandomUniform", (0,), _FIRST),
    "StatelessRandomNormal": ("RandomStandardNormal", (0,), _FIRST),
    "StatelessTruncatedNormal": ("TruncatedNormal", (0,), _FIRST),
    "StatelessRandomUniformInt": ("RandomUniformInt", (0, 2, 3), {"Tout": "dtype", "T": "T"}),
    "StatelessMultinomial": ("Multinomial", (0, 1), {"T": "T", "output_dtype": "output_dtype"}),
    "StatelessRandomPoisson": ("RandomPoissonV2", (0, 2), {"S": "T", "R": "Rtype", "dtype": "dtype"}),
    "StatelessRandomUniformV2": ("RandomUniform", (0,), _SECOND),
    "StatelessRandomNormalV2": ("RandomStandardNormal", (0,), _SECOND),
    "StatelessTruncatedNormalV2": ("TruncatedNormal", (0,), _SECOND),
    "StatelessRandomUniformIntV2": ("RandomUniformInt", (0, 4, 5), {"Tout": "dtype", "T": "Tshape"}),
    "StatelessShuffle": ("RandomShuffle", (0,), {"T": "T"}),
}
_SEEDS = {"StatelessMultinomial": 2}


def draw_anew(graph, results):
    """Lets each run of a graph draw its own numbers.

    Args:
        graph: EditableGraph, changed in place. Nodes that nothing reads any more stay for `keep`.
        results: names of the nodes that the graph is run for, besides its writes.
    """
    seeds, draws = set(), []
    for node in graph.nodes.values():
        if node.op in _WITHOUT_SEED:
            found = _variables_behind(graph, node.input[_SEEDS.get(node.op, 1)])
            if found:
                seeds |= found
                draws.append(node.name)
    same = equal_nodes(graph, draws)
    for node in map(graph.nodes.get, draws):
        if node.name in same:
            become_identity(node, tensor_name(same[node.name]), tf.as_dtype(type_of(graph, node.name)))
        else:
            _forget_seed(node)
    if seeds:
        graph.drop(_idle_writes(graph, seeds, results))


def _variables_behind(graph, tensor):
    """The names of the variables that a tensor is computed from; none where it depends on what is fed, too."""
    behind = graph.ancestors([node_of(tensor)], controls=False)
    is_fed = any(graph.nodes[name].op.startswith("Placeholder") for name in behind)
    return set() if is_fed else graph.variables_behind([tensor])


def _forget_seed(node):
    op, kept, attributes = _WITHOUT_SEED[node.op]
    data = data_inputs(node)
    attrs = {key: node.attr[name] for key, name in attributes.items()}
    become(node, op, [data[index] for index in kept], seed=0, seed2=0, **attrs)


def _idle_writes(graph, seeds, results):
    """The writes to those of `seeds` whose values nothing needs but the writes to them."""
    writes = {name: written_variable(graph, node) for name, node in graph.nodes.items() if is_write(node)}
    others = [name for name, variable in writes.items() if variable not in seeds]
    needed = graph.ancestors([*results, *others], controls=False)
    read = {
        node_of(node.input[0]) for name, node in graph.nodes.items() if name in needed and node.op in VARIABLE_READS
    }
    return [name for name, variable in writes.items() if variable in seeds - read and name not in graph.context_of]
