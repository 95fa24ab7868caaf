"""A program of its own: reloads an export by TensorFlow alone, and prints what it found, as JSON.

    python -I reload_program.py PREFIX ARRAYS.npz

Runs in every TensorFlow from 1.13 on. Keras is not there for it, and neither is this package. `ARRAYS.npz` holds what
`serving_default` is fed with, under the names of its inputs; with none, nothing is computed.
"""

import hashlib
import json
import sys
from typing import Any


def main(prefix: str, arrays: str) -> None:
    for name in ("tf_keras", "keras"):
        sys.modules[name] = None  # type: ignore[assignment]  # Python's word for: cannot be imported
    import numpy as np
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(prefix + ".meta")
        saver.restore(session, prefix)
        variables = {variable.op.name: variable for variable in v1.global_variables()}
        values = session.run(variables)
        signatures = signatures_of(v1, prefix)
        found = {
            "tensorflow": tf.__version__,
            "variables": {name: digest(np, value) for name, value in values.items()},
            "signatures": sorted(signatures),
            "outputs": {},
        }
        given = dict(np.load(arrays))
        if given:
            serving = signatures["serving_default"]
            unknown = sorted(set(serving.inputs) ^ set(given))
            if unknown:
                sys.exit("The inputs are %s, but got %s." % (sorted(serving.inputs), sorted(given)))
            feeds = {serving.inputs[name].name: value for name, value in given.items()}
            outputs = session.run({name: tensor.name for name, tensor in serving.outputs.items()}, feeds)
            found["outputs"] = {name: np.asarray(value, "float64").tolist() for name, value in outputs.items()}
    print(json.dumps(found))


def signatures_of(v1: Any, prefix: str) -> Any:
    meta_graph = v1.MetaGraphDef()
    with open(prefix + ".meta", "rb") as file:
        meta_graph.ParseFromString(file.read())
    return meta_graph.signature_def


def digest(np: Any, value: Any) -> str:
    value = np.asarray(value)
    content = b"".join(value.ravel()) if value.dtype.kind == "O" else np.ascontiguousarray(value).tobytes()
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
