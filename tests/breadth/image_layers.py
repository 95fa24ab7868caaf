"""How each layer that prepares or augments images gets into a model."""

from .models import PICTURE, around, compiled, held, on, portions, scale

_UNIT = {"value_range": (0, 1)}


def _random_size(keras, cls):
    """The size of what comes out differs from call to call, so it is pooled."""
    return around(keras, PICTURE, lambda x: keras.layers.GlobalAveragePooling2D()(cls(0.5)(x)))


def _brightness(keras, cls):
    return around(keras, PICTURE, cls(0.4, **_UNIT))


def _contrast(keras, cls):
    if keras.__name__ == "tf_keras":
        # What it is made of, AdjustContrastv2, has no gradient in any TensorFlow.
        return around(keras, PICTURE, cls(0.5), scaled=False)
    return around(keras, PICTURE, cls(0.5, **_UNIT))


def _crop(keras, cls):
    """Pooled, because Keras 3 crops in training alone."""
    return around(keras, PICTURE, lambda x: keras.layers.GlobalAveragePooling2D()(cls(5, 6)(x)))


def _equalization(keras, cls):
    # In Keras 3.15 its `compute_output_spec` returns its input, which a functional model takes for a cycle.
    return around(keras, PICTURE, held(keras, cls(**_UNIT)))


def _pipeline(keras, cls):
    layers = keras.layers
    return around(
        keras, PICTURE, cls([layers.RandomFlip(), layers.RandomBrightness(0.3, **_UNIT), layers.Rescaling(2.0)])
    )


def _boxes(keras, cls):
    """Pictures go in with their boxes, in a dict; three boxes a picture stay."""
    picture, boxes, labels = keras.Input((8, 8, 3)), keras.Input((4, 4)), keras.Input((4,))
    inside = {"boxes": scale(keras)(boxes), "labels": labels}
    padded = cls(3, bounding_box_format="xyxy")({"images": picture, "bounding_boxes": inside})
    kept = keras.layers.Concatenate(axis=1)(
        [keras.layers.Flatten()(padded["bounding_boxes"][key]) for key in ("boxes", "labels")]
    )
    x = [PICTURE, portions(4, 4, seed=2), portions(4, seed=3)]
    return compiled(keras, keras.Model([picture, boxes, labels], scale(keras)(kept)), x)


def _resizing(keras, cls):
    def apply(x):
        x = cls(5, 6, crop_to_aspect_ratio=True)(cls(6, 9)(x))
        return cls(7, 7, interpolation="nearest")(x)

    return around(keras, PICTURE, apply)


RECIPES = {
    "AugMix": on(PICTURE, **_UNIT),
    "AutoContrast": on(PICTURE, **_UNIT),
    "CenterCrop": on(PICTURE, 5, 4),
    "ContrastLimitedAdaptiveHistogramEqualization": on(PICTURE, tile_grid_size=(2, 2), **_UNIT),
    "CutMix": on(PICTURE),
    "Equalization": _equalization,
    "MaxNumBoundingBoxes": _boxes,
    "MixUp": on(PICTURE, alpha=0.8),
    "Pipeline": _pipeline,
    "RandAugment": on(PICTURE, **_UNIT),
    "RandomBrightness": _brightness,
    "RandomColorDegeneration": on(PICTURE, 0.8, **_UNIT),
    "RandomColorJitter": on(
        PICTURE, brightness_factor=0.3, contrast_factor=0.3, saturation_factor=0.3, hue_factor=0.3, **_UNIT
    ),
    "RandomContrast": _contrast,
    "RandomCrop": _crop,
    "RandomElasticTransform": on(PICTURE, **_UNIT),
    "RandomErasing": on(PICTURE, **_UNIT),
    "RandomFlip": on(PICTURE),
    "RandomGaussianBlur": on(PICTURE, **_UNIT),
    "RandomGrayscale": on(PICTURE),
    "RandomHeight": _random_size,
    "RandomHue": on(PICTURE, 0.5, **_UNIT),
    "RandomInvert": on(PICTURE, 0.5, **_UNIT),
    "RandomPerspective": on(PICTURE),
    "RandomPosterization": on(PICTURE, 3, **_UNIT),
    "RandomRotation": on(PICTURE, 0.2),
    "RandomSaturation": on(PICTURE, 0.8, **_UNIT),
    "RandomSharpness": on(PICTURE, 0.8, **_UNIT),
    "RandomShear": on(PICTURE, 0.4, 0.4),
    "RandomTranslation": on(PICTURE, 0.3, 0.3),
    "RandomWidth": _random_size,
    "RandomZoom": on(PICTURE, 0.4),
    "Rescaling": on(PICTURE, 2.0, -1.0),
    "Resizing": _resizing,
    "Solarization": on(PICTURE, 0.1, 0.5, **_UNIT),
}
