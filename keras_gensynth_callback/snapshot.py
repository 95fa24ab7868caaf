"""The values of variables at one moment, without copying them.

A read of a resource variable shares its buffer. Whatever changes the variable afterwards, in whichever thread, sees
that somebody else holds the buffer and writes into another one. So a snapshot costs time for each variable (about 8
microseconds), whatever its size, and memory only for what changes while it is held. Variables that are updated row by
row, such as embeddings with sparse gradients, are the exception: TensorFlow updates those in place, and copies them
when they are read.

Each variable is read by an op of its own. One `tf.function` that reads 750 takes 1.4 ms where these ops take 6.3 ms,
but needs 0.7 s to be traced, which 140 exports would not bring in.
"""

import tensorflow as tf


def snapshot(variables):
    """The values of tf.Variables, as they are now, whatever happens to the variables later: a list of tensors."""
    return [tf.raw_ops.ReadVariableOp(resource=variable.handle, dtype=variable.dtype) for variable in variables]
