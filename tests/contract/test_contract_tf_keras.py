"""The contract, with tf_keras, or the tf.keras of TensorFlow up to 2.15."""

from contract import *  # noqa: F403
from kerases import KERASES
from needs import needs

pytestmark = needs(keras2=True)

KERAS = KERASES[-1]
