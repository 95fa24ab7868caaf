"""Arguments that functions take: ways to call, tried one after the other until one gives tensors."""

import inspect
import re

import numpy as np
import tensorflow as tf

BATCH = 4
SHAPE = (4, 4)

# No functions of tensors: those that make or restore state, run Python, or only say something about a tensor.
LEFT_OUT = re.compile(
    "(random|shuffle|save|load|print|custom_gradient|recompute_grad|while_loop|cond$|scan|map_fn|fori|associative|"
    "vectorized|[Aa]ssert|debugging|numpy_function|py_function|[Vv]ariable|convert_to_numpy|add_check|get_|set_|is_|"
    "shape|device|placeholder|unstack$|init_scope|name_scope|no_op|no_gradient|function$|gradients|hessians|group|"
    "register|make_|control_dependencies|executing|inside|timestamp|load_|dtype|ndim|while|switch$|case$)"
)


def _constant(*shape):
    return tf.constant(np.random.RandomState(1).uniform(0.15, 0.85, shape).astype("float32"))


def _whole(x, factor=10):
    return tf.cast(x * factor, tf.int32)


def _positive_definite(x):
    return tf.matmul(x, x, transpose_b=True) + 4 * tf.eye(4)


def _image(x):
    return tf.stack([x, x / 2, 1 - x], 3)


def _text(x):
    return tf.strings.as_string(_whole(x))


_IDS = tf.constant([0, 1, 1, 2])
# For a function and a float tensor of shape (batch, 4, 4) with values in 0 .. 1.
CALLS = {
    "x": lambda op, x: op(x),
    "x, y": lambda op, x: op(x, _constant(*SHAPE)),
    "x, y of a batch": lambda op, x: op(x, tf.sqrt(x) / 2),
    "x, y, z": lambda op, x: op(x, _constant(*SHAPE), _constant(*SHAPE) + 1),
    "x, number": lambda op, x: op(x, 0.3),
    "x, two numbers": lambda op, x: op(x, 0.3, 0.6),
    "x, axis": lambda op, x: op(x, 1),
    "x, axes": lambda op, x: op(x, [1, 2]),
    "x, number, axis": lambda op, x: op(x, 2, axis=1),
    "x, shape": lambda op, x: op(x, (-1, 16)),
    "x, permutation": lambda op, x: op(x, (0, 2, 1)),
    "a list": lambda op, x: op([x, 2 * x]),
    "a list, axis": lambda op, x: op([x, 2 * x], axis=1),
    "a list of rows": lambda op, x: op([x[:, 0], x[:, 1]]),
    "rows": lambda op, x: op(x[:, 0]),
    "rows, rows": lambda op, x: op(x[:, 0], x[:, 1] + 0.1),
    "rows of 3, rows of 3": lambda op, x: op(x[:, 0, :3], x[:, 1, :3]),
    "matrices, vectors": lambda op, x: op(x, x[:, 0]),
    "bools": lambda op, x: op(x > 0.5),
    "bools, bools": lambda op, x: op(x > 0.5, x > 0.3),
    "integers": lambda op, x: op(_whole(x)),
    "integers, integers": lambda op, x: op(_whole(x), _whole(_constant(*SHAPE), 5) + 1),
    "images": lambda op, x: op(_image(x)),
    "images, number": lambda op, x: op(_image(x), 0.2),
    "images, size": lambda op, x: op(_image(x), (6, 5)),
    "images, sizes": lambda op, x: op(_image(x), 3, 3),
    "images, box": lambda op, x: op(_image(x), 1, 1, 2, 3),
    "images, larger box": lambda op, x: op(_image(x), 1, 1, 6, 7),
    "images, whole number": lambda op, x: op(_image(x), 2),
    "images, images": lambda op, x: op(_image(x), tf.sqrt(_image(x))),
    "images, images, number": lambda op, x: op(_image(x), tf.sqrt(_image(x)), 1.0),
    "images, images, number, window": lambda op, x: op(_image(x), tf.sqrt(_image(x)), 1.0, 3),
    "images, kernel": lambda op, x: op(_image(x), _constant(2, 2, 3, 3), 1, "SAME"),
    "images, pool": lambda op, x: op(_image(x), 2, 2, "SAME"),
    "images, pool of a kind": lambda op, x: op(_image(x), [2, 2], "MAX", padding="SAME"),
    "sequences, kernel": lambda op, x: op(x, _constant(2, 4, 3), 1, "SAME"),
    "complex": lambda op, x: op(tf.complex(x, 0.5 * x)),
    "positive definite": lambda op, x: op(_positive_definite(x)),
    "positive definite, y": lambda op, x: op(_positive_definite(x), x),
    "triangular, y": lambda op, x: op(tf.linalg.band_part(_positive_definite(x), -1, 0), x),
    "diagonals, y": lambda op, x: op(x[:, :3] + 1, x[:, 0]),
    "one matrix": lambda op, x: op(_positive_definite(x[0])),
    "numbers, segments": lambda op, x: op(x[0], _IDS),
    "numbers, segments, count": lambda op, x: op(x[0], _IDS, 3),
    "x, indices": lambda op, x: op(x, tf.constant([[0, 1], [2, 3]])),
    "x, indices, axis": lambda op, x: op(x, tf.constant([0, 2]), axis=1),
    "condition, x, y": lambda op, x: op(x > 0.5, x, _constant(*SHAPE)),
    "classes, count": lambda op, x: op(_whole(x[:, :, 0], 4), 4),
    "classes, scores": lambda op, x: op(_whole(x[:, 0, 0], 4), x[:, 1]),
    "scores, classes": lambda op, x: op(x[:, 1], _whole(x[:, 0, 0], 4)),
    "scores, classes, number": lambda op, x: op(x[:, 1], tf.cast(_whole(x[:, 0, 0], 4), tf.int64), 2),
    "labels=, logits=": lambda op, x: op(labels=x[:, 1], logits=x[:, 0]),
    "labels= whole, logits=": lambda op, x: op(labels=_whole(x[:, 0, 0], 4), logits=x[:, 1]),
    "words": lambda op, x: op(_text(x)),
    "words, number": lambda op, x: op(_text(x), 7),
    "words, two numbers": lambda op, x: op(_text(x), 0, 1),
    "words, pattern": lambda op, x: op(_text(x), ".*1"),
    "words, pattern, word": lambda op, x: op(_text(x), "1", "2"),
    "lists of words": lambda op, x: op([_text(x), _text(x)]),
    "equation, x, y": lambda op, x: op("ij,bjk->bik", _constant(*SHAPE), x),
    "number, x": lambda op, x: op(2, x),
    "coefficients, x": lambda op, x: op([x, 2 * x, x * x], x),
    "signals": lambda op, x: op(tf.reshape(x, [-1, 16]), 8, 4),
    "frames": lambda op, x: op(x, 2),
    "spectra": lambda op, x: op(tf.signal.stft(tf.reshape(x, [-1, 16]), 8, 4), 8, 4),
    "table, ids": lambda op, x: op(x[0], _whole(x[:, 0], 4)),
    "x, mean, variance, offset, scale, epsilon": lambda op, x: op(x, x[0, 0], x[0, 1] + 1, x[0, 2], x[0, 3], 1e-3),
    "x, paddings": lambda op, x: op(x, [[0, 0], [1, 1], [0, 2]]),
    "x, begin, size": lambda op, x: op(x, [0, 1, 1], [-1, 2, 2]),
    "x, type": lambda op, x: op(x, "float64"),
}


def functions(module):
    """dict, name -> function, of the public functions of a module that may be functions of tensors."""
    found = {name: getattr(module, name) for name in sorted(dir(module)) if not name.startswith("_")}
    return {
        name: function
        for name, function in found.items()
        if callable(function) and not inspect.isclass(function) and not LEFT_OUT.match(name)
    }


def way_to_call(function):
    """The first of `CALLS` with which a function gives finite tensors, for any batch; None if there is none."""
    x = _constant(BATCH, *SHAPE)
    for title, call in CALLS.items():
        try:
            result = numbers(call(function, x))
            if result is None or not np.isfinite(result.numpy()).all():
                continue
            signature = tf.TensorSpec((None, *SHAPE))
            tf.function(lambda x, call=call: numbers(call(function, x))).get_concrete_function(signature)
            return title
        except Exception:  # whatever a function says of arguments that are not for it
            continue
    return None


def numbers(results):
    """A vector of float32 of all tensors that a function gives; None where there are none."""
    tensors = [tensor for tensor in tf.nest.flatten(results) if isinstance(tensor, tf.Tensor)]
    if not tensors or any(tensor.dtype in (tf.resource, tf.variant) for tensor in tensors):
        return None
    vector = tf.concat([tf.reshape(_floating(tensor), [-1]) for tensor in tensors], 0)
    return None if vector.shape[0] == 0 else vector


def _floating(tensor):
    if tensor.dtype == tf.string:
        return tf.cast(tf.strings.to_hash_bucket_fast(tensor, 100), tf.float32)
    if tensor.dtype.is_complex:
        return tf.cast(tf.stack([tf.math.real(tensor), tf.math.imag(tensor)]), tf.float32)
    return tf.cast(tensor, tf.float32)
