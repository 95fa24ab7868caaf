"""Why a row says no, by Keras, kind and name; and what is of another backend than TensorFlow."""

OTHER_BACKENDS = {"TorchModuleWrapper": "PyTorch"}

_XLA = (
    "Keras runs it through jax2tf as the op XlaCallModule, a compiled program that TensorFlow 1.15 has no op for; "
    "seen with JAX 0.10."
)
_REASONS = {
    ("keras", "layers", "FlaxLayer"): "It is a JaxLayer, and shares its fate; not tried with Flax installed.",
    ("keras", "layers", "JaxLayer"): _XLA,
}
_UNKNOWN = "Not explained yet."


def reason(keras, kind, name):
    """A sentence."""
    return _REASONS.get((keras, kind, name)) or _REASONS.get((None, kind, name)) or _UNKNOWN
