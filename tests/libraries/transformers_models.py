"""transformers: its TensorFlow models, made small, without dropout unless they say so."""

import importlib

import numpy as np

from .cases import WORDS, case, classes, classified, floats, mask, portions, words

LIBRARY, ENVIRONMENT = "transformers", "transformers"


def _library():
    return importlib.import_module("transformers")


def _calm(config, keep=()):
    """The configuration without what is random in training."""
    for name, value in list(config.to_dict().items()):
        random = "drop" in name or name in ("apply_spec_augment", "mask_time_prob", "mask_feature_prob")
        if random and isinstance(value, (int, float)) and name not in keep:
            setattr(config, name, type(value)(0))
    return config


def _images(size, channels=3):
    return 2 * portions(channels, size, size) - 1


def _made(name, keep=(), **config):
    cls = getattr(_library(), name)
    return cls(_calm(cls.config_class(**config), keep))


def _text(name, **config):
    """A class of whole texts, of different lengths: the model is compiled and trained as it is."""

    def make(keras):
        model = _made(name, vocab_size=WORDS, num_labels=2, pad_token_id=0, **config)
        x = {"input_ids": words(), "attention_mask": mask()}
        return classified(keras, model, x, classes(), metrics=["accuracy"])

    return make


def _words_next(name, **config):
    """The next word of each."""

    def make(keras):
        model = _made(name, vocab_size=WORDS, use_cache=False, pad_token_id=0, **config)
        said = words(9)
        return classified(keras, model, {"input_ids": said[:, :-1], "attention_mask": mask(8)}, said[:, 1:])

    return make


def _functional(keras, model, x, take=lambda outputs: outputs.logits):
    """A functional model around it, of one of its outputs."""
    inputs = {name: keras.Input(array.shape[1:], dtype=array.dtype.name, name=name) for name, array in x.items()}
    return keras.Model(inputs, take(model(inputs)))


_SPECIAL = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)


def _translation(name, **config):
    """From one text to the words of another one."""

    def make(keras):
        model, said = _made(name, vocab_size=WORDS, use_cache=False, **_SPECIAL, **config), words(8, seed=3)
        x = {"input_ids": words(), "attention_mask": mask(), "decoder_input_ids": said[:, :-1]}
        return classified(keras, _functional(keras, model, x), x, said[:, 1:])

    return make


def _pictures(name, size=32, **config):
    """A class of pictures, with their channels in front, as these models take them."""

    def make(keras):
        model = _made(name, num_labels=3, image_size=size, **config)
        return classified(keras, model, {"pixel_values": _images(size)}, classes(high=3), metrics=["accuracy"])

    return make


def _pooled(name, keep=(), **config):
    """The model in a functional one, with a layer of Keras behind it."""

    def make(keras):
        model, head = _made(name, keep, vocab_size=WORDS, **config), keras.layers.Dense(2)
        x = {"input_ids": words(), "attention_mask": mask()}
        whole = _functional(keras, model, x, lambda outputs: head(outputs.pooler_output))
        return classified(keras, whole, x, classes())

    return make


def _own_loss(keras):
    """Compiled without a loss: the model's own is taken, of the labels among its inputs."""
    model = _made("TFBertForMaskedLM", vocab_size=WORDS, **_BERT)
    said = words()
    x = {"input_ids": np.where(said % 5, said, 3), "labels": np.where(said % 5, -100, said)}
    model.compile(keras.optimizers.SGD(1e-2))
    # Keras is asked for the loss by this name.
    model.compute_loss = lambda x, y, outputs: importlib.import_module("tensorflow").reduce_mean(outputs.loss)
    return case(model, x, x["labels"])


def _speech(name, frames, bins, **config):
    def make(keras):
        model, said = _made(name, vocab_size=WORDS, use_cache=False, **_SPECIAL, **config), words(8, seed=3)
        shape = (bins, frames) if name.startswith("TFWhisper") else (frames, bins)
        x = {"input_features": floats(*shape), "decoder_input_ids": said[:, :-1]}
        return classified(keras, _functional(keras, model, x), x, said[:, 1:])

    return make


def _waves(name, **config):
    """A class of recordings."""

    def make(keras):
        model = _made(name, num_labels=2, vocab_size=WORDS, **config)
        x = {"input_values": floats(400)}
        return classified(keras, model, x, classes())

    return make


_BERT = dict(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=24
)
_SEQUENCES = dict(d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2)
_SEQUENCES.update(encoder_ffn_dim=24, decoder_ffn_dim=24)
_BART = dict(_SEQUENCES, max_position_embeddings=32)
_T5 = dict(d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
_GPT = dict(n_embd=16, n_layer=2, n_head=2, n_positions=24)
_VIT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, patch_size=8)
_STAGES = dict(hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 2, 1])
_WAVES = dict(_BERT, conv_dim=[8, 8], conv_stride=[5, 2], conv_kernel=[10, 3], num_feat_extract_layers=2)
_WAVES.update(num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, classifier_proj_size=8)

MODELS = {
    "TFAlbertForSequenceClassification": _text("TFAlbertForSequenceClassification", embedding_size=8, **_BERT),
    "TFBertForSequenceClassification": _text("TFBertForSequenceClassification", **_BERT),
    "TFBertForMaskedLM, its own loss": _own_loss,
    "TFBertModel in a functional model, with dropout": _pooled(
        "TFBertModel",
        ["hidden_dropout_prob", "attention_probs_dropout_prob"],
        **_BERT,
    ),
    "TFCamembertForSequenceClassification": _text("TFCamembertForSequenceClassification", **_BERT),
    "TFConvBertForSequenceClassification": _text("TFConvBertForSequenceClassification", embedding_size=16, **_BERT),
    "TFDebertaForSequenceClassification": _text(
        "TFDebertaForSequenceClassification", relative_attention=True, pos_att_type=["c2p", "p2c"], **_BERT
    ),
    "TFDebertaV2ForSequenceClassification": _text(
        "TFDebertaV2ForSequenceClassification", relative_attention=True, pos_att_type=["c2p", "p2c"], **_BERT
    ),
    "TFDistilBertForSequenceClassification": _text(
        "TFDistilBertForSequenceClassification", dim=16, hidden_dim=24, n_layers=2, n_heads=2
    ),
    "TFElectraForSequenceClassification": _text("TFElectraForSequenceClassification", embedding_size=8, **_BERT),
    "TFFunnelForSequenceClassification": _text(
        "TFFunnelForSequenceClassification", block_sizes=[1, 1], d_model=16, n_head=2, d_head=8, d_inner=24
    ),
    "TFMobileBertForSequenceClassification": _text(
        "TFMobileBertForSequenceClassification", embedding_size=8, intra_bottleneck_size=8, **_BERT
    ),
    "TFMPNetForSequenceClassification": _text("TFMPNetForSequenceClassification", **_BERT),
    "TFRemBertForSequenceClassification": _text(
        "TFRemBertForSequenceClassification", input_embedding_size=8, output_embedding_size=8, **_BERT
    ),
    "TFRobertaForSequenceClassification": _text("TFRobertaForSequenceClassification", **_BERT),
    "TFRoFormerForSequenceClassification": _text("TFRoFormerForSequenceClassification", embedding_size=16, **_BERT),
    "TFXLMForSequenceClassification": _text("TFXLMForSequenceClassification", emb_dim=16, n_layers=2, n_heads=2),
    "TFXLNetForSequenceClassification": _text(
        "TFXLNetForSequenceClassification", d_model=16, n_layer=2, n_head=2, d_inner=24
    ),
    "TFCTRLLMHeadModel": _words_next("TFCTRLLMHeadModel", dff=24, **_GPT),
    "TFGPT2LMHeadModel": _words_next("TFGPT2LMHeadModel", **_GPT),
    "TFGPTJForCausalLM": _words_next("TFGPTJForCausalLM", rotary_dim=4, **_GPT),
    "TFMistralForCausalLM": _words_next("TFMistralForCausalLM", num_key_value_heads=1, **_BERT),
    "TFOpenAIGPTLMHeadModel": _words_next("TFOpenAIGPTLMHeadModel", **_GPT),
    "TFOPTForCausalLM": _words_next(
        "TFOPTForCausalLM",
        hidden_size=16,
        word_embed_proj_dim=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=24,
        max_position_embeddings=24,
    ),
    "TFXGLMForCausalLM": _words_next(
        "TFXGLMForCausalLM", d_model=16, num_layers=2, attention_heads=2, ffn_dim=24, max_position_embeddings=24
    ),
    "TFBartForConditionalGeneration": _translation("TFBartForConditionalGeneration", **_BART),
    "TFBlenderbotForConditionalGeneration": _translation("TFBlenderbotForConditionalGeneration", **_BART),
    "TFLEDForConditionalGeneration": _translation(
        "TFLEDForConditionalGeneration",
        attention_window=4,
        max_encoder_position_embeddings=32,
        max_decoder_position_embeddings=32,
        **_SEQUENCES,
    ),
    "TFMarianMTModel": _translation("TFMarianMTModel", **_BART),
    "TFMBartForConditionalGeneration": _translation("TFMBartForConditionalGeneration", **_BART),
    "TFPegasusForConditionalGeneration": _translation("TFPegasusForConditionalGeneration", **_BART),
    "TFT5ForConditionalGeneration": _translation("TFT5ForConditionalGeneration", **_T5),
    "TFMT5ForConditionalGeneration": _translation("TFMT5ForConditionalGeneration", **_T5),
    "TFSpeech2TextForConditionalGeneration": _speech(
        "TFSpeech2TextForConditionalGeneration",
        24,
        8,
        input_feat_per_channel=8,
        conv_channels=16,
        max_source_positions=32,
        max_target_positions=32,
        **_SEQUENCES,
    ),
    "TFWhisperForConditionalGeneration": _speech(
        "TFWhisperForConditionalGeneration",
        24,
        8,
        num_mel_bins=8,
        max_source_positions=12,
        max_target_positions=16,
        **_SEQUENCES,
    ),
    "TFWav2Vec2ForSequenceClassification": _waves("TFWav2Vec2ForSequenceClassification", **_WAVES),
    "TFConvNextForImageClassification": _pictures("TFConvNextForImageClassification", **_STAGES),
    "TFConvNextV2ForImageClassification": _pictures("TFConvNextV2ForImageClassification", **_STAGES),
    "TFCvtForImageClassification": _pictures(
        "TFCvtForImageClassification", embed_dim=[8, 16, 24], num_heads=[1, 2, 3], depth=[1, 1, 1], size=64
    ),
    "TFData2VecVisionForImageClassification": _pictures("TFData2VecVisionForImageClassification", **_VIT),
    "TFDeiTForImageClassification": _pictures("TFDeiTForImageClassification", **_VIT),
    "TFMobileViTForImageClassification": _pictures(
        "TFMobileViTForImageClassification",
        64,
        hidden_sizes=[16, 24, 32],
        neck_hidden_sizes=[4, 8, 8, 12, 16, 20, 32],
        num_attention_heads=2,
    ),
    "TFRegNetForImageClassification": _pictures(
        "TFRegNetForImageClassification", embedding_size=8, groups_width=4, **_STAGES
    ),
    "TFResNetForImageClassification": _pictures("TFResNetForImageClassification", embedding_size=8, **_STAGES),
    "TFSegformerForImageClassification": _pictures(
        "TFSegformerForImageClassification", 64, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], decoder_hidden_size=8
    ),
    "TFSwinForImageClassification": _pictures(
        "TFSwinForImageClassification", embed_dim=8, depths=[2, 2], num_heads=[1, 2], window_size=4, patch_size=2
    ),
    "TFViTForImageClassification": _pictures("TFViTForImageClassification", **_VIT),
}
