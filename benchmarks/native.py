"""Run in TensorFlow 1.15: its own tf.keras builds, trains and saves each model, by TensorFlow's documented recipe.

    native.py FOLDER [MODEL...]

writes FOLDER/MODEL/native.{meta,index,data-...} and native.json, the names of its tensors.
"""

import json
import os
import sys

import tensorflow as tf

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import models

tf.compat.v1.logging.set_verbosity("ERROR")


def main(folder, *names):
    for name in names or models.ALL:
        tf.keras.backend.clear_session()
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        export(name, os.path.join(folder, name, "native"))


def export(name, prefix):
    model = models.compiled(tf.keras, name)
    x, y = models.batch(name)
    model.train_on_batch(x, y)
    model.predict_on_batch(x)
    model.test_on_batch(x, y)
    metric_updates = [update for metric in model.metrics for update in metric.updates]
    for update in model.updates + metric_updates:
        tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.UPDATE_OPS, update)
    for variable in [variable for metric in model.metrics for variable in metric.variables]:
        tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.LOCAL_VARIABLES, variable)
    tf.compat.v1.train.Saver().save(tf.keras.backend.get_session(), prefix, write_state=False)
    with open(prefix + ".json", "w") as file:
        json.dump(_tensors(model, metric_updates), file)


def _tensors(model, metric_updates):
    endpoint = model._training_endpoints[0]
    return {
        "inputs": model.inputs[0].name,
        "target": endpoint.training_target.target.name,
        "predictions": model.outputs[0].name,
        "loss": model.total_loss.name,
        "metrics": [metric._call_result.name for metric in model.metrics],
        "updates": [update.name for update in model.updates + metric_updates],
        # What `train_on_batch` runs: Keras 3's train step updates the metrics, too.
        "train": [tensor.name for tensor in model.train_function.outputs] + [model.train_function.updates_op.name],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
