"""Every minor version of TensorFlow as a writer: its Kerases train and export beside it, and TensorFlow 1.15 replays.

`rows` names the versions; `environments` makes a virtual environment for each; `writer` is the program that runs there;
`comparison` replays what it wrote and compares; `table` writes the result into docs/kerases.md.
"""
