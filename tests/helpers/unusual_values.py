"""Models with weights and outputs of unusual types, each a function for any Keras, as in `carried_models`."""

import carried_models
import numpy as np
import tensorflow as tf
from plain_models import numbers

# One batch, since Keras concatenates outputs of all batches, weights too.
WHOLE = {"batch": carried_models.SAMPLES}


def _value(variable):
    return tf.convert_to_tensor(variable)


def _with_weight(keras, dtype, initializer, use, after=None):
    class Own(keras.layers.Layer):
        def build(self, shape):
            self.own = self.add_weight(
                name="own", shape=(shape[-1],), dtype=dtype, initializer=initializer, trainable=False
            )

        def call(self, x, training=False):
            y = use(x, _value(self.own))
            if after is not None and training:
                self.own.assign(after(_value(self.own)))
            return y

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((3,), name="x"), Own(name="own"), keras.layers.Dense(1, name="p")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"model": model, "x": numbers(3), "y": numbers(1, seed=1), "twice": ["own"]}


def a_bool_weight(keras):
    return _with_weight(keras, "bool", "ones", lambda x, keep: tf.where(keep, x, tf.zeros_like(x)))


def a_bool_weight_that_training_changes(keras):
    return _with_weight(
        keras, "bool", "ones", lambda x, keep: tf.where(keep, x, tf.zeros_like(x)), lambda keep: tf.roll(~keep, 1, 0)
    )


def _integer(dtype):
    def make(keras):
        scale = lambda x, own: x * tf.cast(own, x.dtype)  # noqa: E731
        return _with_weight(keras, dtype, "ones", scale, lambda own: own + tf.ones_like(own))

    make.__name__ = f"a_weight_of_{dtype}"
    return make


def a_complex_weight(keras):
    turn = lambda x, own: tf.math.real(tf.cast(x, tf.complex64) * (own + 1j))  # noqa: E731
    return _with_weight(keras, "complex64", "ones", turn)


class _Normal:
    """What a layer of tensorflow_probability returns: it becomes a tensor where one is needed."""

    def __init__(self, mean):
        self.mean, self.shape, self.dtype = mean, mean.shape, mean.dtype


tf.register_tensor_conversion_function(
    _Normal, lambda value, dtype=None, name=None, as_ref=False: tf.identity(value.mean)
)


class _Own:
    """Makes subclassed models of one `call`."""

    def __new__(cls, keras, call, compiled=None):
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.d = keras.layers.Dense(2, name="d")
                self.d.build((None, 3))

        Own.call = call
        model = Own()
        if compiled:
            model.compile(keras.optimizers.SGD(0.1), compiled)
        model(np.ones((2, 3), "float32"))
        return {"model": model, "x": numbers(3), "y": numbers(2, seed=1) if compiled else None, **WHOLE}


def an_output_that_is_a_weight(keras):
    return _Own(keras, lambda self, x: (self.d(x), self.d.kernel))


def an_output_that_is_a_variable(keras):
    def call(self, x):
        if not hasattr(self, "scale"):
            self.scale = tf.Variable([2.0, 3.0], name="scale")
        return {"y": self.d(x), "scale": self.scale}

    return _Own(keras, call)


def an_output_that_becomes_a_tensor(keras):
    return _Own(keras, lambda self, x: _Normal(self.d(x)))


def outputs_of_numbers(keras):
    # Keras itself concatenates what the batches give, and expects no None.
    rows = np.arange(3)
    return _Own(keras, lambda self, x: {"y": self.d(x), "half": [0.5], "rows": rows})


def a_variable_in_a_list(keras):
    """As hub.KerasLayer and tf.Module keep theirs: the model does not list it."""

    class Held:
        def __init__(self):
            self.scale = tf.Variable([2.0, 3.0], name="held/scale")

    held = [Held()]
    kept = {"held": held}

    def call(self, x):
        return self.d(x) * kept["held"][0].scale

    return _Own(keras, call, "mse")


class _Module(tf.Module):
    def __init__(self):
        super().__init__(name="module")
        self.kernel = tf.Variable(tf.ones([3, 3]) * 0.5, name="kernel")
        self.offset = tf.Variable(0.5, trainable=False, name="offset")

    @tf.Module.with_name_scope
    def __call__(self, x):
        return tf.matmul(x, self.kernel) + self.offset


def a_module_in_a_layer(keras):
    class Wrapped(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="wrapped")
            self.module = _Module()

        def call(self, x):
            return self.module(x)

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((3,), name="x"), Wrapped(), keras.layers.Dense(1, name="p")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"model": model, "x": numbers(3), "y": numbers(1, seed=1)}


def an_assertion_and_a_write_in_a_branch(keras):
    class Once(keras.layers.Layer):
        def build(self, shape):
            self.g = self.add_weight(name="g", shape=(shape[-1],), initializer="ones")
            self.flag = self.add_weight(name="flag", shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            g, flag = [v if isinstance(v, tf.Variable) else v.value for v in (self.g, self.flag)]

            def first():
                with tf.control_dependencies([tf.debugging.assert_equal(flag, 0.0)]):
                    done = [g.assign(tf.math.reduce_std(x, 0)), flag.assign(1.0)]
                with tf.control_dependencies(done):
                    return tf.identity(g)

            return x * tf.cond(flag > 0.5, lambda: tf.identity(g), first)

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((3,), name="x"), Once(name="once"), keras.layers.Dense(1, name="p")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"model": model, "x": numbers(3), "y": numbers(1, seed=1), "twice": ["once"], **WHOLE}


WEIGHTS = [
    a_bool_weight,
    a_bool_weight_that_training_changes,
    *map(_integer, ("int8", "uint8", "int16", "int32", "int64")),
    a_complex_weight,
    a_module_in_a_layer,
    a_variable_in_a_list,
    an_assertion_and_a_write_in_a_branch,
]
OUTPUTS = [
    an_output_that_is_a_weight,
    an_output_that_is_a_variable,
    an_output_that_becomes_a_tensor,
    outputs_of_numbers,
]
ALL = [*WEIGHTS, *OUTPUTS]
