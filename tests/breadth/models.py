"""What the recipes build models with: small arrays, and a model around what is to be covered.

A case is a dict: `model` (compiled), `x`, `y`, and where they are not the default: `batch`; `sensitive` (so deep that
its numbers in training hang on the last digit of its inputs); `rounding` (one rounding error, relative: where a number
differs, it may do so by ten times what such an error in each weight changes in Keras's own); `eager` (whether Keras
computes without tracing); `options` (ExportOptions).
"""

import inspect

import numpy as np
import tensorflow as tf

SAMPLES, BATCH = 20, 8


def floats(*shape, seed=0):
    """Normally distributed numbers, a row a sample."""
    return np.random.RandomState(seed).standard_normal((SAMPLES, *shape)).astype("float32")


def portions(*shape, seed=0):
    """Numbers from 0 to 1, such as the pixels of a picture."""
    return np.random.RandomState(seed).uniform(size=(SAMPLES, *shape)).astype("float32")


def integers(high, *shape, seed=0, dtype="int32"):
    """Whole numbers below `high`."""
    return np.random.RandomState(seed).randint(0, high, (SAMPLES, *shape)).astype(dtype)


def one_hot(classes, *shape, seed=0):
    """Rows with one 1."""
    return np.eye(classes, dtype="float32")[integers(classes, *shape, seed=seed)]


VECTOR, SEQUENCE, VOLUME = floats(5), floats(6, 4), floats(4, 4, 4, 2)
IMAGE, PICTURE = floats(8, 8, 4), portions(8, 8, 3)


def scale(keras, **kwargs):
    """A layer as a user would write it: multiplies each channel by a weight.

    It puts a trainable variable in front of a layer, so that gradients have to pass through the layer, and behind it;
    zeros stay zeros.
    """

    class Scale(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def build(self, input_shape):
            # Below 1, so that pixels stay in their range.
            between = keras.initializers.RandomUniform(0.4, 0.9, seed=1)
            self.factor = self.add_weight(name="factor", shape=(input_shape[-1],), initializer=between)
            super().build(input_shape)

        def call(self, inputs):
            return tf.cast(inputs, tf.float32) * self.factor

        def compute_output_shape(self, input_shape):
            return input_shape

    return Scale(**kwargs)


def compiled(keras, model, x, y=None, loss="mse", optimizer=None, metrics=None):
    """The case of a model: compiled, with random targets that have the shapes of its outputs unless `y` is given."""
    # Plain SGD: in front of a normalisation a gradient is 0 plus noise, which Adam would turn into steps.
    model.compile(optimizer or keras.optimizers.SGD(1e-2), loss, metrics=metrics)
    if y is None:
        few = tf.nest.map_structure(lambda array: tf.convert_to_tensor(array[:2]), x)
        shapes = tf.nest.map_structure(lambda output: output.shape[1:], model(few))
        y = tf.nest.map_structure(lambda shape: floats(*shape, seed=9), shapes, expand_composites=False)
    return {"model": model, "x": x, "y": y}


def inputs_for(keras, x):
    """A `keras.Input` for each array, and what a layer gets of it: floats are scaled before."""
    arrays = x if isinstance(x, (list, tuple)) else [x]
    inputs = [keras.Input(array.shape[1:], dtype=_dtype(array)) for array in arrays]
    return inputs, [scale(keras)(one) if one.dtype in ("float32", tf.float32) else one for one in inputs]


def around(keras, x, apply, scaled=True):
    """A model input - scale - `apply` - scale, compiled, as a case.

    Args:
        keras: a Keras module.
        x: array or list of arrays.
        apply: takes a symbolic tensor for each array and returns one.
        scaled: bool, whether there is a scale in front.
    """
    inputs, tensors = inputs_for(keras, x)
    outputs = scale(keras)(apply(*(tensors if scaled else inputs)))
    model = keras.Model(inputs if isinstance(x, (list, tuple)) else inputs[0], outputs)
    return compiled(keras, model, x)


def _dtype(array):
    return "string" if array.dtype.kind in "US" else str(array.dtype)


def held(keras, layer):
    """A layer of a user's own that holds another one, for those that Keras cannot put into a functional model."""

    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layer

        def call(self, inputs, training=False):
            return self.inner(inputs, training=training)

        def compute_output_shape(self, input_shape):
            return self.inner.compute_output_shape(input_shape)

    return Holder()


# -- recipes: functions that take a Keras module and a class, and return a case


def needs_arguments(item):
    """Whether a class cannot be made without arguments."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = list(inspect.signature(item).parameters.values())
    return any(p.default is p.empty and p.kind in kinds for p in parameters)


def on(x, *args, **kwargs):
    """The recipe: one layer, made with these arguments, on `x`."""
    return chain(x, (args, kwargs))


def chain(x, *forms):
    """The recipe: several layers of the class behind each other; a form is a dict of arguments or (args, kwargs)."""

    def recipe(keras, cls):
        def apply(tensor):
            for form in forms:
                args, kwargs = ((), form) if isinstance(form, dict) else form
                tensor = cls(*args, **kwargs)(tensor)
            return tensor

        return around(keras, x, apply)

    return recipe


def traced(recipe):
    """The recipe, with Keras's own steps traced as `fit` does it unless told otherwise."""
    return lambda keras, cls: {**recipe(keras, cls), "eager": False}


def applying(x, make):
    """The recipe: what `make(keras, cls)` returns, a layer or a function of tensors, on `x`."""
    return lambda keras, cls: around(keras, x, make(keras, cls))
