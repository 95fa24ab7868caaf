"""The coverage suite: every public class of Keras, exported, replayed in TensorFlow 1.15 and compared with Keras.

`catalogue` finds what there is; the recipes (`layers`, `image_layers`, `data_layers`, `losses_and_metrics`, `training`,
`applications`) put each into a small model; `keras_side` trains and exports it and asks Keras; `replay` asks
TensorFlow 1.15; `checks` compares; `results` and `table` write it down.
"""
