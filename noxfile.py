"""The tests beside every TensorFlow that the README names, each in an environment of its own, made once in `.nox`.

    scripts/matrix                        all of them
    scripts/matrix -s tests-2.10          one
    scripts/matrix -- -k callback         arguments for pytest
    scripts/matrix -s libraries           models of other libraries, which are not among "all of them"

A test has marks for what it needs of TensorFlow and Keras (`tests/helpers/needs.py`). `tests/conftest.py` deselects it
where an environment does not have that.
"""

import sys
from pathlib import Path

import nox

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE / "scripts"))
from find_reader import find_python  # noqa: E402

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
nox.options.sessions = []

# name -> Python, what is installed: with the Keras that came with the TensorFlow, and tf_keras where there is one.
MATRIX = {
    "1.15": ("3.7", ["tensorflow==1.15.5", "protobuf<3.21", "numpy<1.19"]),
    "2.4": ("3.8", ["tensorflow-cpu==2.4.4", "protobuf<3.21"]),
    "2.10": ("3.9", ["tensorflow-cpu==2.10.1", "numpy<2"]),
    "2.15": ("3.11", ["tensorflow-cpu==2.15.1"]),
    "2.16": ("3.12", ["tensorflow-cpu==2.16.2", "keras==3.0.5"]),  # tf_keras 2.16 makes no layer in Python 3.12
    "newest": ("3.13", ["tensorflow", "tf_keras"]),
}

# Of what the package can do with more than TensorFlow.
EXTRAS = ["Jinja2>=3", "scikit-learn"]
NEWEST_EXTRAS = ["click>=8", "rich>=12", "fsspec", "s3fs", "moto[server]>=5", "selenium>=4.10"]

# What older frameworks say of themselves; warnings of other kinds are errors.
QUIET = [f"-Wignore::{kind}" for kind in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")]
QUIET += ["-Wignore::ImportWarning"]


def _add(tensorflow, python, requirements):
    nox.options.sessions.append(f"tests-{tensorflow}")

    @nox.session(name=f"tests-{tensorflow}", python=find_python(python) or f"python{python}", venv_backend="venv")
    def tests(session):
        extras = [*EXTRAS, *(NEWEST_EXTRAS if tensorflow == "newest" else [])]
        session.install(*requirements, "wrapt>=1.11", "pytest>=7", "pytest-xdist>=3", *extras)
        session.install("--no-deps", "--editable", ".")
        quiet = QUIET if tensorflow != "newest" else []
        arguments = ["-n", "2", "--dist", "loadfile", "--matrix", "-m", "not slow", *quiet, *session.posargs]
        session.run("python", "-m", "pytest", *arguments, env={"TF_CPP_MIN_LOG_LEVEL": "3"})

    tests.__doc__ = f"The tests that make sense beside TensorFlow {tensorflow}, on Python {python}."


for _name, (_python, _requirements) in MATRIX.items():
    _add(_name, _python, _requirements)


@nox.session(python=False)
def libraries(session):
    """Models of transformers, keras_hub and others, each library in an environment of its own in `.cache/libraries`."""
    session.run("scripts/libraries", *session.posargs, external=True)
