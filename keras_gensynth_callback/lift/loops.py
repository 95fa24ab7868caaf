"""Loops whose TensorArray has one slot, built so that TensorFlow 1.x can run them and take their gradient.

Keras's `rnn` writes index 0 of a TensorArray of size 1 in each step when only the last output is wanted. A v1
TensorArray refuses the second write, and the v1 gradient of such a loop hands the last step's gradient to every step.
Both are settled while the graph is built, before gradients are: inside `single_slot_arrays` such an array travels
through the loop as an ordinary loop variable, the value last written, and becomes a TensorArray again behind the
loop.
"""

import contextlib

import tensorflow as tf

# Private, but the one place through which each `while_loop` of the v1 API, under whichever alias, is built.
from tensorflow.python.ops.control_flow_ops import WhileContext

from .tf_private import by_identity, gradient_of_loops, patched


class Slot:
    """Stands for a TensorArray of size 1 inside a loop: the same methods, one value."""

    def __init__(self, array, value):
        self._array, self._value = array, value
        self.dtype, self.element_shape = array.dtype, array.element_shape

    def write(self, index, value, name=None):
        value = tf.convert_to_tensor(value, self.dtype, name=name)
        if self.dtype in (tf.float16, tf.bfloat16, tf.float64) and not value.shape.is_fully_defined():
            # Where a step's value does not depend on the last one's, v1's gradient of a loop fills in zeros of float32
            # for any type (`_ControlFlowState.PostProcessing`, TF 1.13 to 2.21). So it depends on none of its rows.
            value += tf.reduce_sum(self._value[:0])
        return Slot(self._array, value)

    def read(self, index, name=None):
        return self._value

    def stack(self, name=None):
        return tf.expand_dims(self._value, 0, name=name)

    def size(self, name=None):
        return tf.constant(1, name=name)

    def identity(self):
        return self


@contextlib.contextmanager
def single_slot_arrays():
    """While it is active, TensorArrays of size 1 go through v1 `while_loop`s as the value last written."""
    with patched(WhileContext, "BuildLoop", _build_loop):
        # A loop variable that a step does not read is found with `==`, which between tensors of TF 2 builds an op.
        with patched(gradient_of_loops(), "PostProcessing", by_identity):
            yield


def _build_loop(wrapped, instance, args, kwargs):
    pred, body, loop_vars, invariants, same_structure = args
    arrays = tf.nest.flatten(loop_vars)
    if not any(map(_has_one_slot, arrays)):
        return wrapped(*args, **kwargs)
    if invariants is None:
        invariants = tf.nest.map_structure(_invariant, loop_vars)

    def unpacked(variables):
        flat = zip(arrays, tf.nest.flatten(variables))
        return tf.nest.pack_sequence_as(variables, [Slot(a, v) if _has_one_slot(a) else v for a, v in flat])

    def inner_body(*variables):
        return tf.nest.map_structure(lambda v: v._value if isinstance(v, Slot) else v, body(*unpacked(variables)))

    loop_vars = tf.nest.map_structure(lambda v: _initial_value(v) if _has_one_slot(v) else v, loop_vars)
    results = wrapped(lambda *variables: pred(*unpacked(variables)), inner_body, loop_vars, invariants, same_structure)
    flat = zip(arrays, tf.nest.flatten(results))
    return tf.nest.pack_sequence_as(results, [_array(a, v) if _has_one_slot(a) else v for a, v in flat])


def _has_one_slot(value):
    if not isinstance(value, tf.TensorArray) or value.handle is None or value.handle.op.type != "TensorArrayV3":
        return False
    # An array that was written already is not empty, so that its content would be lost.
    is_new = value.flow.op is value.handle.op
    return is_new and not value.dynamic_size and tf.get_static_value(value.handle.op.inputs[0]) == 1


def _invariant(variable):
    if isinstance(variable, tf.TensorArray):
        return variable.element_shape if _has_one_slot(variable) else tf.TensorShape([])
    if isinstance(variable, (tf.RaggedTensor, tf.SparseTensor, tf.IndexedSlices)):
        return tf.type_spec_from_value(variable)
    return tf.convert_to_tensor(variable).shape


def _initial_value(array):
    """Zeros that no step reads; they are the result if the loop makes no step."""
    shape = array.element_shape
    return tf.zeros([] if shape.rank is None else [size or 0 for size in shape.as_list()], array.dtype)


def _array(array, value):
    filled = tf.TensorArray(array.dtype, size=1, element_shape=array.element_shape, infer_shape=False)
    return filled.write(0, value)
