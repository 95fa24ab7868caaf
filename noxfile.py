"""The tests beside every TensorFlow that the README names, each in an environment of its own, made once in `.nox`.

    scripts/matrix                        all of them
    scripts/matrix -s "tests(2.10)"       one
    scripts/matrix -- -k callback         arguments for pytest

What is about another Keras than the one that is there is left out (`tests/conftest.py`), and so are the files that
`LEFT_OUT` names.
"""

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent / "scripts"))
from find_reader import find_python, make_reader  # noqa: E402

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

# name -> Python, what is installed: with the Keras that came with the TensorFlow, and tf_keras where there is one.
MATRIX = {
    "1.15": ("3.7", ["tensorflow==1.15.5", "protobuf<3.21", "numpy<1.19"]),
    "2.4": ("3.8", ["tensorflow-cpu==2.4.4", "protobuf<3.21"]),
    "2.10": ("3.9", ["tensorflow-cpu==2.10.1", "numpy<2"]),
    "2.15": ("3.11", ["tensorflow-cpu==2.15.1"]),
    "2.16": ("3.12", ["tensorflow-cpu==2.16.2", "keras==3.0.5", "tf_keras==2.16.0"]),
    "newest": ("3.13", ["tensorflow", "tf_keras"]),
}

# The programs of the extra [tools], and the document on what the newest Kerases have.
LEFT_OUT = {"test_tools", "test_breadth", "test_tutorials"}
