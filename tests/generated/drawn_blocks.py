"""Blocks by a seed, for each kind of input: dicts with a `kind` and the options that are not the usual ones."""

_RATES = (0.5, 0.5, 0.25, 0.2, 0.1, 0.3)
_ACTIVATIONS = ("relu",) * 5 + ("tanh", "elu", "swish", "gelu", "selu", "softplus", "sigmoid", "hard_sigmoid", "linear")
_ACTIVATION_LAYERS = ("ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "relu6")


def _kernel(draw):
    """Options of a layer with a kernel."""
    found = draw.options(
        use_bias=(0.15, False),
        regularizer=(0.2, "l2", "l1", "l1_l2", "l2_half", "own", "orthogonal"),
        constraint=(0.1, "max_norm", "non_neg", "unit_norm", "min_max_norm", "own"),
        initializer=(0.15, "he_normal", "glorot_normal", "random_uniform", "orthogonal"),
        frozen=(0.08, True),
        bias_regularizer=(0.04, "l2"),
        activity_regularizer=(0.04, "l2"),
    )
    return found


def _activation(draw):
    if draw.chance(0.25):
        return {"kind": "activation_layer", "which": draw.one(*_ACTIVATION_LAYERS)}
    return {"kind": "activation", "function": draw.one(*_ACTIVATIONS)}


def _norm(draw, image=False):
    if draw.chance(0.75):
        found = {"kind": "batch_norm"}
        found.update(
            draw.options(
                momentum=(0.5, 0.5, 0.9, 0.8),
                epsilon=(0.2, 1e-5),
                scale=(0.1, False),
                center=(0.1, False),
                frozen=(0.08, True),
            )
        )
        return found
    return {"kind": draw.one("layer_norm", "layer_norm", "group_norm" if image else "layer_norm", "unit_norm")}


def _noise(draw, spatial):
    kind = draw.one("dropout", "dropout", "dropout", spatial, "gaussian_noise", "gaussian_dropout", "alpha_dropout")
    found = {"kind": kind, "rate": draw.one(*_RATES)}
    if kind == "dropout":
        found.update(draw.options(seed=(0.1, 7), shape=(0.05, True)))
    return found


def _own(draw):
    return {
        "kind": draw.one(
            "lambda", "own_scale", "own_scale", "own_phase", "own_noise", "own_loss", "own_mean", "own_gate"
        )
    }


def _convolution(draw, first):
    kind = draw.one("conv2d", "conv2d", "conv2d", "conv2d", "separable_conv2d", "depthwise_conv2d", "conv2d_transpose")
    found = {"kind": kind, **_kernel(draw)}
    found.update(draw.options(filters=(0.5, 2, 3, 6), size=(0.3, 1, 5, 2), strides=(0.2, 2)))
    if kind == "conv2d":
        found.update(draw.options(dilation=(0.05, 2), groups=(0.05, 2)))
    if "dilation" in found:
        found.pop("strides", None)
    if first and draw.chance(0.3):
        found["padding"] = "valid"
    if draw.chance(0.6):
        found["activation"] = draw.one(*_ACTIVATIONS)
    return found


def _image_part(draw, first):
    pick = draw.one("plain", "plain", "plain", "plain", "norm", "norm", "norm", "residual", "parallel", "other")
    if pick == "plain":
        found = [_convolution(draw, first)]
    elif pick == "norm":
        found = [{**_convolution(draw, first), "use_bias": False}, _norm(draw, image=True), _activation(draw)]
    elif pick == "residual":
        found = [{"kind": "residual", "blocks": [_convolution(draw, False), _norm(draw, True), _activation(draw)]}]
        found[0]["blocks"][0].pop("strides", None)
    elif pick == "parallel":
        branches = [[_convolution(draw, False)] for _ in range(2)]
        for branch in branches:
            branch[0].pop("strides", None)
        found = [{"kind": "parallel", "branches": branches}]
    else:
        found = [
            draw.one(
                {"kind": "upsampling2d", "interpolation": draw.one("nearest", "bilinear")},
                {"kind": "zero_padding2d"},
                {"kind": "cropping2d"},
                {"kind": "squeeze_excite"},
                _own(draw),
            )
        ]
    if draw.chance(0.35):
        found.append({"kind": draw.one("max_pooling2d", "max_pooling2d", "average_pooling2d")})
    if draw.chance(0.25):
        found.append(_noise(draw, "spatial_dropout2d"))
    return found


def images(draw):
    found = []
    if draw.chance(0.12):
        found.append(
            {
                "kind": draw.one(
                    "random_flip",
                    "random_flip",
                    "random_contrast",
                    "random_translation",
                    "random_rotation",
                    "random_zoom",
                )
            }
        )
    if draw.chance(0.2):
        found.append({"kind": draw.one("rescaling", "normalization")})
    for i in range(draw.whole(1, 3)):
        found += _image_part(draw, first=i == 0)
    if draw.chance(0.1):
        found.append({"kind": "to_sequence"})
        found.append(attention_block(draw))
    return found


def _recurrent(draw):
    kind = draw.one("lstm", "lstm", "gru", "gru", "simple_rnn")
    found = {"kind": kind, **_kernel(draw)}
    found.pop("activity_regularizer", None)
    found.update(
        draw.options(
            units=(0.5, 2, 3, 6),
            return_sequences=(0.5, True),
            bidirectional=(0.25, "concat", "concat", "sum", "ave", "mul"),
            dropout=(0.12, *_RATES),
            recurrent_dropout=(0.06, *_RATES),
            go_backwards=(0.08, True),
            unroll=(0.08, True),
            recurrent_regularizer=(0.05, "l2"),
        )
    )
    if kind == "gru" and draw.chance(0.15):
        found["reset_after"] = False
    if kind == "lstm" and draw.chance(0.1):
        found["unit_forget_bias"] = False
    if "bidirectional" in found:
        found.pop("go_backwards", None)
    return found


def attention_block(draw):
    """Attention, its residual and its normalisation, as a transformer has them; or attention by itself."""
    kind = draw.one("multi_head", "multi_head", "attention", "additive_attention")
    found = {"kind": kind}
    if kind == "multi_head":
        found.update(draw.options(heads=(0.6, 2), dropout=(0.25, *_RATES), causal=(0.2, True)))
    else:
        found.update(draw.options(dropout=(0.15, *_RATES), scale=(0.3, True)))
    if draw.chance(0.7):
        blocks = [found]
        if draw.chance(0.3):
            blocks.append({"kind": "dropout", "rate": draw.one(*_RATES)})
        return {"kind": "residual", "blocks": blocks, "norm": True}
    return found


def _sequence_part(draw):
    pick = draw.one("recurrent", "recurrent", "recurrent", "conv", "conv", "attention", "dense", "other")
    if pick == "recurrent":
        found = [_recurrent(draw)]
    elif pick == "conv":
        kind = draw.one("conv1d", "conv1d", "conv1d", "separable_conv1d", "conv1d_transpose")
        found = [{"kind": kind, **_kernel(draw)}]
        found[0].update(draw.options(filters=(0.5, 3, 6), size=(0.3, 1, 2, 5), activation=(0.6, *_ACTIVATIONS)))
        if kind == "conv1d":
            found[0].update(draw.options(padding=(0.25, "causal"), dilation=(0.1, 2)))
        if draw.chance(0.25):
            found.append({"kind": draw.one("max_pooling1d", "average_pooling1d", "upsampling1d", "zero_padding1d")})
    elif pick == "attention":
        found = [attention_block(draw)]
    elif pick == "dense":
        found = [
            {
                "kind": draw.one("time_distributed", "dense", "dense"),
                **_kernel(draw),
                "activation": draw.one(*_ACTIVATIONS),
            }
        ]
    else:
        residual = {
            "kind": "residual",
            "blocks": [{"kind": "dense", "activation": "relu"}, _noise(draw, "dropout")],
            "norm": True,
        }
        found = [draw.one(_norm(draw), {"kind": "positions"}, {"kind": "permute"}, _own(draw), residual)]
    if draw.chance(0.2):
        found.append(_noise(draw, "spatial_dropout1d"))
    return found


def _sequence_parts(draw, most):
    """Parts of which only the last may end the sequence."""
    parts = [_sequence_part(draw) for _ in range(draw.whole(1, most))]
    for part in parts[:-1]:
        if part[0]["kind"] in ("lstm", "gru", "simple_rnn"):
            part[0]["return_sequences"] = True
    return [block for part in parts for block in part]


def sequences(draw):
    return ([{"kind": "masking"}] if draw.chance(0.15) else []) + _sequence_parts(draw, 3)


def tokens(draw):
    found = [
        {
            "kind": "embedding",
            **draw.options(mask_zero=(0.5, True), units=(0.4, 3, 6), frozen=(0.08, True), regularizer=(0.1, "l2")),
        }
    ]
    if draw.chance(0.2):
        found.append({"kind": "positions"})
    return found + _sequence_parts(draw, 2)


def words(draw):
    return [{"kind": "string_lookup", **draw.options(mode=(0.4, "multi_hot", "count"))}]


def numbers(draw):
    return [{"kind": draw.one("integer_lookup", "category_encoding", "hashing")}]


def _dense(draw):
    found = {"kind": "dense", **_kernel(draw)}
    found.update(draw.options(units=(0.6, 2, 3, 6, 8), activation=(0.7, *_ACTIVATIONS)))
    return found


def _vector_part(draw):
    pick = draw.one(*["dense"] * 6, "norm", "norm", "residual", "own", "own", "shared", "nested", "other")
    if pick == "dense":
        found = [_dense(draw)]
    elif pick == "norm":
        found = [{**_dense(draw), "use_bias": False}, _norm(draw), _activation(draw)]
        found[0].pop("activation", None)
    elif pick == "residual":
        found = [{"kind": "residual", "blocks": [_dense(draw), _dense(draw)]}]
    elif pick == "own":
        found = [_own(draw)]
    elif pick == "shared":
        found = [{"kind": "shared", "block": _dense(draw)}]
    elif pick == "nested":
        blocks = [_dense(draw), draw.one(_noise(draw, "dropout"), {"kind": "batch_norm"}, _own(draw))]
        found = [{"kind": "nested", "blocks": blocks, "form": draw.one("model", "sequential", "layer")}]
    else:
        found = [
            draw.one(
                _activation(draw), {"kind": "to_steps"}, {"kind": "activity"}, {"kind": "spectral"}, {"kind": "reshape"}
            )
        ]
    if draw.chance(0.3):
        found.append(_noise(draw, "dropout"))
    return found


def vectors(draw, most=3):
    found = [{"kind": "normalization"}] if draw.chance(0.1) else []
    for _ in range(draw.whole(1, most)):
        found += _vector_part(draw)
    return found


BRANCHES = {
    "image": images,
    "sequence": sequences,
    "tokens": tokens,
    "words": words,
    "numbers": numbers,
    "vector": vectors,
}
