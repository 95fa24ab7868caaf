"""What a step is fed with: structure, shapes and names of inputs, targets and sample weights.

Names are those of tf.keras in TF 1.15: inputs under the Keras input names, `<output>_target`,
`<output>_sample_weights`; a subclassed model has `input_1`, `output_1`, ...
(tensorflow/python/keras/engine/training_utils.py, `ModelInputs`, `generic_output_names`).
"""

from dataclasses import dataclass, field
from typing import Any, FrozenSet, List, Tuple

import tensorflow as tf

from keras_gensynth_callback.errors import InvalidArgumentError, NotBuiltError


@dataclass(frozen=True)
class DataSpec:
    """The data of one step, `(x,)`, `(x, y)` or `(x, y, sample_weight)`, with a name for each tensor.

    Attributes:
        parts: tuple of nests of tf.TensorSpec, as `train_step` gets them; None where an output has no weights.
        input_names, target_names, weight_names: list of str, in the order of `tf.nest.flatten`.
        optional: frozenset of str, the names of weights that need not be fed: ones change nothing.
        is_bare: bool, whether a step gets the inputs without a tuple around them: what Keras makes of `fit(x)`.
    """

    parts: Tuple[Any, ...]
    input_names: List[str]
    target_names: List[str] = field(default_factory=list)
    weight_names: List[str] = field(default_factory=list)
    optional: FrozenSet[str] = frozenset()
    is_bare: bool = False

    def specs(self):
        """All TensorSpecs in order."""
        return [spec for spec in tf.nest.flatten(self.parts) if spec is not None]

    def names(self):
        """The names of all tensors in order."""
        return self.input_names + self.target_names + self.weight_names

    def pack(self, tensors):
        """The data that the step gets for `tensors`, given in order."""
        rest = iter(tensors)
        packed = tf.nest.map_structure(lambda spec: None if spec is None else next(rest), self.parts)
        return packed[0] if self.is_bare else packed

    def inputs_of(self, data):
        """The inputs in what `pack` returned."""
        return data if self.is_bare else data[0]


def inputs_spec(adapter, data_spec=None, input_signature=None):
    """The DataSpec of the inputs alone, from what the user gave, from `fit`'s data, or from the model.

    Raises:
        NotBuiltError: none of the three tells the shapes.
        InvalidArgumentError: `input_signature` is no nest of tf.TensorSpec.
    """
    if input_signature is not None:
        x = _checked_signature(input_signature)
    elif data_spec is not None:
        x = _parts(data_spec)[0]
    else:
        x = adapter.input_spec()
    if x is None or not tf.nest.flatten(x):
        raise NotBuiltError(
            f"The model `{adapter.model.name}` has never been built or called, so the shapes of its inputs are not "
            "known. Call it once on "
            "a batch of data, build it with `model.build(input_shape)`, export during `fit`, or give "
            "`input_signature=tf.TensorSpec([None, ...], tf.float32)`."
        )
    return DataSpec((x,), leaf_names(x, adapter.input_names(), "input"))


def step_spec(adapter, inputs, outputs, output_names, data_spec=None):
    """The DataSpec of a whole step.

    Args:
        adapter: Adapter.
        inputs: the DataSpec of the inputs.
        outputs: nest of tf.TensorSpec, what the model predicts.
        output_names: list of str.
        data_spec: nest of tf.TensorSpec as `fit`'s iterator gives it, or None.
    """
    parts = _parts(data_spec) if data_spec is not None else (None, None, None)
    y, weights = parts[1], parts[2]
    if data_spec is None:
        y = _inferred_targets(adapter, outputs, output_names)
    if y is None:
        is_bare = not isinstance(inputs.parts[0] if data_spec is None else data_spec, (tuple, list))
        return DataSpec(inputs.parts, inputs.input_names, is_bare=is_bare)
    target_names = [name + "_target" for name in leaf_names(y, output_names, "output")]
    if weights is None:
        return DataSpec((inputs.parts[0], y), inputs.input_names, target_names)
    weight_names = [name + "_sample_weights" for name in leaf_names(weights, output_names, "output")]
    parts = (inputs.parts[0], y, weights)
    return DataSpec(parts, inputs.input_names, target_names, weight_names, optional=frozenset(weight_names))


def output_names(adapter, outputs):
    """The names of the flattened outputs: Keras's own, the keys of a dict, or `output_1`, ..."""
    return leaf_names(outputs, adapter.output_names(), "output")


def _parts(data_spec):
    """(x, y, sample_weight) of the element spec of `fit`'s data, batch dimensions open."""
    parts = data_spec if isinstance(data_spec, tuple) else (data_spec,)
    parts = tuple(_relaxed(part) for part in parts) + (None, None)
    return parts[:3]


def _relaxed(part):
    from .adapters import relaxed

    if part is None or isinstance(part, tf.OptionalSpec):
        return None
    if isinstance(part, dict):
        relaxed_parts = {key: _relaxed(value) for key, value in part.items()}
        return {key: value for key, value in relaxed_parts.items() if value is not None} or None
    if isinstance(part, (list, tuple)):
        kept = [_relaxed(value) for value in part]
        return type(part)(kept) if any(value is not None for value in kept) else None
    if not isinstance(part, tf.TensorSpec):
        raise InvalidArgumentError(
            f"The data holds a {type(part).__name__}; TensorFlow 1.x placeholders are dense tensors. Convert it "
            "with `to_dense` or "
            "`to_tensor` in the input pipeline."
        )
    return relaxed(part.shape, part.dtype)


def _checked_signature(signature):
    leaves = tf.nest.flatten(signature)
    if not leaves or not all(isinstance(leaf, tf.TensorSpec) for leaf in leaves):
        raise InvalidArgumentError(
            "`input_signature` should be a tf.TensorSpec, or a list, tuple or dict of them, one for each input. "
            f"Received: {signature!r}"
        )
    return signature


def leaf_names(structure, names, generic):
    """A name for each leaf: a dict's keys, `names` where they fit, else `<generic>_1`, ..."""
    leaves = tf.nest.flatten(structure)
    if isinstance(structure, dict):
        found = []
        for key in sorted(structure):
            inner = tf.nest.flatten(structure[key])
            found += [str(key)] if len(inner) == 1 else [f"{key}_{index + 1}" for index in range(len(inner))]
        return _unique(found)
    if names is not None and len(names) == len(leaves):
        return _unique(names)
    return [f"{generic}_{index + 1}" for index in range(len(leaves))]


def _unique(names):
    found = []
    for name in names:
        candidate, number = name, 0
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return found


def _inferred_targets(adapter, outputs, names):
    """The targets as tf.keras of TF 1.15 infers them from outputs and losses: like the output, or ints without the
    class axis.
    """
    losses = adapter.losses_by_output()
    if not adapter.is_compiled or losses is None:
        return None
    leaves = tf.nest.flatten(outputs)
    if isinstance(losses, dict):
        chosen = [losses.get(name) for name in names]
    elif isinstance(losses, (list, tuple)):
        chosen = list(losses) + [None] * (len(leaves) - len(losses))
    else:
        chosen = [losses] * len(leaves)
    return tf.nest.pack_sequence_as(outputs, [_target_spec(spec, loss) for spec, loss in zip(leaves, chosen)])


# Losses of Keras 3 with labels in a form of their own, behind the batch: a sequence of classes, one class.
_SHAPES_OF_LABELS = {"ctc": [None], "circle": []}


def _target_spec(spec, loss):
    given = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", None)
    if "sparse" in (given or type(loss).__name__).lower():
        return tf.TensorSpec(spec.shape[:-1], tf.int32)
    for name in ((given or "").lower(), type(loss).__name__.lower()):
        if name in _SHAPES_OF_LABELS:
            return tf.TensorSpec([spec.shape[0], *_SHAPES_OF_LABELS[name]], tf.int32)
    return spec
