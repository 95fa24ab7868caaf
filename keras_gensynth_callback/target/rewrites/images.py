"""Images under projective transforms: TensorFlow 1.15 has the op in `contrib` alone, so it is spelled out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

import tensorflow as tf

from ..rewriting import Unfit
from .registry import rewrites

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, Tensor

    from ..rewriting import Rewriter


@rewrites("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def spell_out_projective_transform(rewriter: Rewriter, node: NodeDef) -> bool:
    mode = node.attr["fill_mode"].s.decode() or "CONSTANT"
    interpolation = node.attr["interpolation"].s.decode()
    if mode not in _BOUNDARIES or interpolation not in ("NEAREST", "BILINEAR"):
        raise Unfit(f"its fill_mode is {mode}, its interpolation {interpolation}")

    def transform(images: Tensor, transforms: Tensor, size: Tensor, fill: Tensor = 0.0) -> Tensor:
        sample = _Sampler(images, mode, fill)
        y, x = _sources(transforms, size[0], size[1])
        pixels = sample.bilinear(y, x) if interpolation == "BILINEAR" else sample.nearest(y, x)
        shape = tf.stack([tf.shape(images)[0], size[0], size[1], tf.shape(images)[3]])
        return tf.reshape(tf.cast(pixels, images.dtype), shape)

    rewriter.expand(node, transform)
    return True


def _sources(transforms: Tensor, height: Tensor, width: Tensor) -> Tuple[Tensor, Tensor]:
    """Where in each image each pixel of the result comes from: two tensors [images, pixels]."""
    y, x = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    x, y = (tf.cast(tf.reshape(axis, [1, -1]), tf.float32) for axis in (x, y))
    a0, a1, a2, b0, b1, b2, c0, c1 = tf.split(transforms, 8, axis=1)
    depth = c0 * x + c1 * y + 1.0
    return (b0 * x + b1 * y + b2) / depth, (a0 * x + a1 * y + a2) / depth


class _Sampler:
    """Reads images [images, height, width, channels] at places between pixels."""

    def __init__(self, images: Tensor, mode: str, fill: Tensor) -> None:
        shape = tf.shape(images)
        self._count, self._height, self._width = shape[0], shape[1], shape[2]
        self._pixels = tf.reshape(tf.cast(images, tf.float32), tf.stack([-1, shape[3]]))
        self._mode, self._fill = mode, fill

    def nearest(self, y: Tensor, x: Tensor) -> Tensor:
        y, x = self._inside(y, x)
        return self._read(_round(y), _round(x))

    def bilinear(self, y: Tensor, x: Tensor) -> Tensor:
        y, x = self._inside(y, x)
        top, left = tf.floor(y), tf.floor(x)
        down, right = (y - top)[..., None], (x - left)[..., None]
        upper = (1.0 - right) * self._read(top, left) + right * self._read(top, left + 1.0)
        lower = (1.0 - right) * self._read(top + 1.0, left) + right * self._read(top + 1.0, left + 1.0)
        return (1.0 - down) * upper + down * lower

    def _inside(self, y: Tensor, x: Tensor) -> Tuple[Tensor, Tensor]:
        boundary = _BOUNDARIES[self._mode]
        return boundary(y, tf.cast(self._height, tf.float32)), boundary(x, tf.cast(self._width, tf.float32))

    def _read(self, y: Tensor, x: Tensor) -> Tensor:
        """The pixels at whole coordinates, or the fill value outside of the image."""
        bottom, right = tf.cast(self._height - 1, tf.float32), tf.cast(self._width - 1, tf.float32)
        is_inside = (y >= 0.0) & (y <= bottom) & (x >= 0.0) & (x <= right)
        row = tf.cast(tf.clip_by_value(y, 0.0, bottom), tf.int32)
        column = tf.cast(tf.clip_by_value(x, 0.0, right), tf.int32)
        first = tf.range(self._count)[:, None] * self._height
        values = tf.gather(self._pixels, (first + row) * self._width + column)
        return tf.where(is_inside[..., None], values, self._fill)


def _round(value: Tensor) -> Tensor:
    """Rounds half away from zero, as C does; `tf.round` rounds half to even."""
    return tf.sign(value) * tf.floor(tf.abs(value) + 0.5)


def _reflect(place: Tensor, length: Tensor) -> Tensor:
    period = 2.0 * length
    place = tf.where(place < 0.0, -place - 1.0, place)
    place = place - period * tf.floor(place / period)
    return _clamp(tf.where(place >= length, period - place - 1.0, place), length)


def _wrap(place: Tensor, length: Tensor) -> Tensor:
    last = tf.maximum(length - 1.0, 1.0)
    before = place + length * (tf.floor(-place / last) + 1.0)
    behind = place - length * tf.floor(place / last)
    return _clamp(tf.where(place < 0.0, before, tf.where(place > length - 1.0, behind, place)), length)


def _clamp(place: Tensor, length: Tensor) -> Tensor:
    return tf.clip_by_value(place, 0.0, length - 1.0)


_BOUNDARIES = {"CONSTANT": lambda place, _: place, "NEAREST": _clamp, "REFLECT": _reflect, "WRAP": _wrap}
