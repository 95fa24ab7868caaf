"""How optimizers, schedules, regularizers, constraints and activations get into a model."""

import inspect

import tensorflow as tf

from .models import SEQUENCE, VECTOR, around, compiled, floats, needs_arguments, traced

TARGETS = floats(3, seed=4)


def _model(keras, **kwargs):
    # No layer whose true gradient is 0: an optimizer that divides by its size would make steps of rounding noise.
    layers = keras.layers
    hidden = {key: value for key, value in kwargs.items()}
    return keras.Sequential([keras.Input((5,)), layers.Dense(4, activation="tanh", **hidden), layers.Dense(3)])


def _trained(keras, optimizer):
    return compiled(keras, _model(keras), VECTOR, TARGETS, optimizer=optimizer)


# -- optimizers


def optimizer_recipe(row):
    """The recipe for an optimizer: from the table, or the default one if it needs no arguments; or None."""
    return OPTIMIZERS.get(row.name) or (None if needs_arguments(row.object) else _optimizer())


def _optimizer(**kwargs):
    return lambda keras, cls: _trained(keras, cls(**{"learning_rate": 0.01, **kwargs}))


def _own_optimizer(keras, cls):
    class Signs(cls):
        def __init__(self, learning_rate=0.01, name="signs", **kwargs):
            if keras.__name__ == "tf_keras":
                super().__init__(name=name, **kwargs)
                self._learning_rate = self._build_learning_rate(learning_rate)
            else:
                super().__init__(learning_rate=learning_rate, name=name, **kwargs)

        def update_step(self, gradient, variable, learning_rate=None):
            rate = self._learning_rate if learning_rate is None else learning_rate
            variable.assign_add(-tf.convert_to_tensor(rate) * tf.sign(gradient))

        def get_config(self):
            return {**super().get_config(), "learning_rate": 0.01}

    return _trained(keras, Signs())


def _loss_scale(keras, cls):
    return _trained(keras, cls(keras.optimizers.Adam(0.01), initial_scale=4.0, dynamic_growth_steps=2))


def _map(keras):
    from keras.optimizers import SGD, Adam, OptimizerMap

    model = _model(keras)
    optimizers = OptimizerMap(Adam(0.01))
    optimizers[model.layers[-1].path] = SGD(0.01)
    return model, optimizers


def _optimizer_map(keras, cls):
    model, optimizers = _map(keras)
    return compiled(keras, model, VECTOR, TARGETS, optimizer=keras.optimizers.MultiOptimizer(optimizers))


def _multi(keras, cls):
    model, optimizers = _map(keras)
    return compiled(keras, model, VECTOR, TARGETS, optimizer=cls(optimizers))


OPTIMIZERS = {
    "Adam": _optimizer(amsgrad=True, clipnorm=1.0),
    "AdamW": _optimizer(weight_decay=0.01),
    "Ftrl": _optimizer(l1_regularization_strength=0.01, l2_regularization_strength=0.01),
    "LossScaleOptimizer": _loss_scale,
    "MultiOptimizer": _multi,
    # That of tf_keras gives other numbers in eager mode: it asks a Python counter what it has multiplied already.
    "Nadam": traced(_optimizer()),
    "Optimizer": _own_optimizer,
    "OptimizerMap": _optimizer_map,
    "RMSprop": _optimizer(momentum=0.5, centered=True),
    "SGD": _optimizer(momentum=0.9, nesterov=True),
}


# -- schedules: short ones, so that the rate moves within the steps that are compared


def schedule_recipe(row):
    """The recipe for a learning-rate schedule; all of them need arguments, so there is no default."""
    if row.name == "LearningRateSchedule":
        return _own_schedule
    arguments = _SCHEDULES.get(row.name)
    return arguments and (lambda keras, cls: _trained(keras, keras.optimizers.SGD(cls(**arguments))))


def _own_schedule(keras, cls):
    class Halved(cls):
        def __call__(self, step):
            return 0.1 / (1.0 + tf.cast(step, tf.float32))

        def get_config(self):
            return {}

    return _trained(keras, keras.optimizers.SGD(Halved()))


_SCHEDULES = {
    "CosineDecay": {"initial_learning_rate": 0.01, "decay_steps": 8, "warmup_target": 0.1, "warmup_steps": 4},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 2},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5, "staircase": True},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [2, 4], "values": [0.1, 0.05, 0.01]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "power": 2.0},
}


# -- regularizers and constraints


def regularizer_recipe(row):
    """The recipe for a regularizer: factors get a value; None if there is another argument that needs one."""
    if row.name == "Regularizer":
        return _own_regularizer
    return None if needs_arguments(row.object) else _regularizer


def _regularizer(keras, cls):
    arguments = {key: 0.02 for key in inspect.signature(cls.__init__).parameters if key in ("l1", "l2", "factor")}
    return compiled(keras, _model(keras, kernel_regularizer=cls(**arguments)), VECTOR, TARGETS)


def _own_regularizer(keras, cls):
    class Quartic(cls):
        def __call__(self, x):
            return 0.1 * tf.reduce_sum(tf.convert_to_tensor(x) ** 4)

        def get_config(self):
            return {}

    return compiled(keras, _model(keras, kernel_regularizer=Quartic()), VECTOR, TARGETS)


def constraint_recipe(row):
    """The recipe for a constraint: from the table, or the default one if it needs no arguments; or None."""
    return CONSTRAINTS.get(row.name) or (None if needs_arguments(row.object) else _constraint())


def _constraint(**kwargs):
    return lambda keras, cls: _constrained(keras, cls(**kwargs))


def _constrained(keras, constraint):
    return compiled(keras, _model(keras, kernel_constraint=constraint), VECTOR, TARGETS)


def _own_constraint(keras, cls):
    class Clipped(cls):
        def __call__(self, w):
            return tf.clip_by_value(tf.convert_to_tensor(w), -0.3, 0.3)

    return _constrained(keras, Clipped())


def _radial(keras, cls):
    """For the kernels of convolutions: symmetric around the middle."""
    layers = keras.layers
    hidden = [layers.Conv2D(2, 3, kernel_constraint=cls()), layers.Flatten(), layers.Dense(3)]
    return compiled(keras, keras.Sequential([keras.Input((4, 4, 2)), *hidden]), floats(4, 4, 2), TARGETS)


CONSTRAINTS = {
    "Constraint": _own_constraint,
    "MaxNorm": _constraint(max_value=0.5),
    "MinMaxNorm": _constraint(min_value=0.3, max_value=0.6, rate=0.8),
    "RadialConstraint": _radial,
}


# -- activations


def activation_recipe(row):
    """The recipe for an activation: within an `Activation` layer, over the last axis of sequences."""
    return _activation


def _activation(keras, function):
    needed = [p for p in list(inspect.signature(function).parameters.values())[1:] if p.default is p.empty]
    used = function if not needed else lambda x: function(x, *[0.2] * len(needed))
    if function.__name__ == "glu":
        # It halves the last axis, which an `Activation` layer does not know of.
        return around(keras, SEQUENCE, used)
    return around(keras, SEQUENCE, keras.layers.Activation(used))
