"""Every public function of `keras.ops` and of TensorFlow's modules for computation, each in a layer of a model.

`calls` finds arguments that a function takes; `trying` puts functions that can be called into small models with a
weight, several to a model, exports and replays them in TensorFlow 1.15, and compares; `__main__`, for
`scripts/functions`, prints what came out and writes docs/FUNCTIONS.md.
"""

MODULES = ("keras.ops", "tf", "tf.math", "tf.nn", "tf.linalg", "tf.image", "tf.signal", "tf.strings", "tf.sparse")
