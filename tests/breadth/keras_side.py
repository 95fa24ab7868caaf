"""One row on the side of Keras: the model is made, trained for an epoch, exported, and asked for its numbers."""

import gc
import json
import time

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.export.exporter import Exporter
from keras_gensynth_callback.options import Moment

from .models import BATCH

RUNS = 20
# A change of inputs, relative, of the size that rounding has after some layers.
_ROUNDINGS = 1e-6


class StageError(Exception):
    """What was tried did not work: `stage` is "recipe" or "numbers" (Keras itself), or "export"; the cause is the real
    error.
    """

    def __init__(self, stage):
        super().__init__(stage)
        self.stage = stage


def export_and_record(keras, make, folder, draws=2):
    """Writes into `folder` the export `net` and what `replay.py` needs; returns what Keras says.

    Args:
        keras: a Keras module.
        make: takes the Keras module and returns a case.
        folder: pathlib.Path, there and empty.
        draws: int, how many runs in training have to agree before they are taken not to be random.

    Returns:
        dict, name -> array; dict of facts: `random`, `random_inference`, `seconds`; and a function that gives more of
        the numbers, how far those of a deep model move with roundings: costly.
    """
    keras.backend.clear_session()
    if keras.__name__ != "keras":  # whose clear_session does it, too
        gc.collect()  # a model is part of cycles, and a large one not to be kept until there are many
    keras.utils.set_random_seed(1)
    times = [time.perf_counter()]
    try:
        case = make(keras)
        model, x, y, batch = case["model"], case["x"], case["y"], case.get("batch", BATCH)
        # Keras's own numbers come faster without tracing functions, and making pipelines, that run a few times.
        model.run_eagerly = case.get("eager", True)
        for rows_x, rows_y in _batches(x, y, batch):
            model.train_on_batch(rows_x, rows_y)
    except Exception as error:
        raise StageError("recipe") from error
    times.append(time.perf_counter())
    try:
        exporter = Exporter(model, case.get("options"))
        exporter.prepare(tf.nest.map_structure(_spec, (x, y)))
        exporter.export(folder / "net")
    except Exception as error:
        _evaluate_once(model, next(_batches(x, y, batch)))
        raise StageError("export") from error
    times.append(time.perf_counter())
    try:
        numbers, facts, sensitivity = _numbers(model, x, y, batch, draws, case.get("rounding"))
    except Exception as error:
        raise StageError("numbers") from error
    times.append(time.perf_counter())
    facts["inference alone"] = not exporter.options.is_trainable
    facts["seconds"] = dict(zip(("keras", "export", "numbers"), np.diff(times).round(3).tolist()))
    _write_feeds(folder, exporter.manifest(Moment()), x, y, batch, facts)
    return numbers, facts, sensitivity if case.get("sensitive") or case.get("rounding") else dict


def _evaluate_once(model, data):
    try:
        model.test_on_batch(*data)
    except Exception as error:
        raise StageError("recipe") from error


def _spec(array):
    dtype = tf.string if array.dtype.kind in "US" else array.dtype
    return tf.TensorSpec((None, *array.shape[1:]), dtype)


def _write_feeds(folder, manifest, x, y, batch, facts):
    tensors, feeds, kinds = manifest["tensors"], {}, {}
    for kind, names, values in (("x", tensors["inputs"], x), ("y", tensors["targets"], y)):
        for name, array in zip(names.values(), tf.nest.flatten(values)):
            feeds[name], kinds[name] = array, kind
    np.savez(folder / "feeds.npz", **feeds)
    runs = RUNS if facts["random"] else 0
    options = {"kinds": kinds, "batch": batch, "outputs": list(tensors["outputs"]), "runs": runs}
    (folder / "options.json").write_text(json.dumps(options))


def _numbers(model, x, y, batch, draws, rounding):
    numbers = _predicted_and_evaluated(model, list(_batches(x, y, batch)))
    first_x, first_y = next(_batches(x, y, batch))
    few = tf.nest.map_structure(tf.convert_to_tensor, (first_x, first_y))
    calm, again = (_outputs(model, few[0], False) for _ in range(2))
    facts = {"random_inference": not _same(calm, again)}
    facts["random"] = _record_phases(model, few, numbers, draws)
    if facts["random"]:
        numbers["random/inference"] = calm[0]
        # As one function: augmentations of many small steps are slow in eager mode.
        fed = [_fed(model, few[0])]
        draw = tf.function(lambda x: tf.nest.flatten(model(x, training=True))[0], fed, autograph=False)
        numbers["random/training"] = np.stack([np.array(draw(few[0])) for _ in range(RUNS)])
    before = _held(model)
    trained = _trained(model, first_x, first_y)
    if not facts["random"]:
        numbers.update(trained)
    facts["finite"] = all(np.isfinite(n).all() for n in (*_of_kind(numbers, "gradient").values(), *trained.values()))
    examine = _movements if rounding else _sensitivity
    return numbers, facts, lambda: examine(model, x, y, batch, numbers, before, facts["random"], rounding)


def _fed(model, x):
    """The specs of what a model is fed with, and layers see while they are traced: as in `fit`, batches of any size."""
    varies = all(tensor.shape[0] is None for tensor in tf.nest.flatten(getattr(model, "inputs", None) or []))
    size = None if varies else BATCH
    return tf.nest.map_structure(lambda array: tf.TensorSpec([size, *array.shape[1:]], array.dtype), x)


def _held(model):
    """What a step changes: (variable, value) for each of states, weights and what the optimizer keeps."""
    kept = model.optimizer.variables
    kept = kept() if callable(kept) else kept
    return [(v, _array(v)) for v in (*_state(model), *model.trainable_variables, *kept)]


def _put(held):
    for variable, value in held:
        variable.assign(value)


def _trained(model, x, y):
    """The weights after three steps."""
    for _ in range(3):
        model.train_on_batch(x, y)
    return {f"trained/{i}": _array(v) for i, v in enumerate(model.trainable_variables)}


def _shaken(x):
    """Inputs that differ from `x` by a few roundings, three times."""
    draw = np.random.RandomState(0)
    for _ in range(3):
        yield tf.nest.map_structure(lambda a: a * (1 + _ROUNDINGS * draw.choice([-1.0, 1.0], a.shape)), x)


def _predicted_and_evaluated(model, batches):
    """What `predict` and `evaluate` give, batch by batch."""
    parts = [tf.nest.flatten(model.predict_on_batch(x)) for x, _ in batches]
    numbers = _named("predict", [np.concatenate(outputs) for outputs in zip(*parts)])
    model.reset_metrics()
    for x, y in batches:
        logs = model.test_step((*tf.nest.map_structure(tf.convert_to_tensor, (x, y)), None))
    numbers.update({f"evaluate/{name}": np.asarray(value) for name, value in logs.items()})
    return numbers


def _record_phases(model, data, numbers, draws):
    """Adds gradients, training outputs and state updates; returns whether training is random."""
    numbers.update(_gradients(model, data, False, "gradient/inference"))
    state = _state(model)
    numbers.update(_named("before", [_array(v) for v in state]))
    # Some layers write to their trainable weights, too.
    before = _held(model)
    first = _outputs(model, data[0], True)
    numbers.update(_named("after", [_array(v) for v in state]))
    _put(before)
    for _ in range(draws - 1):
        other = _outputs(model, data[0], True)
        _put(before)
        if not _same(first, other):
            return True
    numbers.update(_named("training", first))
    numbers.update(_gradients(model, data, True, "gradient/training"))
    _put(before)
    return False


def _sensitivity(model, x, y, batch, numbers, before, random, _):
    """How far Keras's own numbers move when the inputs move by a few roundings.

    In a deep model with batch normalisation a value beside the kink of a ReLU may fall on its other side then, and
    whole gradients with it: more than that cannot be asked of another program.
    """
    moves = [_moves(model, list(_batches(shaken, y, batch)), numbers, before, random) for shaken in _shaken(x)]
    _put(before)
    return {f"sensitivity/{kind}": np.asarray(max(move[kind] for move in moves)) for kind in moves[0]}


def _movements(model, x, y, batch, numbers, before, random, rounding):
    """How far Keras's own numbers move when each weight moves by one rounding error."""
    batches = list(_batches(x, y, batch))
    moves = [_moves(model, batches, numbers, _moved_weights(model, before, rounding, seed), random) for seed in (5, 6)]
    _put(before)
    return {f"movement/{kind}": np.asarray(max(move[kind] for move in moves)) for kind in moves[0]}


def _moved_weights(model, held, rounding, seed):
    draw, weights = np.random.RandomState(seed), {id(v) for v in model.trainable_variables}
    moved = [v * (1 + rounding * draw.choice([-1.0, 1.0], np.shape(v))).astype(v.dtype) for _, v in held]
    return [(v, other if id(v) in weights else value) for (v, value), other in zip(held, moved)]


def _moves(model, batches, numbers, before, random):
    few = tf.nest.map_structure(tf.convert_to_tensor, batches[0])
    _put(before)
    calm = _predicted_and_evaluated(model, batches)
    found = {kind: _moved(numbers, _of_kind(calm, kind)) for kind in ("predict", "evaluate")}
    gradients = _gradients(model, few, False, "gradient/inference")
    found["gradient/inference"] = _moved(numbers, gradients, together=True)
    if random:
        return found
    found["training"] = _moved(numbers, _named("training", _outputs(model, few[0], True)))
    found["after"] = _moved(numbers, _named("after", [_array(v) for v in _state(model)]))
    _put(before)
    found["gradient/training"] = _moved(numbers, _gradients(model, few, True, "gradient/training"), together=True)
    _put(before)
    found["trained"] = _moved(numbers, _trained(model, *batches[0]))
    return found


def _of_kind(numbers, kind):
    return {name: value for name, value in numbers.items() if name.startswith(f"{kind}/")}


def _moved(numbers, others, together=False):
    """The largest difference, relative to the largest value of each array, or of them all together."""
    largest = {name: np.abs(numbers[name]).max(initial=1e-6) for name in others}
    if together:
        largest = dict.fromkeys(largest, max(largest.values(), default=1.0))
    return max([np.abs(numbers[name] - other).max(initial=0) / largest[name] for name, other in others.items()] + [0.0])


def _gradients(model, data, training, kind):
    x, y = data
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=training))
    variables = [_variable(v) for v in model.trainable_variables]
    gradients = tape.gradient(loss, variables)
    return {f"{kind}/{i}": np.array(tf.convert_to_tensor(g)) for i, g in enumerate(gradients) if g is not None}


def _state(model):
    """The variables that layers change: floating-point ones; random states and metrics are not among them."""
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    held = [v for v in model.non_trainable_variables if hasattr(v, "value") and id(v) not in metrics]
    return [v for v in held if _array(v).dtype.kind == "f"]  # and tf_keras's vocabularies are no variables


def _outputs(model, x, training):
    # A distribution of tensorflow_probability becomes a tensor, and no array.
    return [np.array(tf.convert_to_tensor(output)) for output in tf.nest.flatten(model(x, training=training))]


def _same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other))


def _named(kind, arrays):
    return {f"{kind}/{i}": np.asarray(array) for i, array in enumerate(tf.nest.flatten(arrays))}


def _batches(x, y, size):
    count = len(tf.nest.flatten(x)[0])
    for start in range(0, count, size):
        yield tf.nest.map_structure(lambda array: array[start : start + size], (x, y))  # noqa: B023 - used at once


def _variable(variable):
    """The tf.Variable behind a variable of either Keras."""
    return variable.value if not callable(variable.value) else variable


def _array(variable):
    return np.array(tf.convert_to_tensor(_variable(variable)))
