"""What an export of one input and one output predicts in a session of TensorFlow 1.15."""

import os

import numpy as np

_PROGRAM = """
    import sys, numpy as np, tensorflow as tf
    prefix, fed_by, kept_in = sys.argv[1:]
    v1 = tf.compat.v1
    session = v1.Session()
    v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
    serving = v1.MetaGraphDef.FromString(open(prefix + ".meta", "rb").read()).signature_def["serving_default"]
    (fed,), (out,) = serving.inputs.values(), serving.outputs.values()
    np.save(kept_in, session.run(out.name, {fed.name: np.load(fed_by)}))
"""


def predictions(reader, prefix, x):
    """The predictions of the export `prefix` for `x`, fed as one batch."""
    fed_by, kept_in = [os.path.join(os.path.dirname(prefix), name) for name in ("fed.npy", "predicted.npy")]
    np.save(fed_by, x)
    reader.run(_PROGRAM, prefix, fed_by, kept_in)
    return np.load(kept_in)
