"""What lifting asks of a Keras model, whichever Keras it is of: one interface, and one subclass for each generation."""

import contextlib
import re
from dataclasses import replace
from typing import Optional, Set

import tensorflow as tf

from keras_gensynth_callback.errors import InvalidArgumentError
from keras_gensynth_callback.kerases import of_framework

from .session_graph import LiveGraph
from .snapshots import snapshot
from .v1_engine import layers_of
from .variable import free_name


class Adapter:
    """The interface. Subclasses: `Keras3`, `TfKeras`, `TfKerasV1`.

    Attributes:
        model: the Keras model.
        steps: what has `predict_step`, `test_step`, `train_step` and `compute_loss`: in most Kerases the model.
        live: the LiveGraph of a model that lives in the graph of a session, or None.
        both_phases: bool, whether traces are made for a graph that serves training, too.
        converts_calls: whether this Keras lets AutoGraph convert each `call`, loss and metric.
    """

    converts_calls = True

    def __init__(self, model):
        self.model = self.steps = model
        self.live: Optional[LiveGraph] = None
        self.both_phases = True

    # -- which variables there are

    def variables(self):
        """All variables that the model, its metrics and its optimizer hold, each once, as a list of Variable with
        unique names.
        """
        found, seen = [], set()
        taken: Set[str] = set()
        for variable in self._all_variables():
            if id(variable.value) in seen:
                continue
            seen.add(id(variable.value))
            name = free_name(variable.name, taken)
            taken.add(name.lower())
            found.append(replace(variable, name=name))
        return found

    def _all_variables(self):
        raise NotImplementedError

    def optimizers(self):
        """The model's optimizer, and others that a `train_step` of the user's own may apply."""
        values = [[value] if not isinstance(value, (list, tuple)) else value for value in vars(self.model).values()]
        held = [value for group in values for value in group if hasattr(value, "apply_gradients")]
        found = {id(optimizer): optimizer for optimizer in [getattr(self.model, "optimizer", None), *held]}
        return [optimizer for optimizer in found.values() if optimizer is not None]

    def iterations(self):
        """The iteration counters of the optimizers, tf.Variables."""
        raise NotImplementedError

    # -- shapes and names

    def is_built(self):
        """Whether all weights exist."""
        raise NotImplementedError

    def input_spec(self):
        """A nest of tf.TensorSpec for the model's inputs, batch dimension open, or None where it is not known."""
        raise NotImplementedError

    def output_spec(self):
        """A nest of tf.TensorSpec for the outputs of a Sequential or functional model, or None; as `input_spec`."""
        return None

    def input_names(self):
        """The Keras input names in the order of the flattened inputs, or None for a subclassed model."""
        raise NotImplementedError

    def output_names(self):
        """The Keras output names in the order of the flattened outputs, or None for a subclassed model."""
        raise NotImplementedError

    def losses_by_output(self):
        """The `loss` argument of compile."""
        return getattr(self.model, "loss", None)

    @property
    def is_compiled(self):
        """Whether the model has a train step to carry over."""
        return bool(getattr(self.model, "compiled", getattr(self.model, "_is_compiled", False)))

    def has_own_loss(self):
        """Whether training has something to minimise beside what layers add."""
        compiled = self.losses_by_output()
        is_given = compiled is not None and not (isinstance(compiled, (dict, list, tuple)) and not compiled)
        return is_given or self.overrides("train_step") or self.overrides("compute_loss")

    def overrides(self, method):
        """Whether the user wrote `method` himself."""
        for base in type(self.model).__mro__:
            if method in vars(base):
                return not of_framework(base)
        return False

    def layers(self):
        """The model and all layers in it, at any depth; outer ones first."""
        return layers_of(self.model)

    def read(self, values):
        """The values of variables at this moment, in order: tensors or arrays."""
        return snapshot(values)

    def write(self, values):
        """Gives variables other values: a list of pairs, tf.Variable and ndarray."""
        for variable, value in values:
            variable.assign(value)

    # -- running the model's Python

    def loss_scope(self):
        """A context: the name scope of what `compute_loss` builds."""
        return tf.name_scope("loss")

    def forward_in_training(self, inputs):
        """Calls the model as in training."""
        takes_training = getattr(self.model, "_call_has_training_arg", True)
        return self.model(inputs, training=True) if takes_training else self.model(inputs)

    def loss_of(self, x, y, y_pred, sample_weight):
        """The loss that the model minimises, of what it predicts."""
        return self.model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    def forget_losses(self):
        """Lets layers forget the losses that their last call added, which belong to another graph."""
        for layer in self.layers():
            for name in ("_losses", "_loss_ids", "_eager_losses"):
                if isinstance(vars(layer).get(name), (list, set)):
                    vars(layer)[name].clear()

    def reset_metrics(self):
        """Sets the metrics back."""
        for metric in self.model.metrics:
            reset(metric)

    def initial_values(self):
        """What variables of metrics begin with that no reset writes: dict, id of the variable -> ndarray."""
        return {}

    def build_for_training(self):
        """Creates the optimizer's slots, as the first step of `fit` would."""
        raise NotImplementedError

    def build_metrics(self, spec):
        """Creates the variables of compiled metrics, as the first step of `fit` would, in the scope of a strategy.

        Args:
            spec: DataSpec of a step.
        """
        raise NotImplementedError

    @contextlib.contextmanager
    def tracing(self, scopes):
        """Around a trace: what this Keras does differently in a graph of TF 1.x, and what it remembers is put back.

        Args:
            scopes: dict that is filled with the name scopes of layers' calls, where this Keras reports them: scope in
                the graph -> the layer's name.
        """
        raise NotImplementedError

    def seeds_kept(self):
        """A context that puts back what this Keras keeps of random numbers in Python, beside variables."""
        return contextlib.ExitStack()

    @property
    def layer_scope(self):
        """The name scope of the model itself that TF 1.15 would not have, or ''."""
        return "" if self.is_subclassed() else self.model.name

    def layer_of(self, op):
        """The name of the layer that an op of a trace belongs to: the innermost scope that is named after a layer."""
        names = {layer.name for layer in self.layers()}
        for part in reversed(op.split("/")[:-1]):
            for name in (part, re.sub(r"_\d+$", "", part)):
                if name in names:
                    return name
        return op.rsplit("/", 1)[0]

    def trainable_values(self):
        """The tf.Variables of `model.trainable_variables`, in its order."""
        raise NotImplementedError

    def scopes_of_layers(self, graph, names):
        """dict, name scope of a layer's call in `graph` -> the layer's name, where the Keras does not report it by
        itself.
        """
        scopes = {}
        for node in graph.nodes:
            parts = node.split("/")
            root = re.sub(r"_\d+$", "", parts[0])
            if parts[0] in names or root in names:
                name = parts[0] if parts[0] in names else root
                scopes[parts[0]] = name
        return scopes

    def is_subclassed(self):
        """Whether the model is neither Sequential nor functional."""
        return not any(
            base.__name__ in ("Sequential", "Functional") and of_framework(base) for base in type(self.model).__mro__
        )


def reset(metric):
    """Sets a metric back: before TF 2.5, by `reset_states`."""
    (metric.reset_state if hasattr(metric, "reset_state") else metric.reset_states)()


def input_relaxed(given):
    """The TensorSpec of an input with the batch dimension open.

    Args:
        given: a TypeSpec or KerasTensor, as a Keras keeps it.

    Raises:
        InvalidArgumentError: the input is sparse or ragged.
    """
    for kind in ("sparse", "ragged"):
        if getattr(given, kind, False) or type(given).__name__.lower() == f"{kind}tensorspec":
            raise InvalidArgumentError(
                f"The model has a {kind} input of shape {tuple(given.shape)}; TensorFlow 1.x placeholders are dense "
                f"tensors. Build the model with a dense `Input`, without {kind}=True, and convert its data with "
                f"`{_TO_DENSE[kind]}` in the input pipeline."
            )
    return relaxed(given.shape, given.dtype)


_TO_DENSE = {"sparse": "tf.sparse.to_dense", "ragged": "to_tensor"}


def relaxed(shape, dtype, name=None):
    """A TensorSpec with the batch dimension open."""
    shape = tf.TensorShape(shape)
    return tf.TensorSpec([None] + shape.as_list()[1:] if shape.rank else shape, dtype, name)


@contextlib.contextmanager
def restored_lists(owners, names):
    """Puts back the contents of the lists and sets `names` of each of `owners` after the block."""
    kept = [
        (getattr(owner, name), type(getattr(owner, name))(getattr(owner, name)))
        for owner in owners
        for name in names
        if isinstance(getattr(owner, name, None), (list, set))
    ]
    try:
        yield
    finally:
        for now, before in kept:
            now.clear()
            (now.extend if isinstance(now, list) else now.update)(before)
