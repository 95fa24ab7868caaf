"""What Keras says of a model on JAX or Torch: the numbers that an export must give in TensorFlow 1.15."""

import sys

import keras
import numpy as np
from keras import tree


def recorded(case):
    """dict, name -> array, as `keras_facts.recorded` gives it, and `gradient/0` and so on. The model ends in another
    state than it began.
    """
    model, x, y, fit = case["model"], case["x"], case["y"], case.get("fit", {})
    weights = fit.get("sample_weight")
    give_own_arrays(model)
    facts = {f"predict/{i}": a for i, a in enumerate(tree.flatten(model.predict(x, batch_size=16, verbose=0)))}
    if y is None:
        return facts
    said = model.evaluate(x, y, batch_size=16, sample_weight=weights, verbose=0, return_dict=True)
    facts.update({f"evaluate/{name}": np.asarray(value) for name, value in said.items()})
    facts.update(_state_after_one_batch(model, _rows(x), case.get("random")))
    gradients = gradients_of(model, _rows(x), _rows(y), _rows(weights))
    facts.update({f"gradient/{i}": value for i, value in enumerate(gradients)})
    if not case.get("random"):
        for _ in range(3):
            model.train_on_batch(_rows(x), _rows(y), _rows(weights))
        facts.update({f"trained/{i}": np.array(v) for i, v in enumerate(model.trainable_variables)})
    return facts


def give_own_arrays(model):
    """Gives each weight an array of its own: `fit` on JAX leaves a weight and its average with one, which no step can
    take twice.
    """
    if getattr(getattr(model, "optimizer", None), "use_ema", False):
        for variable in model.trainable_variables:
            variable.assign(np.array(variable))


def gradients_of(model, *batch):
    """The gradients of the loss in inference, one for each trainable variable; None where the loss does not depend on
    it, which JAX does not tell from zeros.
    """
    x, y, weights = (None if part is None else tree.map_structure(keras.ops.convert_to_tensor, part) for part in batch)
    variables = model.trainable_variables

    def loss(values=None):
        mapping = [] if values is None else list(zip(variables, values))
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
            return model.compute_loss(x=x, y=y, y_pred=model(x, training=False), sample_weight=weights)

    if keras.config.backend() == "jax":
        jax = sys.modules["jax"]
        return [np.array(value) for value in jax.jit(jax.grad(loss))([v.value for v in variables])]
    found = model.compute_loss(x=x, y=y, y_pred=model(x, training=False), sample_weight=weights)
    values = sys.modules["torch"].autograd.grad(found, [v.value for v in variables], allow_unused=True)
    return [None if value is None else value.detach().numpy() for value in values]


def _state_after_one_batch(model, x, random):
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    everything = [v for v in model.non_trainable_variables if id(v) not in metrics]
    state = [v for v in everything if np.asarray(v).dtype.kind == "f"]
    kept, before = [np.array(v) for v in everything], [np.array(v) for v in state]
    model(tree.map_structure(keras.ops.convert_to_tensor, x), training=True)
    after = [np.array(v) for v in state]
    for variable, value in zip(everything, kept):
        variable.assign(value)
    facts = {f"still/{i}": v for i, v in enumerate(before)}
    return facts if random else {**facts, **{f"after/{i}": v for i, v in enumerate(after)}}


def _rows(nest):
    return None if nest is None else tree.map_structure(lambda array: array[:16], nest)
