"""What the page says to do where a model is not exported whole: library -> model -> a sentence or two."""

_QUANTIZER = (
    "Its gradient is another one than that of its formula, which TensorFlow 1.x cannot be told: train in Keras, and "
    'export with `graph="inference"`.'
)

ADVICE = {
    "keras-hub": {
        "SwinTransformerBackbone": "It makes masks with `slice_update` of whole numbers, which the export does not "
        "rewrite: use another backbone.",
    },
    "tensorflow-model-optimization": {
        "cluster_weights": 'Export with `graph="inference"`, or after `strip_clustering`.',
        "prune_low_magnitude": "Its masks are laid on the weights in inference, too, as in Keras: train in Keras, and "
        "export after `strip_pruning`.",
    },
    "larq": {
        "Bop": _QUANTIZER,
        "approx_sign": _QUANTIZER,
        "dorefa_quantizer": _QUANTIZER,
        "ste_sign": _QUANTIZER,
        "ste_tern": _QUANTIZER,
    },
    "tensorflow-addons": {
        "CorrelationCost": "An op of the library's own in C++, which TensorFlow 1.15 does not have: write the layer in "
        "TensorFlow's ops.",
    },
    "keras-tuner": dict.fromkeys(
        ("RandomSearch", "BayesianOptimization"),
        'Give each trial a prefix of its own, in `HyperModel.fit`: `GenSynthExportCallback(f"{folder}/{trial}/net")`.',
    ),
}
