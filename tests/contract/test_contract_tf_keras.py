"""The contract, with tf_keras, or the tf.keras of TensorFlow up to 2.15."""

from contract import *  # noqa: F403
from kerases import KERASES

KERAS = KERASES[-1]
