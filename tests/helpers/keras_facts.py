"""What Keras says of a model, in its own process: the numbers that an export must give in TensorFlow 1.15."""

import numpy as np
import tensorflow as tf


def recorded(case):
    """Runs a trained case of `carried_models` and returns dict, name -> array. The model ends in another state than
    it began.
    """
    model, x, y, fit = case["model"], case["x"], case["y"], case.get("fit", {})
    batch, weights = case.get("batch", 16), fit.get("sample_weight")
    facts = {f"predict/{i}": a for i, a in enumerate(tf.nest.flatten(model.predict(x, batch_size=batch, verbose=0)))}
    if y is None:
        return facts
    for name, value in model.evaluate(
        x, y, batch_size=batch, sample_weight=weights, verbose=0, return_dict=True
    ).items():
        facts[f"evaluate/{name}"] = np.asarray(value)
    facts.update(_state_after_one_batch(model, _rows(x, batch), case.get("random")))
    if not case.get("random"):
        for _ in range(3):
            arguments = {"class_weight": fit["class_weight"]} if "class_weight" in fit else {}
            model.train_on_batch(_rows(x, batch), _rows(y, batch), _rows(weights, batch), **arguments)
        facts.update({f"trained/{i}": _array(v) for i, v in enumerate(model.trainable_variables)})
    return facts


def _state_after_one_batch(model, x, random):
    """The floating states of layers before and, unless they are random, after a batch of training."""
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    everything = [v for v in model.non_trainable_variables if id(v) not in metrics and _array(v).dtype.kind in "biufc"]
    state = [v for v in everything if _array(v).dtype.kind == "f"]
    # A layer may change its trainable weights, too.
    everything += model.trainable_variables
    kept, before = [_array(v) for v in everything], [_array(v) for v in state]
    model(tf.nest.map_structure(tf.convert_to_tensor, x), training=True)
    after = [_array(v) for v in state]
    for variable, value in zip(everything, kept):
        variable.assign(value)
    facts = {f"before/{i}": v for i, v in enumerate(before)}
    return facts if random else {**facts, **{f"after/{i}": v for i, v in enumerate(after)}}


def _rows(nest, count):
    return None if nest is None else tf.nest.map_structure(lambda array: array[:count], nest)


def _array(variable):
    return np.array(
        tf.convert_to_tensor(
            getattr(variable, "value", variable) if not callable(getattr(variable, "value", None)) else variable
        )
    )
