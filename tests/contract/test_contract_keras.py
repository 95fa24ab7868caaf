"""The contract, with Keras 3."""

from contract import *  # noqa: F403

KERAS = "keras"
