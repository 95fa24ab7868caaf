"""Ways to train a model, each a function for any Keras, as in `carried_models`.

They may also give `ops`, the training ops of TensorFlow 1.x that must stand in the graph, and how often; `bounds`,
where a shorter type than float32 is computed in; `export`, arguments of the export.
"""

import carried_models
import numpy as np
import tensorflow as tf
from plain_models import numbers

WORDS = ["red", "green", "blue", "black"]


def _two_layers(keras, optimizer, ops=None, **compile_arguments):
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(3, activation="tanh")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    model.compile(optimizer, "mse", **compile_arguments)
    return {"model": model, "x": numbers(4), "y": numbers(2), "ops": ops or {}}


def nesterov_momentum(keras):
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
    return _two_layers(keras, optimizer, {"ResourceApplyKerasMomentum": 4})


def amsgrad(keras):
    optimizer = keras.optimizers.Adam(0.01, amsgrad=True, global_clipnorm=0.1)
    return _two_layers(keras, optimizer, {"ResourceApplyAdamWithAmsgrad": 4})


def centered_rmsprop(keras):
    optimizer = keras.optimizers.RMSprop(0.01, momentum=0.9, centered=True)
    return _two_layers(keras, optimizer, {"ResourceApplyCenteredRMSProp": 4})


def ftrl_with_all_its_terms(keras):
    optimizer = keras.optimizers.Ftrl(
        0.01,
        l1_regularization_strength=0.01,
        l2_regularization_strength=0.02,
        l2_shrinkage_regularization_strength=0.03,
        beta=0.1,
    )
    return _two_layers(keras, optimizer, {"ResourceApplyFtrlV2": 4})


def averages_of_weights_that_overwrite_them(keras):
    return _two_layers(keras, keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2))


def loss_scaling_that_grows(keras):
    wrap = getattr(keras.optimizers, "LossScaleOptimizer", None) or keras.mixed_precision.LossScaleOptimizer
    optimizer = wrap(keras.optimizers.Adam(0.01), dynamic_growth_steps=2)
    return _two_layers(keras, optimizer, {"ResourceApplyAdam": 4})


def accumulated_gradients(keras):
    if keras.__name__ != "keras":
        return _two_layers(keras, keras.optimizers.legacy.Adam(0.01), {"ResourceApplyAdam": 4})
    optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=2)
    return _two_layers(keras, optimizer, {"ResourceApplyAdam": 4})


def steps_of_the_rate_and_constraints(keras):
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([2, 4], [0.1, 0.05, 0.01])
    inputs = keras.Input((5,))
    hidden = keras.layers.Dense(4, kernel_constraint="unit_norm", bias_constraint="non_neg")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_constraint=keras.constraints.MaxNorm(0.5))(hidden))
    model.compile(keras.optimizers.Adam(rate), "mse")
    return {"model": model, "x": numbers(5), "y": numbers(2)}


def sequences_of_characters(keras):
    layers = keras.layers
    inputs = keras.Input((5, 3))
    whole, hidden, cell = layers.LSTM(4, return_sequences=True, return_state=True)(inputs)
    last = layers.LSTM(4)(whole, initial_state=[hidden, cell])
    model = keras.Model(inputs, layers.Dense(8)(last))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(5, 3), "y": numbers(8)}


def words_looked_up(keras):
    layers = keras.layers
    text, words = keras.Input((), dtype="string", name="text"), keras.Input((3,), dtype="string", name="words")
    counted = layers.StringLookup(vocabulary=WORDS[:3], output_mode="count")(words)
    numbers = layers.TextVectorization(vocabulary=["the", "red", "cat"], output_sequence_length=4)(text)
    embedded = layers.GlobalAveragePooling1D()(layers.Embedding(9, 3)(numbers))
    model = keras.Model([text, words], layers.Dense(2)(layers.Concatenate()([counted, embedded])))
    model.compile("sgd", "mse")
    draw = np.random.RandomState(0)
    words = [[WORDS[i] for i in row] for row in draw.randint(0, 4, (carried_models.SAMPLES, 3))]
    texts = ["The red cat. Sat on", "a green! mat", "Blue", "the the the red red red red"]
    texts = [texts[i] for i in draw.randint(0, 4, carried_models.SAMPLES)]
    return {"model": model, "x": [tf.constant(texts), tf.constant(words)], "y": numbers(2)}


def _mixed(keras, policy, eps, **export):
    layers = keras.layers
    policies = [
        layers.Conv1D(4, 3, use_bias=False, dtype=policy),
        layers.BatchNormalization(dtype=policy),
        layers.LSTM(4, dtype=policy),
    ]
    inputs = hidden = keras.Input((8, 3))
    for layer in policies:
        hidden = layer(hidden)
    model = keras.Model(inputs, layers.Dense(2, dtype="float32")(hidden))
    wrap = getattr(keras.optimizers, "LossScaleOptimizer", None) or keras.mixed_precision.LossScaleOptimizer
    model.compile(wrap(keras.optimizers.SGD(0.01)), "mse", metrics=["mae"])
    # Some roundings lie behind one another.
    bounds = {kind: 4 * eps for kind in ("predict", "evaluate", "after", "trained")}
    return {"model": model, "x": numbers(8, 3), "y": numbers(2), "bounds": bounds, "export": export}


def mixed_float16(keras):
    return _mixed(keras, "mixed_float16", 2.0**-10)


def mixed_bfloat16_computed_in_float32(keras):
    return _mixed(keras, "mixed_bfloat16", 2.0**-7, compute_dtype="float32")


def swish_inside_of_a_loop_and_of_a_branch(keras):
    """It is a `tf.custom_gradient`."""

    class Switched(keras.layers.Layer):
        def call(self, x):
            return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.nn.silu(x), lambda: x)

    inputs = keras.Input((5, 3))
    hidden = keras.layers.GRU(4, activation="swish")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(Switched()(hidden)))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(5, 3), "y": numbers(2)}


def _low_rank_adapters(keras):
    """Keras 3 alone has them."""
    inputs = keras.Input((6,), dtype="int32")
    layers = [
        keras.layers.Embedding(10, 4),
        keras.layers.EinsumDense("abc,cd->abd", (6, 5), bias_axes="d", activation="tanh"),
        keras.layers.Flatten(),
        keras.layers.Dense(2),
    ]
    model = keras.Sequential([inputs, *layers])
    for layer in (layers[0], layers[1], layers[3]):
        layer.enable_lora(2)
    model.compile(keras.optimizers.SGD(0.1, weight_decay=0.01), "mse")
    return {"model": model, "x": np.abs(10 * np.tanh(numbers(6))).astype("int32"), "y": numbers(2)}


def a_loss_that_training_alone_adds(keras):
    class Balanced(keras.layers.Layer):
        def call(self, x, training=False):
            if training:
                self.add_loss(0.1 * tf.reduce_mean(x**2))
            return x

        def compute_output_shape(self, shape):
            return shape

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(Balanced()(keras.layers.Dense(3)(inputs))))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"model": model, "x": numbers(4), "y": numbers(2)}


def _an_optimizer_around_another_one(keras2):
    """As those of tensorflow_addons are: the variables of the inner one are among its `weights` alone."""

    class Around(keras2.optimizers.legacy.Optimizer):
        def __init__(self, inner):
            super().__init__("Around")
            self._inner = inner

        @property
        def weights(self):
            return self._weights + self._inner.weights

        def _create_slots(self, var_list):
            self._inner._create_slots(var_list)

        def _create_hypers(self):
            self._inner._create_hypers()

        def _prepare_local(self, var_device, var_dtype, apply_state):
            return self._inner._prepare_local(var_device, var_dtype, apply_state)

        def apply_gradients(self, grads_and_vars, name=None, **kwargs):
            self._inner._iterations = self.iterations
            return super().apply_gradients(grads_and_vars, name, **kwargs)

        def _resource_apply_dense(self, grad, handle, apply_state):
            return self._inner._resource_apply_dense(grad, handle, apply_state)

    return _two_layers(keras2, Around(keras2.optimizers.legacy.Adam(0.01)), {"ResourceApplyAdam": 4})


ALL = [
    value
    for value in list(globals().values())
    if getattr(value, "__module__", "") == __name__ and not value.__name__.startswith("_")
]
