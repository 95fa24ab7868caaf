"""A layer for each kind of block that is one layer."""

import numpy as np

from .backends import backend_of

_WORDS = ["red", "green", "blue", "black", "white"]


def regularizer(keras, name):
    return {
        None: lambda: None,
        "l2": lambda: keras.regularizers.L2(0.01),
        "l2_half": lambda: keras.regularizers.L2(0.5),
        "l1": lambda: keras.regularizers.L1(0.01),
        "l1_l2": lambda: keras.regularizers.L1L2(0.01, 0.5),
        "orthogonal": lambda: keras.regularizers.OrthogonalRegularizer(0.01),
        "own": lambda: backend_of(keras).own["OwnRegularizer"](),
    }[name]()


def constraint(keras, name):
    return {
        None: lambda: None,
        "max_norm": lambda: keras.constraints.MaxNorm(0.5),
        "non_neg": lambda: keras.constraints.NonNeg(),
        "unit_norm": lambda: keras.constraints.UnitNorm(),
        "min_max_norm": lambda: keras.constraints.MinMaxNorm(0.5, 1.0),
        "own": lambda: backend_of(keras).own["OwnConstraint"](),
    }[name]()


def _weighted(keras, o, kernel="kernel"):
    """The arguments of a layer that has a kernel."""
    found = {"use_bias": o.get("use_bias", True)}
    name = o.get("regularizer")
    # Only matrices can be orthogonal.
    name = "l2" if name == "orthogonal" and o["kind"] not in ("dense", "lstm", "gru", "simple_rnn") else name
    found[f"{kernel}_regularizer"] = regularizer(keras, name)
    found[f"{kernel}_constraint"] = constraint(keras, o.get("constraint"))
    if "initializer" in o:
        found[f"{kernel}_initializer"] = o["initializer"]
    for part in ("bias_regularizer", "activity_regularizer"):
        if part in o:
            found[part] = regularizer(keras, o[part])
    return found


def _conv(name, kernel="kernel", **fixed):
    def make(keras, o):
        arguments = {
            "padding": o.get("padding", "same"),
            "activation": o.get("activation"),
            **_weighted(keras, o, kernel),
        }
        arguments.update({"strides": o["strides"]} if "strides" in o else {})
        arguments.update({"dilation_rate": o["dilation"]} if "dilation" in o else {})
        filters = [] if name.startswith("Depthwise") else [o.get("filters", 4)]
        if kernel == "pointwise":
            arguments["depthwise_regularizer"] = regularizer(keras, o.get("bias_regularizer"))
        return getattr(keras.layers, name)(*filters, o.get("size", 3), **arguments, **fixed)

    return make


def _grouped(keras, o):
    make = _conv("Conv2D", **({"groups": o["groups"]} if "groups" in o else {}))
    # Channels in and out are divided by the groups.
    return make(keras, {**o, "filters": o.get("filters", 4) // 2 * 2 or 2} if "groups" in o else o)


def dense(keras, o, **more):
    return keras.layers.Dense(o.get("units", 5), activation=o.get("activation"), **_weighted(keras, o), **more)


_RECURRENT = (
    "dropout",
    "recurrent_dropout",
    "go_backwards",
    "unroll",
    "reset_after",
    "unit_forget_bias",
    "activation",
    "return_sequences",
)


def _recurrent(name):
    def make(keras, o):
        arguments = {option: o[option] for option in _RECURRENT if option in o}
        if "recurrent_regularizer" in o:
            arguments["recurrent_regularizer"] = regularizer(keras, o["recurrent_regularizer"])
        layer = getattr(keras.layers, name)(o.get("units", 4), **arguments, **_weighted(keras, o))
        if "bidirectional" in o:
            return keras.layers.Bidirectional(layer, merge_mode=o["bidirectional"])
        return layer

    return make


def _activation_layer(keras, o):
    if o["which"] == "relu6":
        return keras.layers.ReLU(6.0, negative_slope=0.5)
    return getattr(keras.layers, o["which"])()


def _pool(name):
    return lambda keras, o: getattr(keras.layers, name)(2, padding="same")


def _plain(name, *args, **kwargs):
    return lambda keras, o: getattr(keras.layers, name)(*args, **kwargs)


def _rated(name):
    return lambda keras, o: getattr(keras.layers, name)(o.get("rate", 0.5))


def _dropout(keras, o):
    more = {"seed": o["seed"]} if "seed" in o else {}
    return keras.layers.Dropout(o.get("rate", 0.5), **more)


def _alpha_dropout(keras, o):
    return keras.layers.AlphaDropout(o.get("rate", 0.5))


def _batch_norm(keras, o):
    return keras.layers.BatchNormalization(**{k: o[k] for k in ("momentum", "epsilon", "scale", "center") if k in o})


def _string_lookup(keras, o):
    return keras.layers.StringLookup(vocabulary=_WORDS, output_mode=o.get("mode", "one_hot"))


def _own(name):
    return lambda keras, o: backend_of(keras).own[name]()


def _embedding(keras, o):
    return keras.layers.Embedding(
        12,
        o.get("units", 4),
        mask_zero=o.get("mask_zero", False),
        embeddings_regularizer=regularizer(keras, o.get("regularizer")),
    )


def _normalization(keras, o):
    return keras.layers.Normalization(mean=0.5, variance=0.25)


def _time_distributed(keras, o):
    return keras.layers.TimeDistributed(dense(keras, o))


def _spectral(keras, o):
    return keras.layers.SpectralNormalization(keras.layers.Dense(4))


# kind -> (ranks that it takes, rank that it gives or None for the same, what makes it).
LAYERS = {
    "conv2d": ((4,), None, _grouped),
    "separable_conv2d": ((4,), None, _conv("SeparableConv2D", "pointwise")),
    "depthwise_conv2d": ((4,), None, _conv("DepthwiseConv2D", "depthwise")),
    "conv2d_transpose": ((4,), None, _conv("Conv2DTranspose")),
    "max_pooling2d": ((4,), None, _pool("MaxPooling2D")),
    "average_pooling2d": ((4,), None, _pool("AveragePooling2D")),
    "upsampling2d": ((4,), None, lambda k, o: k.layers.UpSampling2D(interpolation=o.get("interpolation", "nearest"))),
    "zero_padding2d": ((4,), None, _plain("ZeroPadding2D")),
    "cropping2d": ((4,), None, _plain("Cropping2D", ((1, 0), (0, 1)))),
    "random_flip": ((4,), None, _plain("RandomFlip", "horizontal")),
    "random_contrast": ((4,), None, _plain("RandomContrast", 0.5)),
    "random_translation": ((4,), None, _plain("RandomTranslation", 0.2, 0.2)),
    "random_rotation": ((4,), None, _plain("RandomRotation", 0.25)),
    "random_zoom": ((4,), None, _plain("RandomZoom", 0.25)),
    "spatial_dropout2d": ((4,), None, _rated("SpatialDropout2D")),
    "rescaling": ((2, 3, 4), None, _plain("Rescaling", 0.5, offset=0.5)),
    "normalization": ((2, 3, 4), None, _normalization),
    "lstm": ((3,), 2, _recurrent("LSTM")),
    "gru": ((3,), 2, _recurrent("GRU")),
    "simple_rnn": ((3,), 2, _recurrent("SimpleRNN")),
    "conv1d": ((3,), None, _conv("Conv1D")),
    "separable_conv1d": ((3,), None, _conv("SeparableConv1D", "pointwise")),
    "conv1d_transpose": ((3,), None, _conv("Conv1DTranspose")),
    "max_pooling1d": ((3,), None, _pool("MaxPooling1D")),
    "average_pooling1d": ((3,), None, _pool("AveragePooling1D")),
    "upsampling1d": ((3,), None, _plain("UpSampling1D", 2)),
    "zero_padding1d": ((3,), None, _plain("ZeroPadding1D", 1)),
    "time_distributed": ((3,), None, _time_distributed),
    "spatial_dropout1d": ((3,), None, _rated("SpatialDropout1D")),
    "masking": ((3,), None, _plain("Masking", 0.0)),
    "permute": ((3,), None, _plain("Permute", (2, 1))),
    "positions": ((3,), None, _own("Positions")),
    "embedding": ((2,), 3, _embedding),
    "string_lookup": ((2,), 2, _string_lookup),
    "integer_lookup": ((2,), 2, lambda k, o: k.layers.IntegerLookup(vocabulary=[3, 5, 7], output_mode="one_hot")),
    "category_encoding": ((2,), 2, lambda k, o: k.layers.CategoryEncoding(12, output_mode="one_hot")),
    "hashing": ((2,), 2, lambda k, o: k.layers.Hashing(4, output_mode="one_hot")),
    "dense": ((2, 3, 4), None, dense),
    "batch_norm": ((2, 3, 4), None, _batch_norm),
    "layer_norm": ((2, 3, 4), None, _plain("LayerNormalization")),
    "group_norm": ((4,), None, _plain("GroupNormalization", 1)),
    "unit_norm": ((2, 3, 4), None, _plain("UnitNormalization")),
    "activation": ((2, 3, 4), None, lambda k, o: k.layers.Activation(o.get("function", "relu"))),
    "activation_layer": ((2, 3, 4), None, _activation_layer),
    "dropout": ((2, 3, 4), None, _dropout),
    "gaussian_noise": ((2, 3, 4), None, _rated("GaussianNoise")),
    "gaussian_dropout": ((2, 3, 4), None, _rated("GaussianDropout")),
    "alpha_dropout": ((2, 3, 4), None, _alpha_dropout),
    "lambda": ((2, 3, 4), None, lambda k, o: k.layers.Lambda(backend_of(k).own["own_activation"])),
    "own_scale": ((2, 3, 4), None, _own("OwnScale")),
    "own_phase": ((2, 3, 4), None, _own("OwnPhase")),
    "own_noise": ((2, 3, 4), None, _own("OwnNoise")),
    "own_loss": ((2, 3, 4), None, _own("OwnLoss")),
    "own_mean": ((2, 3, 4), None, _own("OwnMean")),
    "own_gate": ((2, 3, 4), None, _own("OwnGate")),
    "activity": ((2, 3, 4), None, _plain("ActivityRegularization", l2=0.5)),
    "spectral": ((2,), None, _spectral),
    "to_steps": ((2,), 3, _plain("RepeatVector", 3)),
    "reshape": ((2,), 3, _plain("Reshape", (-1, 1))),
    "flatten": ((2, 3, 4), 2, _plain("Flatten")),
    "global_average2d": ((4,), 2, _plain("GlobalAveragePooling2D")),
    "global_max2d": ((4,), 2, _plain("GlobalMaxPooling2D")),
    "global_average1d": ((3,), 2, _plain("GlobalAveragePooling1D")),
    "global_max1d": ((3,), 2, _plain("GlobalMaxPooling1D")),
}


def fits(kind, rank):
    """Whether a layer of this kind takes a tensor of this rank."""
    return rank in LAYERS[kind][0]


def words(generator, shape):
    """Words, some of which no vocabulary knows."""
    return np.array(_WORDS + ["pink"])[generator.randint(0, 6, shape)]
