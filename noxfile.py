"""The tests beside every TensorFlow that the README names, each in an environment of its own, made once in `.nox`.

    scripts/matrix                        all of them
    scripts/matrix -s tests-2.10          one
    scripts/matrix -- -k callback         arguments for pytest

What is about another Keras than the one that is there is left out (`tests/conftest.py`); so are the files that
`LEFT_OUT` names, and beside TensorFlow 1.15 all but `IN_TENSORFLOW_1`.
"""

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent / "scripts"))
from find_reader import find_python  # noqa: E402

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

# Of what the package can do with more than TensorFlow.
EXTRAS = ["scikit-learn"]
NEWEST_EXTRAS = ["click>=8", "rich>=12", "fsspec", "s3fs", "moto[server]>=5"]

# Of the programs of the extra [tools], of the documents of the newest Kerases, and of the scripts of the repository.
LEFT_OUT = {"test_tools", "test_breadth", "test_reader", "test_tutorials", "test_typing", "test_docs"}
# The command line, the stores and a disk that fails are tested beside the newest alone, and so is what has both Kerases
# of today.
BESIDE_THE_NEWEST = ("test_cli_", "test_stores", "test_failures")
OF_BOTH = ["another_architecture_is_refused_in_a_session"]
MODEL_FILES = {"test_model_files", "test_model_files_refused", "test_model_files_safety"}
# The files are written in formats of TensorFlow 2.12 and later, the ways to train are those of optimizers since 2.11,
# and so are the private names; what has other names before is touched by the tests of the contract.
# Loading is tested with the slots of those optimizers, and `GenSynthModel` with classes that are registered anew, which
# older Kerases refuse.
LEFT_OUT_OF = {"2.4": {*MODEL_FILES, "test_ways_to_train", "test_private_apis", "test_load", "test_gensynth_model"}}
LEFT_OUT_OF["2.10"] = LEFT_OUT_OF["2.4"]
# These look at an optimizer's averages, a type, an attribute or a method that came later, or at the class that
# `clone_model` and HDF5 make of a functional model.
NOT_BEFORE_2_11 = [
    "averaged_weights",
    "type_that_the_target_has_not",
    "current_tensorflow_can_be_the_target",
    "attributes_that_say_nothing",
    "what_tensorflow_2_wrote_is_compared",
    "its_metrics_stand_where",
    "clones_keep_layers",
    "saved_models_load_once",
]

# What neither runs eagerly nor is about Keras 3: graph mode, and all that knows no Keras.
IN_TENSORFLOW_1 = {
    "test_arguments",
    "test_background",
    "test_checkpoint_disk",
    "test_checkpoint_lock",
    "test_checkpoint_preflight",
    "test_checkpoint_read",
    "test_checkpoint_scratch",
    "test_exported_members",
    "test_graph_mode",
    "test_schedule",
    "test_training_in_tf1",
}

# What older frameworks say of themselves; warnings of other kinds are errors.
QUIET = [f"-Wignore::{kind}" for kind in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")]
QUIET += ["-Wignore::ImportWarning"]


def _files(tensorflow):
    if tensorflow == "1.15":
        return sorted(IN_TENSORFLOW_1)
    there = {path.stem for path in Path(__file__).parent.glob("tests/test_*.py")}
    if tensorflow != "newest":
        there = {name for name in there if not name.startswith(BESIDE_THE_NEWEST)}
    return sorted(there - LEFT_OUT - LEFT_OUT_OF.get(tensorflow, set()))


def _add(tensorflow, python, requirements):
    @nox.session(name=f"tests-{tensorflow}", python=find_python(python) or f"python{python}", venv_backend="venv")
    def tests(session):
        extras = [*EXTRAS, *(NEWEST_EXTRAS if tensorflow == "newest" else [])]
        session.install(*requirements, "wrapt>=1.11", "pytest>=7", "pytest-xdist>=3", *extras)
        session.install("--no-deps", "--editable", ".")
        files = [f"tests/{name}.py" for name in _files(tensorflow)]
        quiet = QUIET if tensorflow != "newest" else []
        arguments = ["-n", "2", "--dist", "loadfile", "-m", "not slow", *quiet, *session.posargs]
        if tensorflow != "newest":
            out = OF_BOTH + (NOT_BEFORE_2_11 if tensorflow in LEFT_OUT_OF else [])
            out += ["size_of_values_is_counted"] if tensorflow == "1.15" else []  # it has no `ram://`
            arguments += ["-k", f"not ({' or '.join(out)})"]
        session.run("python", "-m", "pytest", *arguments, *files, env={"TF_CPP_MIN_LOG_LEVEL": "3"})

    tests.__doc__ = f"The tests that make sense beside TensorFlow {tensorflow}, on Python {python}."


for _name, (_python, _requirements) in MATRIX.items():
    _add(_name, _python, _requirements)
