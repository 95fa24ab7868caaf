"""keras_cv_attention_models: a few blocks of each kind, on small pictures, with random weights."""

import importlib

from .cases import classes, classified, portions

LIBRARY, ENVIRONMENT = "keras-cv-attention-models", "tf.keras"


def _pictures(path, size=64, **config):
    def make(keras):
        module, name = path.split(".")
        cls = getattr(importlib.import_module("keras_cv_attention_models." + module), name)
        model = cls(input_shape=(size, size, 3), num_classes=3, classifier_activation=None, pretrained=None, **config)
        return classified(keras, model, portions(size, size, 3), classes(high=3), metrics=["accuracy"])

    return make


_FOUR = dict(num_blocks=[1, 1, 1, 1], out_channels=[8, 16, 16, 32])
_RESNET = dict(num_blocks=[1, 1, 1, 1], out_channels=[16, 32, 32, 64], stem_width=8)

MODELS = {
    "Beit": _pictures("beit.Beit", 32, depth=2, embed_dim=16, num_heads=2, patch_size=8),
    "BotNet": _pictures(
        "aotnet.AotNet", attn_types=[None, None, "mhsa", None], attn_params={"num_heads": 2}, **_RESNET
    ),
    "CAFormer": _pictures("caformer.CAFormer", head_dim=8, head_filter=16, **_FOUR),
    "CMT": _pictures("cmt.CMT", stem_width=8, num_heads=[1, 2, 2, 4], output_num_features=16, **_FOUR),
    "CoAtNet": _pictures("coatnet.CoAtNet", stem_width=8, head_dimension=8, **_FOUR),
    "ConvNeXt": _pictures("convnext.ConvNeXt", drop_connect_rate=0, layer_scale_init_value=0.5, **_FOUR),
    "CoTNet": _pictures("aotnet.AotNet", attn_types="cot", shortcut_type="avg", bn_after_attn=False, **_RESNET),
    "DaViT": _pictures("davit.DaViT", num_heads=[1, 2, 2, 4], **_FOUR),
    "EdgeNeXt": _pictures("edgenext.EdgeNeXt", num_heads=2, layer_scale=0.5, **_FOUR),
    "EfficientNetV2, with dropout": _pictures(
        "efficientnet.EfficientNetV2",
        expands=[1, 4, 4],
        out_channels=[8, 8, 16],
        depthes=[1, 2, 1],
        strides=[1, 2, 2],
        se_ratios=[0, 0, 0.25],
        first_conv_filter=8,
        output_conv_filter=32,
    ),
    "FasterNet": _pictures("fasternet.FasterNet", num_blocks=[1, 1, 1, 1], embed_dim=8, output_conv_filter=16),
    "GCViT": _pictures(
        "gcvit.GCViT", num_blocks=[1, 1, 1, 1], num_heads=[1, 2, 2, 4], window_ratios=[4, 2, 1, 1], embed_dim=8
    ),
    "HaloNet": _pictures(
        "aotnet.AotNet",
        attn_types=[None, "halo", None, None],
        attn_params={"num_heads": 2, "block_size": 4, "halo_size": 1},
        **_RESNET,
    ),
    "LeViT": _pictures(
        "levit.LeViT",
        patch_channel=16,
        out_channels=[16, 24, 32],
        num_heads=[2, 2, 2],
        depthes=[1, 1, 1],
        key_dims=[8, 8, 8],
    ),
    "MaxViT": _pictures("maxvit.MaxViT", stem_width=8, head_dimension=8, **_FOUR),
    "MLPMixer": _pictures(
        "mlp_family.MLPMixer", 32, num_blocks=2, patch_size=8, stem_width=16, tokens_mlp_dim=8, channels_mlp_dim=24
    ),
    "MobileViT": _pictures(
        "mobilevit.MobileViT",
        num_blocks=[1, 1, 1, 1, 1],
        out_channels=[8, 8, 16, 16, 24],
        attn_channels=[0, 0, 16, 16, 24],
        stem_width=8,
        output_num_features=32,
    ),
    "ResNeSt": _pictures("aotnet.AotNet", attn_types="sa", shortcut_type="avg", bn_after_attn=False, **_RESNET),
    "SwinTransformerV2": _pictures(
        "swin_transformer_v2.SwinTransformerV2", num_blocks=[2, 1], num_heads=[1, 2], embed_dim=8, window_size=4
    ),
    "Uniformer": _pictures("uniformer.Uniformer", head_dimension=8, **_FOUR),
}
