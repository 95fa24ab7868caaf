"""Numbers, shapes and names of collections in words."""

import os

from keras_gensynth_callback._util import shape_of, size_of

# What each collection is for (tf.GraphKeys).
PURPOSES = {
    "cond_context": "conditionals, which tf.gradients needs",
    "while_context": "loops, which tf.gradients needs",
    "global_step": "how many steps the optimizer made",
    "local_variables": "what tf.local_variables_initializer() resets",
    "losses": "the terms of tf.losses.get_total_loss(), but for regularization",
    "metric_variables": "what metrics accumulate in",
    "model_variables": "the model with its statistics",
    "regularization_losses": "the regularization in tf.losses.get_total_loss()",
    "savers": "what import_meta_graph returns",
    "table_initializer": "what fills lookup tables, once a session",
    "train_op": "the model's own train step",
    "trainable_variables": "what an optimizer trains",
    "update_ops": "to be run with each step: batch statistics, random states, metrics",
    "variables": "all that is saved",
}


def number(value):
    """`1,234`, or a dash where there is none."""
    return "–" if value is None else f"{value:,}"


def short(value):
    """A large number in three digits: `7.76 G`."""
    if value is None:
        return "–"
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:,}"


def seconds(value):
    """`0.042 s`, or a dash."""
    return "–" if value is None else f"{value:.3f} s"


def shape(value):
    """`? × 28 × 28`, or a dash where not even the rank is known."""
    return "–" if value is None else shape_of(value, " × ")


def counts(ops):
    """`2 Mul, FusedBatchNormV3` of {op: how many}."""
    return ", ".join(op if count == 1 else f"{count} {op}" for op, count in sorted(ops.items()))


def share(value, largest):
    """What part of a bar is filled, in percent."""
    return round(100 * (value or 0) / largest, 2) if largest else 0


FILTERS = {
    "base": os.path.basename,
    "counts": counts,
    "number": number,
    "seconds": seconds,
    "shape": shape,
    "short": short,
    "share": share,
    "size": size_of,
}
