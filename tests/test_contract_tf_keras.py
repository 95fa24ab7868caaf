"""The contract, with tf_keras."""

from contract import *  # noqa: F403

KERAS = "tf_keras"
