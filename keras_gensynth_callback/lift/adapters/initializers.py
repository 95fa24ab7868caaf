"""What a Keras initializer draws from, so that `tf.global_variables_initializer()` starts a training afresh in TF 1.x.

The formulas are those of keras/src/initializers/random_initializers.py (`VarianceScaling`: He et al. 2015, Glorot and
Bengio 2010), which TF 1.15 shares (tensorflow/python/ops/init_ops.py).
"""

import math

# The standard deviation of a normal distribution that is cut off at two standard deviations.
_TRUNCATED = 0.87962566103423978
_ATTRIBUTES = {
    "recurrent_kernel": "recurrent_initializer",
    "depthwise_kernel": "depthwise_initializer",
    "pointwise_kernel": "pointwise_initializer",
}


class Distribution:
    """`constant` (value, -), `uniform` (low, high), `normal` or `truncated_normal` (mean, standard deviation)."""

    def __init__(self, kind, first, second=0.0):
        self.kind, self.first, self.second = kind, float(first), float(second)


def initializers_of(layers):
    """dict, id of a weight -> the Keras initializer that its layer names for it.

    Args:
        layers: the layers of a model, outer ones first.
    """
    found = {}
    for layer in layers:
        for weight in layer.weights:
            # tf_keras lists the vocabulary of a text layer as a weight, which is no variable.
            base = getattr(weight, "name", "").split(":")[0].split("/")[-1]
            initializer = getattr(layer, _ATTRIBUTES.get(base, f"{base}_initializer"), None)
            if initializer is not None:
                found[id(weight)] = initializer
    return found


def distribution(initializer, name, shape):
    """The Distribution of an initializer; of one that is not known here, what Keras takes by default.

    Args:
        initializer: a Keras initializer, or None.
        name: str, the variable's name in the graph.
        shape: tuple of int.
    """
    kind = type(initializer).__name__
    if kind in ("Zeros", "Ones"):
        return Distribution("constant", kind == "Ones")
    if kind == "Constant" and isinstance(initializer.value, (int, float)):
        return Distribution("constant", initializer.value)
    if kind == "RandomUniform":
        return Distribution("uniform", initializer.minval, initializer.maxval)
    if kind in ("RandomNormal", "TruncatedNormal"):
        drawn = "normal" if kind == "RandomNormal" else "truncated_normal"
        return Distribution(drawn, initializer.mean, initializer.stddev)
    if all(hasattr(initializer, attribute) for attribute in ("scale", "mode", "distribution")):
        return _variance_scaling(initializer.scale, initializer.mode, initializer.distribution, shape)
    if len(shape) < 2:
        return Distribution("constant", name.rsplit("/", 1)[-1] in ("gamma", "scale", "moving_variance"))
    return _variance_scaling(1.0, "fan_avg", "uniform", shape)


def _variance_scaling(scale, mode, drawn, shape):
    fan_in, fan_out = _fans(shape)
    scale = scale / max(1.0, {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[mode])
    if drawn == "uniform":
        limit = math.sqrt(3.0 * scale)
        return Distribution("uniform", -limit, limit)
    if drawn == "untruncated_normal":
        return Distribution("normal", 0.0, math.sqrt(scale))
    return Distribution("truncated_normal", 0.0, math.sqrt(scale) / _TRUNCATED)


def _fans(shape):
    if len(shape) < 2:
        return (shape[0],) * 2 if shape else (1, 1)
    field = 1
    for size in shape[:-2]:
        field *= size
    return shape[-2] * field, shape[-1] * field
