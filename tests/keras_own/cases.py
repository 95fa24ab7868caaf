"""How a configuration gets into a small model: what `breadth.models` calls a case."""

import numpy as np
import tensorflow as tf
from breadth import losses_and_metrics, training
from breadth.models import BATCH, SAMPLES, VECTOR, compiled, floats, held

# Samples where the batch may not vary.
_WHOLE_BATCHES = 2 * BATCH
# Keras's tests of spectrograms take ten seconds of sound: gigabytes in training, for nothing that less does not show.
LONGEST_AXIS = 4000


class NotAModelError(Exception):
    """The configuration cannot stand in a model that Keras trains; the message says why."""


def case(keras, configuration):
    """The case of a configuration."""
    make = {"layers": _layer, "losses": _loss, "metrics": _metric, "optimizers": _optimizer}[configuration.kind]
    made = make(keras, configuration)
    return {**made, "rounding": rounding(made["model"])}


def rounding(model):
    """One rounding error of the roughest type that a model computes in."""
    types = {tf.as_dtype(layer.compute_dtype) for layer in model._flatten_layers() if layer.compute_dtype}
    return max([np.finfo("f4").eps] + [_epsilon(dtype) for dtype in types if dtype.is_floating])


def _epsilon(dtype):
    return 2.0**-8 if dtype == tf.bfloat16 else float(np.finfo(dtype.as_numpy_dtype).eps)


# -- layers


def _layer(keras, configuration, inside=lambda keras, layer: layer):
    if configuration.inputs is None:
        raise NotAModelError("the test makes it without an input")
    kwargs = configuration.kwargs()
    whole = bool(kwargs.get("stateful"))
    samples = _WHOLE_BATCHES if whole else SAMPLES
    given = keras.tree.map_structure(lambda array: _rows(array, samples), configuration.inputs)
    further = {k: _rows_of(v, samples) for k, v in configuration.call_kwargs.items()}
    arrays = {k: v for k, v in further.items() if v is not None}
    inputs, tensors = _inputs(keras, given, configuration.inputs, whole)
    more_inputs, more = _inputs(keras, arrays, arrays, whole)
    layer = inside(keras, configuration.cls(**kwargs))
    call = {**configuration.call_kwargs, **more}
    outputs = layer(**tensors, **call) if isinstance(tensors, dict) else layer(tensors, **call)
    outputs = keras.tree.flatten(outputs)
    if any(output is tensor for output in outputs for tensor in keras.tree.flatten(tensors)):
        # A functional model has no place for a layer that gives back its symbolic input.
        return _layer(keras, configuration, held)
    outputs = [_behind(keras, output) for output in outputs if output.dtype != "string"]
    if not outputs:
        raise NotAModelError("it gives strings, which nothing can be trained by")
    flat_inputs, x = [*inputs, *more_inputs], [*keras.tree.flatten(given), *arrays.values()]
    single = len(x) == 1
    model = keras.Model(flat_inputs[0] if single else flat_inputs, outputs[0] if len(outputs) == 1 else outputs)
    case = compiled(keras, model, x[0] if single else x, _targets(model, x[0] if single else x, samples))
    return case


def _targets(model, x, samples):
    few = tf.nest.map_structure(lambda array: tf.convert_to_tensor(array[:BATCH]), x)
    outputs = model(few)
    if any(output.shape[:1] != [BATCH] for output in tf.nest.flatten(outputs)):
        raise NotAModelError("it does not give a row for each row, so that there are no targets")
    return tf.nest.map_structure(lambda output: floats(*output.shape[1:], seed=9)[:samples], outputs)


def _rows(array, samples):
    """As many rows as a case has: new and no longer than `LONGEST_AXIS` where the values are only examples."""
    values = array.values
    if not values.ndim:
        raise NotAModelError("its input is a single number")
    if not array.drawn:
        return np.resize(values, (samples, *values.shape[1:]))
    sizes = [min(size, LONGEST_AXIS) for size in values.shape[1:]]
    drawn = np.random.RandomState(values.ndim).uniform(size=(samples, *sizes)) * 3
    return drawn.astype(values.dtype)


def _rows_of(value, samples):
    """The same for an argument of a call, if it is an array."""
    from .configurations import Array

    if not (tf.is_tensor(value) or isinstance(value, np.ndarray)) or not len(np.shape(value)):
        return None
    return _rows(Array(value), samples)


def _inputs(keras, given, described, whole):
    """The inputs, flat, and what a layer gets of them, in the structure of `given`: floats are scaled."""
    made = []

    def one(values, array):
        batch = {"batch_size": BATCH} if whole else {}
        made.append(keras.Input(values.shape[1:], dtype=_dtype(values), **batch))
        tensor = _factor(keras)(made[-1]) if values.dtype.kind == "f" else made[-1]
        form = getattr(array, "form", "dense")
        return tensor if form == "dense" else _formed(keras, form)(tensor)

    tensors = keras.tree.map_structure(one, given, described)
    return made, tensors


def _dtype(values):
    return "string" if values.dtype.kind in "USO" else str(values.dtype)


def _behind(keras, output):
    if getattr(output, "sparse", False) or getattr(output, "ragged", False):
        output = _formed(keras, "dense")(output)
    return _factor(keras)(output)


def _factor(keras):
    """A layer of a user's own that multiplies by a weight, a number for each channel where these are known."""

    class Factor(keras.layers.Layer):
        def __init__(self):
            super().__init__(dtype="float32", autocast=False)
            self.supports_masking = True

        def build(self, input_shape):
            shape = () if len(input_shape) < 2 or input_shape[-1] is None else (input_shape[-1],)
            between = keras.initializers.RandomUniform(0.4, 0.9, seed=1)
            self.factor = self.add_weight(name="factor", shape=shape, initializer=between)

        def call(self, inputs):
            # In the type of what it is given, where that has a gradient.
            kept = inputs.dtype if inputs.dtype.is_floating else tf.float32
            return tf.cast(inputs, kept) * tf.cast(self.factor, kept)

        def compute_output_spec(self, inputs):
            kept = inputs.dtype if "float" in inputs.dtype else "float32"
            return keras.KerasTensor(inputs.shape, kept)

    return Factor()


def _formed(keras, form):
    """A layer of a user's own that makes a dense tensor sparse or ragged, or one of these dense."""

    class Formed(keras.layers.Layer):
        def __init__(self):
            super().__init__(autocast=False)

        def call(self, inputs):
            if form == "sparse":
                return tf.sparse.from_dense(inputs)
            if form == "ragged":
                return tf.RaggedTensor.from_tensor(inputs, padding=0)
            return tf.sparse.to_dense(inputs) if isinstance(inputs, tf.SparseTensor) else inputs.to_tensor()

        def compute_output_spec(self, inputs):
            more = {} if form == "dense" else {form: True}
            return keras.KerasTensor(inputs.shape, inputs.dtype, **more)

    return Formed()


# -- losses and metrics: on the first values that the test gives them


def _loss(keras, configuration):
    loss = configuration.cls(**configuration.kwargs())
    if _is_pair(configuration.inputs):
        model, x, y = _passing(keras, configuration.inputs, exactly=False)
    else:
        model, x, y = _by_name(keras, configuration)
    return compiled(keras, model, x, y, loss=loss)


def _metric(keras, configuration):
    metric = configuration.cls(**configuration.kwargs())
    if _is_pair(configuration.inputs):
        model, x, y = _passing(keras, configuration.inputs, exactly=True)
        return compiled(keras, model, x, y, loss=_sum_of_outputs, metrics=[metric])
    if configuration.inputs and configuration.name in ("Mean", "Sum"):
        return losses_and_metrics._of_values(lambda keras, cls: metric)(keras, configuration.cls)
    model, x, y = _by_name(keras, configuration)
    return compiled(keras, model, x, y, loss=_sum_of_outputs, metrics=[metric])


def _sum_of_outputs(y_true, y_pred):
    """A loss that fits any targets."""
    return tf.reduce_mean(tf.cast(y_pred, tf.float32))


def _is_pair(inputs):
    return inputs is not None and len(inputs) == 2 and all(array.ndim and len(array) for array in inputs)


def _by_name(keras, configuration):
    units, activation, y = losses_and_metrics._form(configuration.name)
    logits = configuration.kwargs().get("from_logits", False)
    return losses_and_metrics._model(keras, units, None if logits else activation), VECTOR, y


def _passing(keras, pair, exactly):
    """A model that gives the predictions of the test, times a weight; or `exactly`, with a gradient all the same."""
    y, x = (np.resize(array, (SAMPLES, *array.shape[1:])) for array in pair)
    x = x.astype("float32") if x.dtype.kind in "fiub" else x
    y = y.astype("float32") if y.dtype == np.float64 else y.astype("int32") if y.dtype.kind in "iub" else y
    inputs = keras.Input(x.shape[1:])
    scaled = _factor(keras)(inputs)
    outputs = _same_numbers(keras)(inputs, scaled) if exactly else scaled
    return keras.Model(inputs, outputs), x, y


def _same_numbers(keras):
    class Same(keras.layers.Layer):
        def call(self, inputs, scaled):
            return inputs + (scaled - tf.stop_gradient(scaled))

        def compute_output_spec(self, inputs, scaled):
            return keras.KerasTensor(inputs.shape, inputs.dtype)

    return Same()


# -- optimizers


def _optimizer(keras, configuration):
    if configuration.name in ("MultiOptimizer", "OptimizerMap"):
        return training.OPTIMIZERS[configuration.name](keras, configuration.cls)
    return training._trained(keras, configuration.cls(**configuration.kwargs()))
