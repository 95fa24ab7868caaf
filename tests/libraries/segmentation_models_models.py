"""segmentation_models: each of its four architectures, on a backbone of its own."""

import importlib
import os

from .cases import classes, portions, regressed

LIBRARY, ENVIRONMENT = "segmentation-models", "tf.keras"


def _segments(name, backbone, size=64, **config):
    def make(keras):
        os.environ["SM_FRAMEWORK"] = "tf.keras"  # read when it is imported
        library = importlib.import_module("segmentation_models")
        model = getattr(library, name)(
            backbone, (size, size, 3), encoder_weights=None, classes=1, activation="sigmoid", **config
        )
        y = classes(size, size, 1).astype("float32")
        loss, metrics = library.losses.bce_jaccard_loss, [library.metrics.iou_score]
        return regressed(keras, model, portions(size, size, 3), y, keras.optimizers.SGD(1e-4), loss, metrics=metrics)

    return make


MODELS = {
    "Unet, resnet18": _segments("Unet", "resnet18", 32, decoder_filters=(16, 8, 8, 8, 8)),
    "FPN, mobilenetv2": _segments("FPN", "mobilenetv2", pyramid_block_filters=16),
    "Linknet, vgg16": _segments("Linknet", "vgg16", 32, decoder_filters=(16, 8, 8, 8, 8)),
    "PSPNet, efficientnetb0": _segments("PSPNet", "efficientnetb0", 48, psp_conv_filters=16),
}
