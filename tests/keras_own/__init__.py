"""Keras's own tests as a source of configurations: the layers, losses, metrics and optimizers that they make.

`recording` runs the test modules that the wheel of Keras 3 brings along and notes what they make; `configurations` is
what is noted; `cases` puts each configuration into a small model; the harness of `breadth` exports it, replays it in
TensorFlow 1.15 and compares; `outcomes` names what came out, and `page` writes it into docs/COVERAGE.md.
"""

KINDS = ("layers", "losses", "metrics", "optimizers")
# Test modules that are left out, with the reason.
LEFT_OUT = {"layers/layer_test.py": "is about layers of its own"}
