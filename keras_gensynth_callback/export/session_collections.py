"""The collections of a session's graph that a Keras model lives in: what TensorFlow 1.x programs look up there, and
Keras does not fill by itself.
"""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any, Dict, Iterable, List

import tensorflow as tf

from keras_gensynth_callback.errors import InvalidArgumentError, NotBuiltError
from keras_gensynth_callback.lift import own_variables, v1_engine

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Model

logger = logging.getLogger("keras_gensynth_callback")

_KEYS = tf.compat.v1.GraphKeys
_added: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()  # model -> {collection: what was added for it}


def init_variable_collections_from_keras(graph: tf.Graph, keras_model: Model) -> Dict[str, List[Any]]:
    """Fills the collections of a session's graph from a Keras model that lives in it.

    For tf.keras in graph mode alone: TensorFlow 1.x, or TensorFlow 2 after `disable_v2_behavior()` or
    `disable_eager_execution()`. Call it once the model is compiled; after each `compile`, and once `fit` has begun,
    call it again. What is there already is not added again; what belonged to an earlier `compile` is taken out. No op
    is added. Training with `GenSynthExportCallback` or `GenSynthModel` does it by itself.

    | collection | what is added |
    |---|---|
    | `variables`, `trainable_variables` | those of the model that TensorFlow does not keep there by itself |
    | `model_variables` | the model's weights |
    | `local_variables`, `metric_variables` | every variable of every metric |
    | `update_ops` | the state updates of layers and the updates of metrics |
    | `losses`, `regularization_losses` | the terms of the loss: `tf.losses.get_total_loss()` is what Keras minimises |

    A line is logged of the update ops that neither `keras_model.updates` nor a metric's `updates` runs, and that a
    program which fills the collections from those misses.

    Args:
        graph: the tf.Graph, `tf.compat.v1.get_default_graph()`.
        keras_model: the model.

    Returns:
        What was added: dict, name of a collection -> list of variables, ops or tensors. Empty where all was there.

    Raises:
        NotBuiltError: the model has no weights yet.
        InvalidArgumentError: the model runs eagerly, is no tf.keras model, or lives in another graph.

    Examples:
        >>> import tensorflow as tf, tf_keras, keras_gensynth_callback as gensynth
        >>> with tf.Graph().as_default() as graph:
        ...     layers = [tf_keras.Input((3,)), tf_keras.layers.BatchNormalization(), tf_keras.layers.Dense(1)]
        ...     model = tf_keras.Sequential(layers)
        ...     model.compile("sgd", "mse", metrics=["mae"])
        ...     added = gensynth.init_variable_collections_from_keras(graph, model)
        >>> sorted((name, len(members)) for name, members in added.items())  # doctest: +NORMALIZE_WHITESPACE
        [('local_variables', 2), ('losses', 1), ('metric_variables', 2), ('model_variables', 6), ('update_ops', 4)]
    """
    _check(graph, keras_model)
    wanted = _wanted(keras_model)
    mine = _added.setdefault(keras_model, {})
    for name, members in mine.items():
        _remove(graph, name, [member for member in members if not _holds(wanted[name], member)])
    found = {}
    for name, members in wanted.items():
        there = graph.get_collection(name)
        found[name] = [member for member in members if not _holds(there, member)]
        for member in found[name]:
            graph.add_to_collection(name, member)
        mine[name] = [member for member in members if _holds(mine.get(name, []) + found[name], member)]
    _report_unlisted(keras_model, found[_KEYS.UPDATE_OPS])
    return {name: members for name, members in found.items() if members}


def fill_if_live(model: Model) -> bool:
    """Fills the collections of the graph that a model lives in. Returns whether it lives in one: eager ones do not."""
    graph = v1_engine.live_graph(model) if v1_engine.is_of_v1_engine(model) else None
    if graph is not None and model.built and not graph.finalized:
        init_variable_collections_from_keras(graph, model)
    return graph is not None


def _wanted(model: Model) -> Dict[str, List[Any]]:
    own = own_variables(model)[0]
    metric_variables = [*(v for metric in v1_engine.metrics_of(model) for v in metric.variables), *own]
    losses, regularization_losses = v1_engine.loss_terms(model)
    return {
        _KEYS.GLOBAL_VARIABLES: list(model.weights),
        _KEYS.TRAINABLE_VARIABLES: list(model.trainable_weights),
        _KEYS.MODEL_VARIABLES: list(model.weights),
        _KEYS.LOCAL_VARIABLES: metric_variables,
        _KEYS.METRIC_VARIABLES: metric_variables,
        _KEYS.UPDATE_OPS: v1_engine.layer_updates(model) + v1_engine.metric_updates(model, own),
        _KEYS.LOSSES: losses,
        _KEYS.REGULARIZATION_LOSSES: regularization_losses,
    }


def _holds(members: Iterable[Any], wanted: Any) -> bool:
    """Whether a collection holds a member; an op stands for its output, too."""
    return any(_identity(member) is _identity(wanted) for member in members)


def _identity(member: Any) -> Any:
    # A variable has an `op`, too: that of its handle.
    return member.op if tf.is_tensor(member) and not isinstance(member, tf.Variable) else member


def _remove(graph: tf.Graph, name: str, stale: List[Any]) -> None:
    kept = graph.get_collection_ref(name)
    kept[:] = [member for member in kept if not any(member is gone for gone in stale)]


def _report_unlisted(model: Model, added: Iterable[Any]) -> None:
    run = {id(op) for listed in v1_engine.listed_updates(model) for op in v1_engine.ancestors(listed)}
    missed = [op.name for op in added if id(op) not in run]
    if missed:
        logger.info(
            "Added to update_ops, but run neither by `updates` of the model %s nor by those of its metrics: %s",
            model.name,
            ", ".join(missed),
        )


def _check(graph: tf.Graph, model: Model) -> None:
    if not isinstance(graph, tf.Graph):
        raise InvalidArgumentError(
            "`graph` should be the tf.Graph that the model lives in, `tf.compat.v1.get_default_graph()`. "
            f"Received: {graph!r} of type {type(graph).__name__}."
        )
    if not v1_engine.is_of_v1_engine(model):
        raise InvalidArgumentError(
            "`keras_model` should be a tf.keras or tf_keras model in graph mode. Received: "
            f"{model!r} of type {type(model).__name__}, which has no graph of its own. "
            "Look at `build_graph(model)` instead, or call `tf.compat.v1.disable_eager_execution()` before the model "
            "is made."
        )
    if not model.built:
        raise NotBuiltError(
            f"The model `{model.name}` has no weights yet, and its metrics no updates. Call it once on a tensor, or "
            "fill the collections once `fit` has begun, as GenSynthExportCallback does."
        )
    home = v1_engine.live_graph(model)
    if home is not graph:
        where = "runs eagerly and lives in no graph" if home is None else f"lives in {home!r}"
        raise InvalidArgumentError(
            f"The model `{model.name}` {where}; received `graph` {graph!r}. Pass the graph that was the default one "
            "when the model was made."
        )
