"""`tf.where` as TF 1.x's own RNNs have it: `Select`, where that chooses the same.

TF 2's `tf.where` is `SelectV2`, which broadcasts. Its gradient finds out at run time what was broadcast, and sums it up
again: a dozen ops for each mask of each step of an RNN, and a stack for each shape. `Select` does not broadcast, but
for one case: a vector chooses whole rows. That is what the mask of an RNN does.
"""

import contextlib

import tensorflow as tf

from keras_gensynth_callback.compat import selects_built_by


@contextlib.contextmanager
def plain_selects():
    """While it is active, `tf.where` in a graph builds `Select` where nothing has to be broadcast."""
    with selects_built_by(_select):
        yield


def _select(wrapped, instance, args, kwargs):
    condition, chosen, other, name = _arguments(*args, **kwargs)
    if tf.executing_eagerly():
        return wrapped(*args, **kwargs)
    chosen, other = _of_one_type(chosen, other)
    condition = tf.convert_to_tensor(condition, tf.bool)
    flags = _unspread(condition)
    if _is_row_mask(flags, chosen, other):
        rows = tf.squeeze(flags, list(range(1, flags.shape.rank)))
        return tf.raw_ops.Select(condition=rows, x=chosen, y=other, name=name)
    if _are_alike(condition, chosen, other):
        return tf.raw_ops.Select(condition=condition, x=chosen, y=other, name=name)
    return wrapped(condition, chosen, other, name=name)


def _arguments(condition, t, e, name=None):
    return condition, t, e, name


def _of_one_type(chosen, other):
    """Both as tensors; a Python number takes the type of the other."""
    if tf.is_tensor(other) or isinstance(other, tf.Variable):
        other = tf.convert_to_tensor(other)
        return tf.convert_to_tensor(chosen, other.dtype), other
    chosen = tf.convert_to_tensor(chosen)
    return chosen, tf.convert_to_tensor(other, chosen.dtype)


def _are_alike(condition, chosen, other):
    return chosen.shape.is_fully_defined() and condition.shape == chosen.shape == other.shape


def _is_row_mask(flags, chosen, other):
    """Whether `flags` are the mask of one step of an RNN, a flag a row, between two tensors of as many rows.

    What lets rows of unknown number be as many is where they stand: what is masked is a state of the loop, which keeps
    its shape.
    """
    if flags.op.type != "TensorArrayReadV3" or not _in_loop(flags) or not flags.shape.rank or not chosen.shape.rank:
        return False
    rows, *others = flags.shape.as_list()
    shape = chosen.shape.as_list()
    return shape == other.shape.as_list() and None not in shape[1:] and set(others) == {1} and rows == shape[0]


def _unspread(tensor):
    """What a mask was before it was repeated, and given axes, behind its rows."""
    while tensor.op.type in ("Tile", "ExpandDims"):
        how = tf.get_static_value(tensor.op.inputs[1])
        rows_stay = how is not None and (how.size > 0 and how.flat[0] == 1 if tensor.op.type == "Tile" else how != 0)
        if not rows_stay or tensor.op.inputs[0].shape.rank is None:
            break
        tensor = tensor.op.inputs[0]
    return tensor


def _in_loop(tensor):
    context = tensor.op._get_control_flow_context()
    return context is not None and context.IsWhileContext()


def zeros_without_a_step(wrapped, instance, args, kwargs):
    """A wrapt wrapper for `backend.rnn` of either Keras, which, where there is a mask, runs the cell once before the
    loop, and keeps zeros that are like what comes out. Here they are zeros of the same shape, and that run of the cell
    is dead: the layer stands once.
    """
    step, inputs, mask, unroll, time_major = _rnn_arguments(*args, **kwargs)
    if mask is None or unroll or tf.executing_eagerly():
        return wrapped(*args, **kwargs)
    sequence, ran = tf.nest.flatten(inputs)[0], False

    def step_function(*arguments):
        nonlocal ran
        outputs, states = step(*arguments)
        if not ran:
            ran = True
            outputs = tf.nest.map_structure(lambda output: _zeros_like(output, sequence, int(time_major)), outputs)
        return outputs, states

    kwargs = {**kwargs, "step_function": step_function} if "step_function" in kwargs else kwargs
    return wrapped(*((step_function, *args[1:]) if args else ()), **kwargs)


def _rnn_arguments(
    step_function,
    inputs,
    initial_states,
    go_backwards=False,
    mask=None,
    constants=None,
    unroll=False,
    input_length=None,
    time_major=False,
    *_,
    **__,
):
    return step_function, inputs, mask, unroll, time_major


def _zeros_like(output, sequence, axis):
    """Zeros of the shape of `output`, whose rows are as many as those of `sequence` along `axis`."""
    if output.shape.rank is None or None in output.shape.as_list()[1:]:
        return output
    known, *others = output.shape.as_list()
    zeros = tf.zeros([known or sequence.shape.as_list()[axis] or tf.shape(sequence)[axis], *others], output.dtype)
    zeros.set_shape(output.shape)
    return zeros
