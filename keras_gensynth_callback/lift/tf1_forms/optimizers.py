"""Keras's optimizers as TF 1.15's tf.keras writes them: one training op a variable, where that computes the same.

Keras 3 and tf_keras write an update out (about 15 ops a variable for Adam); TF 1.15 has an op for it
(tensorflow/python/keras/optimizer_v2 of TF 1.15; the formulas: tensorflow/core/kernels/training_ops.cc). There is no op
with Keras's formula for Adagrad, Nadam, RMSprop without momentum and others, and none for sparse gradients; these stay
as they are written.
"""

import contextlib
from typing import Any, Dict, Hashable

import tensorflow as tf

from keras_gensynth_callback.compat import inside_control_flow, patched, watched_handle
from keras_gensynth_callback.kerases import of_framework


@contextlib.contextmanager
def training_ops(module, optimizers):
    """While the block runs, what is traced updates a variable by its optimizer's training op.

    Args:
        module: a Keras's module `optimizers`: a `train_step` may apply an optimizer that the model does not hold.
        optimizers: the optimizers that the model holds. Which classes the module has under these names depends on how
            it is imported in TensorFlow 2.11 and 2.12.
    """
    numbers: Dict[Hashable, Any] = {}

    def applies(wrapped, instance, args, kwargs):
        numbers.clear()  # the step's number moves with each time
        return wrapped(*args, **kwargs)

    emitted = _with_an_op(module, optimizers)
    with contextlib.ExitStack() as stack:
        for optimizer, emit in emitted.items():
            stack.enter_context(patched(optimizer, "update_step", _wrapper(emit, numbers)))
        for base in {_where(optimizer, "apply_gradients") for optimizer in emitted}:
            stack.enter_context(patched(base, "apply" if "apply" in vars(base) else "apply_gradients", applies))
        yield


def _where(optimizer, method):
    """The class that a method of an optimizer stands in."""
    return next(base for base in optimizer.__mro__ if method in vars(base))


def _with_an_op(module, optimizers):
    """dict, class of a Keras with an `update_step` of its own -> what emits its op."""
    inner = [getattr(optimizer, "inner_optimizer", None) for optimizer in optimizers]
    used = [base for optimizer in [*optimizers, *inner] for base in type(optimizer).__mro__ if of_framework(base)]
    classes = [*(getattr(module, name) for name in _TRAINING_OPS if hasattr(module, name)), *used]
    return {
        optimizer: _TRAINING_OPS[optimizer.__name__]
        for optimizer in classes
        if optimizer.__name__ in _TRAINING_OPS and "update_step" in vars(optimizer)
    }


def _wrapper(emit, numbers):
    def update_step(wrapped, optimizer, args, kwargs):
        step = _Step(numbers, optimizer, *args, **kwargs)
        if not step.is_dense() or not emit(step, optimizer):
            wrapped(*args, **kwargs)

    return update_step


class _Step:
    """The arguments of `update_step`, which Keras 3 gives the learning rate as well.

    Attributes:
        gradient: tensor.
        resource: the handle of the variable.
        rate: scalar tensor, the learning rate.
    """

    def __init__(self, numbers, optimizer, gradient, variable, learning_rate=None):
        self._numbers, self._optimizer, self._variable, self.gradient = numbers, optimizer, variable, gradient
        self._rate = optimizer.learning_rate if learning_rate is None else learning_rate

    def is_dense(self):
        """Whether the gradient is a plain tensor of a plain variable, in the graph that is traced."""
        return (
            not tf.executing_eagerly()
            and tf.is_tensor(self.gradient)
            and not isinstance(self.gradient, tf.IndexedSlices)
            and self.gradient.dtype.base_dtype == tf.as_dtype(self._variable.dtype).base_dtype
            and hasattr(_plain(self._variable), "handle")
        )

    @property
    def resource(self):
        return watched_handle(_plain(self._variable))

    @property
    def rate(self):
        return self.scalar(self._rate)

    def slot(self, slots):
        """The handle of this variable's slot in an optimizer's list of them."""
        if hasattr(self._optimizer, "_get_variable_index"):
            index = self._optimizer._get_variable_index(self._variable)
        else:
            index = self._optimizer._index_dict[self._optimizer._var_key(self._variable)]
        return watched_handle(_plain(slots[index]))

    def scalar(self, value):
        """A number or tensor in the variable's dtype."""
        if not isinstance(value, float):
            return tf.cast(value, self.gradient.dtype)
        return self._once(lambda: tf.constant(value, self.gradient.dtype), value)

    def power(self, decay):
        """`decay` to the power of the step's number, which counts from 1."""
        number = lambda: self.scalar(_plain(self._optimizer.iterations) + 1)  # noqa: E731
        if not isinstance(decay, float):
            return tf.pow(self.scalar(decay), number())
        return self._once(lambda: tf.pow(self.scalar(decay), number()), self._optimizer, decay)

    def _once(self, make, *key):
        """What the steps of all variables take: made once in a graph, and anew where it may not be alive elsewhere."""
        graph = tf.compat.v1.get_default_graph()
        if inside_control_flow(graph):
            return make()
        key = (graph, self.gradient.dtype, *key)
        if key not in self._numbers:
            self._numbers[key] = make()
        return self._numbers[key]


def _plain(variable):
    """The tf.Variable of a Keras 3 variable."""
    value = getattr(variable, "value", variable)
    return variable if callable(value) else value


# Each emits an op and returns it, or None where there is no op that computes what this optimizer is set to. The lists
# of slots have no public names.


def _sgd(step, optimizer):
    if not optimizer.momentums:
        return tf.raw_ops.ResourceApplyGradientDescent(var=step.resource, alpha=step.rate, delta=step.gradient)
    return tf.raw_ops.ResourceApplyKerasMomentum(
        var=step.resource,
        accum=step.slot(optimizer.momentums),
        lr=step.rate,
        grad=step.gradient,
        momentum=step.scalar(optimizer.momentum),
        use_nesterov=bool(optimizer.nesterov),
    )


def _adam(step, optimizer):
    second = step.power(optimizer.beta_2)
    epsilon = step.scalar(optimizer.epsilon)
    if getattr(optimizer, "adaptive_epsilon", False):
        epsilon *= tf.sqrt(1 - second)
    arguments = dict(
        var=step.resource,
        m=step.slot(optimizer._momentums),
        v=step.slot(optimizer._velocities),
        beta1_power=step.power(optimizer.beta_1),
        beta2_power=second,
        lr=step.rate,
        beta1=step.scalar(optimizer.beta_1),
        beta2=step.scalar(optimizer.beta_2),
        epsilon=epsilon,
        grad=step.gradient,
    )
    if optimizer.amsgrad:
        return tf.raw_ops.ResourceApplyAdamWithAmsgrad(vhat=step.slot(optimizer._velocity_hats), **arguments)
    return tf.raw_ops.ResourceApplyAdam(**arguments)


def _adamax(step, optimizer):
    return tf.raw_ops.ResourceApplyAdaMax(
        var=step.resource,
        m=step.slot(optimizer._m),
        v=step.slot(optimizer._u),
        beta1_power=step.power(optimizer.beta_1),
        lr=step.rate,
        beta1=step.scalar(optimizer.beta_1),
        beta2=step.scalar(optimizer.beta_2),
        epsilon=step.scalar(optimizer.epsilon),
        grad=step.gradient,
    )


def _rmsprop(step, optimizer):
    if not optimizer.momentum > 0:
        return None
    arguments = dict(
        var=step.resource,
        ms=step.slot(optimizer._velocities),
        mom=step.slot(optimizer._momentums),
        lr=step.rate,
        rho=step.scalar(optimizer.rho),
        momentum=step.scalar(optimizer.momentum),
        epsilon=step.scalar(optimizer.epsilon),
        grad=step.gradient,
    )
    if optimizer.centered:
        return tf.raw_ops.ResourceApplyCenteredRMSProp(mg=step.slot(optimizer._average_gradients), **arguments)
    return tf.raw_ops.ResourceApplyRMSProp(**arguments)


def _adadelta(step, optimizer):
    return tf.raw_ops.ResourceApplyAdadelta(
        var=step.resource,
        accum=step.slot(optimizer._accumulated_grads),
        accum_update=step.slot(optimizer._accumulated_delta_vars),
        lr=step.rate,
        rho=step.scalar(optimizer.rho),
        epsilon=step.scalar(optimizer.epsilon),
        grad=step.gradient,
    )


def _ftrl(step, optimizer):
    l2 = step.scalar(optimizer.l2_regularization_strength) + step.scalar(optimizer.beta) / (2.0 * step.rate)
    return tf.raw_ops.ResourceApplyFtrlV2(
        var=step.resource,
        accum=step.slot(optimizer._accumulators),
        linear=step.slot(optimizer._linears),
        grad=step.gradient,
        lr=step.rate,
        l1=step.scalar(optimizer.l1_regularization_strength),
        l2=l2,
        l2_shrinkage=step.scalar(optimizer.l2_shrinkage_regularization_strength),
        lr_power=step.scalar(optimizer.learning_rate_power),
    )


_TRAINING_OPS = {
    "SGD": _sgd,
    "Adam": _adam,
    "AdamW": _adam,
    "Adamax": _adamax,
    "RMSprop": _rmsprop,
    "Adadelta": _adadelta,
    "Ftrl": _ftrl,
}
