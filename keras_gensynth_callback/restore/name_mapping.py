"""Kerases of different ages give one weight different names: which one in a checkpoint is which one of the model.

| layer | Keras 3 | tf_keras | tf.keras of TensorFlow 1.15 |
|---|---|---|---|
| `LSTM` | `lstm/lstm_cell/kernel` | `lstm/lstm_cell/kernel` | `lstm/kernel` |
| `TimeDistributed` | `each/dense/kernel` | `each/kernel` | `each/kernel` |
| in a nested model | `inner/dense/kernel` | `dense/kernel` | `dense/kernel` |
| `DepthwiseConv2D` | `depthwise/kernel` | `depthwise/depthwise_kernel` | `depthwise/depthwise_kernel` |
"""

_LEAVES = {"depthwise_kernel": "kernel"}


def in_names_of_model(values, weights):
    """The values of a checkpoint under the model's names, where the Keras that wrote it has others.

    A name is taken for another one if it leaves out parts of it, and if that is so of no other weight of this shape.

    Args:
        values: dict, name in the checkpoint -> ndarray.
        weights: dict, name in the model -> shape as a tuple.

    Returns:
        A dict like `values`; slots go along with their weights.
    """
    names = _other_names(values, weights)
    return {_renamed(name, names): value for name, value in values.items()}


def _other_names(values, weights):
    """dict, name in the checkpoint -> the model's name for the same weight."""
    missing = [name for name in weights if name not in values]
    spare = [name for name in values if name not in weights and name.split("/")[0] not in ("training", "metrics")]
    fits = {name: [other for other in spare if _is_same(name, other, weights, values)] for name in missing}
    taken = [other for found in fits.values() for other in found]
    return {found[0]: name for name, found in fits.items() if len(found) == 1 and taken.count(found[0]) == 1}


def _is_same(name, other, weights, values):
    short, long = sorted([_parts(name), _parts(other)], key=len)
    rest = iter(long)
    return weights[name] == values[other].shape and short[-1] == long[-1] and all(part in rest for part in short)


def _parts(name):
    *scopes, leaf = name.split("/")
    return [*scopes, _LEAVES.get(leaf, leaf)]


def _renamed(name, names):
    if not name.startswith("training/"):
        return names.get(name, name)
    head, optimizer, *rest = name.split("/")
    weight, slot = "/".join(rest[:-1]), rest[-1]
    return "/".join([head, optimizer, names[weight], slot]) if weight in names else name
