"""Trains models of `carried_models` in Keras's graph mode, exports them and notes what Keras says of them.

    graph_mode_program.py REPOSITORY MODE FOLDER MODEL...

MODE: "1.x" in a TensorFlow 1.x, or what turns eager execution off in TensorFlow 2: `disable_eager_execution`,
`disable_v2_behavior`. Graph mode is global to a process, so this runs in one of its own. FOLDER gets a folder for each
model, as `replay_in_tf1.py` reads it, with `keras.npz` and `case.json`.
"""

import json
import os
import sys
import traceback

REPOSITORY, MODE, FOLDER = sys.argv[1:4]
sys.path[:0] = [REPOSITORY, os.path.join(REPOSITORY, "tests")]
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")
if MODE != "1.x":
    getattr(tf.compat.v1, MODE)()
try:
    import tf_keras as keras
except ImportError:
    keras = tf.keras

import carried_models  # noqa: E402

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint  # noqa: E402

K = sys.modules[keras.Model.__module__.rsplit(".engine.", 1)[0] + ".backend"]
if hasattr(keras.optimizers, "legacy"):
    # Graph mode trains with the optimizers of tf.keras up to TensorFlow 2.10 alone.
    for _name in ("Adam", "RMSprop", "SGD"):
        setattr(keras.optimizers, _name, getattr(keras.optimizers.legacy, _name))


def main(name):
    K.clear_session()
    np.random.seed(1)
    tf.compat.v1.set_random_seed(1)
    case = getattr(carried_models, name)(keras)
    model, x, y = case["model"], case["x"], case["y"]
    folder = os.path.join(FOLDER, name)
    os.makedirs(folder)
    prefix = os.path.join(folder, "net")
    if y is None:
        export_checkpoint(model, prefix)
    else:
        export = GenSynthExportCallback(prefix, save_freq="train_end")
        model.fit(x, y, batch_size=16, verbose=0, callbacks=[export], **case.get("fit", {}))
    facts = {
        "y": y is not None,
        "random": case.get("random", False),
        "trainable": [v.shape.as_list() for v in model.trainable_variables],
        "metric_variables": sum(len(metric.variables) for metric in metrics_of(model)),
        "operations added": operations_added_by_an_export(model, os.path.join(folder, "again")),
        "graph collections": {
            key: [getattr(item, "name", str(item)) for item in tf.compat.v1.get_collection(key)]
            for key in tf.compat.v1.get_default_graph().get_all_collection_keys()
        },
    }
    np.savez(os.path.join(folder, "keras.npz"), **recorded(case))
    write_feeds(folder, case)
    with open(os.path.join(folder, "case.json"), "w") as file:
        json.dump(facts, file)


def metrics_of(model):
    """The metrics that `fit` reports: those of several outputs' losses are beside `model.metrics` in TF 1.15."""
    metrics = [*(getattr(model, "_output_loss_metrics", None) or ()), *model.metrics]
    return list({id(metric): metric for metric in metrics}.values())


def operations_added_by_an_export(model, prefix):
    graph = tf.compat.v1.get_default_graph()
    before = len(graph.get_operations())
    export_checkpoint(model, prefix)
    return len(graph.get_operations()) - before


def recorded(case):
    model, x, y, fit = case["model"], case["x"], case["y"], case.get("fit", {})
    batch, weights = case.get("batch", 16), fit.get("sample_weight")
    found = {"predict/%d" % i: a for i, a in enumerate(tf.nest.flatten(model.predict(x, batch_size=batch)))}
    if y is None:
        return found
    results = model.evaluate(x, y, batch_size=batch, sample_weight=weights, verbose=0)
    results = results if isinstance(results, list) else [results]
    for name, value in list(zip(model.metrics_names, results))[1:]:
        found["evaluate/" + name] = np.asarray(value)
    rows = lambda nest: tf.nest.map_structure(lambda array: array[:batch], nest)  # noqa: E731
    first_weights = None if weights is None else weights[:batch]
    found["loss"] = np.atleast_1d(model.test_on_batch(rows(x), rows(y), first_weights))[0]
    found.update(state_after_one_batch(model, rows(x)))
    if not case.get("random"):
        for _ in range(3):
            model.train_on_batch(
                rows(x), rows(y), first_weights, **{k: v for k, v in fit.items() if k == "class_weight"}
            )
        values = K.batch_get_value(list(model.trainable_variables))
        found.update({"trained/%d" % i: value for i, value in enumerate(values)})
    return found


def state_after_one_batch(model, x):
    """The floating states of layers before and after the updates ran that the layers list."""
    metrics = {id(v) for metric in metrics_of(model) for v in metric.variables}
    state = [v for v in model.non_trainable_variables if id(v) not in metrics and v.dtype.is_floating]
    # What a session gives of a variable may share its memory.
    weights, before = list(map(np.array, model.get_weights())), list(map(np.array, K.batch_get_value(state)))
    updates = list(model.get_updates_for(None)) + list(model.get_updates_for(model.inputs))
    feeds = dict(zip(model.inputs, tf.nest.flatten(x)))
    if updates:
        feeds[K.symbolic_learning_phase() if hasattr(K, "symbolic_learning_phase") else K.learning_phase()] = True
        K.get_session().run(updates, feeds)
    after = list(map(np.array, K.batch_get_value(state)))
    model.set_weights(weights)
    found = {"before/%d" % i: value for i, value in enumerate(before)}
    found.update({"after/%d" % i: value for i, value in enumerate(after)})
    return found


def write_feeds(folder, case):
    with open(os.path.join(folder, "net.json")) as file:
        tensors = json.load(file)["tensors"]
    fit, feeds, kinds = case.get("fit", {}), {}, {}
    given = [("x", "inputs", case["x"]), ("y", "targets", case["y"])]
    given.append(("weight", "sample_weights", fit.get("sample_weight")))
    if "class_weight" in fit:
        weights = np.array([fit["class_weight"][int(label)] for label in case["y"]], "float32")
        given.append(("train_weight", "sample_weights", weights))
    for kind, group, values in given:
        if values is not None:
            for name, array in zip(tensors[group].values(), tf.nest.flatten(values)):
                feeds[name], kinds[name] = array, kind
    np.savez(os.path.join(folder, "feeds.npz"), **feeds)
    with open(os.path.join(folder, "options.json"), "w") as file:
        json.dump({"kinds": kinds, "batch": case.get("batch", 16), "outputs": list(tensors["outputs"])}, file)


for model_name in sys.argv[4:]:
    try:
        main(model_name)
    except Exception:
        with open(os.path.join(FOLDER, model_name + ".error"), "w") as file:
            file.write(traceback.format_exc())
