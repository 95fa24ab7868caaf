"""A program of its own: what an export says of a batch in a session of TensorFlow 1.x, without Keras.

    python -I numbers_program.py PREFIX DATA.npz OUT.npz

`DATA.npz` holds arrays under the names of the signatures' inputs. `OUT.npz` gets what is there of
`predictions/<output>`, `predictions in training/<output>`, `metrics/<name>` after one batch, and, for each trainable
variable, how far one step of `train_op` moves it (`trained/<name>`).
"""

import sys
from typing import Any, Dict


def main(prefix: str, data: str, out: str) -> None:
    for name in ("tf_keras", "keras"):
        sys.modules[name] = None  # type: ignore[assignment]  # Python's word for: cannot be imported
    import numpy as np
    import tensorflow as tf

    v1 = tf.compat.v1
    given, found, meta = dict(np.load(data)), {}, v1.MetaGraphDef()
    with open(prefix + ".meta", "rb") as file:
        meta.ParseFromString(file.read())
    with v1.Graph().as_default() as graph, v1.Session() as session:
        saver = v1.train.import_meta_graph(meta)
        session.run(v1.tables_initializer())

        def feeds(key: str, training: bool = False) -> Dict[str, Any]:
            saver.restore(session, prefix)
            session.run(v1.local_variables_initializer())
            inputs = meta.signature_def[key].inputs
            fed = {inputs[name].name: given[name] for name in inputs if name in given}
            return dict(fed, **({inputs["keras_learning_phase"].name: True} if training else {}))

        def predict(key: str, title: str, training: bool = False) -> None:
            outputs = {
                name.split("/", 1)[-1] if key != "serving_default" else name: info.name
                for name, info in meta.signature_def[key].outputs.items()
                if key == "serving_default" or name.startswith("predictions")
            }
            for name, value in session.run(outputs, feeds(key, training)).items():
                found["%s/%s" % (title, name)] = value

        predict("serving_default", "predictions")
        if "train" in meta.signature_def:
            predict("train", "predictions in training", True)
            outputs = meta.signature_def["eval"].outputs if "eval" in meta.signature_def else {}
            updates = [outputs[name].name for name in outputs if name.endswith("/update_op")]
            values = {name[8:-6]: outputs[name].name for name in outputs if name.endswith("/value")}
            session.run(updates, feeds("eval") if updates else None)
            found.update({"metrics/" + name: value for name, value in session.run(values).items()})
        variables = {variable.op.name: variable for variable in graph.get_collection("trainable_variables")}
        steps = graph.get_collection("train_op")
        if steps:
            fed = feeds("train", True)
            before = session.run(variables)
            session.run(steps, fed)
            after = session.run(variables)
            found.update({"trained/" + name: after[name] - before[name] for name in variables})
    # Texts are no numbers, and would be pickled.
    np.savez(out, **{name: value for name, value in found.items() if np.asarray(value).dtype.kind != "O"})


if __name__ == "__main__":
    main(*sys.argv[1:])
