"""Trains models of `carried_models` in Keras's graph mode, exports them and notes what Keras says of them.

    graph_mode_program.py REPOSITORY MODE FOLDER MODEL...

MODE: "1.x" in a TensorFlow 1.x, or what turns eager execution off in TensorFlow 2: `disable_eager_execution`,
`disable_v2_behavior`. Graph mode is global to a process, so this runs in one of its own. FOLDER gets a folder for each
model, as `replay_in_tf1.py` reads it, with `keras.npz` and `case.json`.
"""

import itertools
import json
import os
import sys
import traceback

REPOSITORY, MODE, FOLDER = sys.argv[1:4]
sys.path[:0] = [REPOSITORY, os.path.join(REPOSITORY, "tests", "helpers")]
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
import tf1_models  # noqa: E402

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
    case = (getattr(tf1_models, name, None) or carried_models.BY_NAME[name])(keras)
    model = case["model"]
    folder = os.path.join(FOLDER, name)
    os.makedirs(folder)
    prefix = os.path.join(folder, "net")
    if tf.compat.v1.local_variables():
        # Not for nothing: TensorFlow 2.2 and 2.3 cannot differentiate a loop that a session has seen.
        K.get_session().run(tf.compat.v1.local_variables_initializer())
    train(case, GenSynthExportCallback(prefix, save_freq="train_end"))
    facts = {
        "random": case.get("random", False),
        "trainable": [v.shape.as_list() for v in model.trainable_variables],
        "metric_variables": sum(len(metric.variables) for metric in metrics_of(model)) + case.get("local", 0),
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


def train(case, callback):
    model, x, y, batch = case["model"], case["x"], case["y"], case.get("batch", 16)
    if case.get("generator"):
        batches = ((x[at : at + batch], y[at : at + batch]) for at in itertools.cycle(range(0, len(x), batch)))
        model.fit_generator(batches, steps_per_epoch=-(-len(x) // batch), verbose=0, callbacks=[callback])
    else:
        model.fit(x, y, batch_size=batch, verbose=0, callbacks=[callback], **case.get("fit", {}))


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
    """What Keras says, each time from the state that was exported on."""
    model, x, y, fit = case["model"], case["x"], case["y"], case.get("fit", {})
    batch, weights, exported = case.get("batch", 16), fit.get("sample_weight"), State(model)
    found = {"predict/%d" % i: a for i, a in enumerate(tf.nest.flatten(model.predict(x, batch_size=batch)))}
    exported.restore()
    K.get_session().run(tf.compat.v1.local_variables_initializer())
    results = model.evaluate(x, y, batch_size=batch, sample_weight=weights, verbose=0)
    results = results if isinstance(results, list) else [results]
    found["average loss"] = np.asarray(results[0])
    for name, value in zip(model.metrics_names[1:], results[1:]):
        found["evaluate/" + name] = np.asarray(value)
    exported.restore()
    first = [rows(part, batch) for part in (x, y, weights)]
    if "class_weight" not in fit:
        found["loss"] = np.atleast_1d(model.test_on_batch(*first))[0]
        exported.restore()
    found.update(state_after_one_batch(model, first[0], case.get("random")))
    exported.restore()
    if not case.get("random"):
        for _ in range(3):
            model.train_on_batch(*first, **{k: v for k, v in fit.items() if k == "class_weight"})
        values = K.batch_get_value(list(model.trainable_variables))
        found.update({"trained/%d" % i: value for i, value in enumerate(values)})
    return found


class State:
    """The values of all variables of a model's session as they are now."""

    def __init__(self, model):
        variables = [*tf.compat.v1.global_variables(), *tf.compat.v1.local_variables()]
        self.variables = list({id(variable): variable for variable in variables}.values())
        self.values = values_of(self.variables)

    def restore(self):
        for variable, value in zip(self.variables, self.values):
            variable.load(value, K.get_session())


def values_of(variables):
    # What a session gives of a variable may share its memory.
    return list(map(np.array, K.batch_get_value(variables)))


def rows(nest, count):
    return None if nest is None else tf.nest.map_structure(lambda array: array[:count], nest)


def state_after_one_batch(model, x, random):
    """The floating states of layers before and, unless they are random, after the updates ran that the layers list."""
    metrics = {id(v) for metric in metrics_of(model) for v in metric.variables}
    state = [v for v in model.non_trainable_variables if id(v) not in metrics and v.dtype.is_floating]
    before = values_of(state)
    updates = list(model.get_updates_for(None)) + list(model.get_updates_for(model.inputs))
    feeds = dict(zip(model.inputs, tf.nest.flatten(x)))
    if updates:
        feeds[K.symbolic_learning_phase() if hasattr(K, "symbolic_learning_phase") else K.learning_phase()] = True
        K.get_session().run(updates, feeds)
    found = {"before/%d" % i: value for i, value in enumerate(before)}
    if not random:
        found.update({"after/%d" % i: value for i, value in enumerate(values_of(state))})
    return found


def write_feeds(folder, case):
    with open(os.path.join(folder, "net.json")) as file:
        tensors = json.load(file)["tensors"]
    fit, feeds, kinds = case.get("fit", {}), {}, {}
    given = [("x", "inputs", case["x"]), ("y", "targets", case.get("targets", case["y"]))]
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
