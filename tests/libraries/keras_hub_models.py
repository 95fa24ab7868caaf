"""keras_hub: its backbones, made small, without dropout unless they say so, with a head of its own or of Keras."""

import importlib

import numpy as np

from .cases import WORDS, classes, classified, mask, portions, words

LIBRARY, ENVIRONMENT = "keras-hub", "keras-3"


def _models():
    return importlib.import_module("keras_hub").models


def _texts(backbone, length=10):
    """What a backbone takes: words, which of them count, and the part of the text that each is in."""
    parts = mask(length) * (np.arange(length) > 4)
    kinds = {"token_ids": words(length), "padding_mask": mask(length), "segment_ids": parts.astype("int32")}
    return {name: kinds[name.replace("encoder_", "").replace("decoder_", "")] for name in backbone.input}


def _tagged(name, **config):
    """Two classes for each word."""

    def make(keras):
        backbone = getattr(_models(), name)(vocabulary_size=WORDS, **config)
        outputs = backbone.output
        if isinstance(outputs, dict):
            outputs = outputs.get("sequence_output", outputs.get("decoder_sequence_output"))
        model = keras.Model(backbone.input, keras.layers.Dense(2)(outputs))
        return classified(keras, model, _texts(backbone), classes(10))

    return make


def _text_classifier(keras):
    backbone = _models().BertBackbone(WORDS, **_SMALL)
    model = _models().BertTextClassifier(backbone, num_classes=2)
    return classified(keras, model, _texts(backbone), classes())


def _next_words(name, backbone, **config):
    """The task of the library: the next word of each."""

    def make(keras):
        inner = getattr(_models(), backbone)(vocabulary_size=WORDS, **config)
        model = getattr(_models(), name)(inner)
        return classified(keras, model, _texts(inner), words(seed=4))

    return make


def _images(name, size=32, **config):
    """Three classes of pictures, by the library's classifier, or, of one that gives words, by their mean."""

    def make(keras):
        backbone = getattr(_models(), name)(image_shape=(size, size, 3), **config)
        if len(backbone.output.shape) == 3:
            words = keras.layers.GlobalAveragePooling1D()(backbone.output)
            model = keras.Model(backbone.input, keras.layers.Dense(3)(words))
        else:
            model = _models().ImageClassifier(backbone, num_classes=3)
        return classified(keras, model, portions(size, size, 3), classes(high=3))

    return make


def _sounds(keras):
    config = dict(_SMALL, max_encoder_sequence_length=24, max_decoder_sequence_length=12)
    backbone = _models().WhisperBackbone(WORDS, num_mels=8, **config)
    outputs = keras.layers.Dense(2)(backbone.output["decoder_sequence_output"])
    model = keras.Model(backbone.input, outputs)
    x = {"encoder_features": portions(24, 8), "decoder_token_ids": words(), "decoder_padding_mask": mask()}
    return classified(keras, model, x, classes(10))


_SMALL = dict(num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=24, dropout=0.0)
_LLAMA = dict(num_layers=2, num_query_heads=2, num_key_value_heads=1, hidden_dim=16, intermediate_dim=24)
_MIT = dict(
    layerwise_depths=[1, 1],
    num_layers=2,
    layerwise_num_heads=[1, 2],
    layerwise_sr_ratios=[2, 1],
    max_drop_path_rate=0.0,
    layerwise_patch_sizes=[7, 3],
    layerwise_strides=[4, 2],
    hidden_dims=[8, 16],
)

MODELS = {
    "AlbertBackbone": _tagged("AlbertBackbone", embedding_dim=8, **_SMALL),
    "BartBackbone": _tagged("BartBackbone", **_SMALL),
    "BertTextClassifier": _text_classifier,
    "BloomBackbone": _tagged("BloomBackbone", **_SMALL),
    "DebertaV3Backbone": _tagged("DebertaV3Backbone", bucket_size=8, max_sequence_length=16, **_SMALL),
    "DistilBertBackbone": _tagged("DistilBertBackbone", **_SMALL),
    "ESMBackbone": _tagged("ESMBackbone", **_SMALL),
    "FalconBackbone": _tagged(
        "FalconBackbone", num_layers=2, num_attention_heads=2, hidden_dim=16, intermediate_dim=24
    ),
    "FNetBackbone": _tagged("FNetBackbone", **{k: v for k, v in _SMALL.items() if k != "num_heads"}),
    "GemmaCausalLM": _next_words("GemmaCausalLM", "GemmaBackbone", head_dim=8, **_LLAMA),
    "GPT2CausalLM": _next_words("GPT2CausalLM", "GPT2Backbone", **_SMALL),
    "GPTNeoXBackbone": _tagged("GPTNeoXBackbone", **_SMALL),
    "LlamaCausalLM": _next_words("LlamaCausalLM", "LlamaBackbone", **_LLAMA),
    "MistralCausalLM": _next_words("MistralCausalLM", "MistralBackbone", **_LLAMA),
    "MixtralBackbone": _tagged("MixtralBackbone", num_experts=3, **_LLAMA),
    "OPTCausalLM": _next_words("OPTCausalLM", "OPTBackbone", **_SMALL),
    "Phi3Backbone": _tagged("Phi3Backbone", **_LLAMA),
    "Qwen3Backbone": _tagged("Qwen3Backbone", head_dim=8, **_LLAMA),
    "RobertaBackbone, with dropout": _tagged("RobertaBackbone", **{**_SMALL, "dropout": 0.1}),
    "RoformerV2Backbone": _tagged("RoformerV2Backbone", head_size=8, **_SMALL),
    "T5Backbone": _tagged("T5Backbone", **_SMALL),
    "WhisperBackbone": _sounds,
    "XLNetBackbone": _tagged("XLNetBackbone", **_SMALL),
    "DeiTBackbone": _images(
        "DeiTBackbone", patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=24
    ),
    "DenseNetBackbone": _images("DenseNetBackbone", stackwise_num_repeats=[1, 2], growth_rate=8),
    "MiTBackbone": _images("MiTBackbone", **_MIT),
    "ResNetBackbone": _images(
        "ResNetBackbone",
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    ),
    "SwinTransformerBackbone": _images(
        "SwinTransformerBackbone",
        embed_dim=8,
        depths=[2, 2],
        num_heads=[1, 2],
        window_size=4,
        patch_size=2,
        drop_path=0.0,
    ),
    "ViTBackbone": _images("ViTBackbone", patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=24),
    "XceptionBackbone": _images(
        "XceptionBackbone", stackwise_conv_filters=[[8, 16], [16, 16]], stackwise_pooling=[True, False]
    ),
}
