"""Models that a seed puts together from ordinary parts, exported, replayed in TensorFlow 1.15 and compared with Keras.

`scripts/fuzz` runs it. A recipe is plain data (`recipes.py`): lists of blocks and options, each of which can be left
out and leaves a recipe. So a failing one is shrunk by leaving out what its failure does not need (`shrinking.py`).
"""
