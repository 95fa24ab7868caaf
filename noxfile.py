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

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE / "scripts"))
from find_reader import find_python  # noqa: E402

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

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

# Of the programs of the group `tools`, of the documents of the newest Kerases, and of the scripts of the repository.
LEFT_OUT = {"test_tools", "test_how_to", "test_breadth", "test_reader", "test_tutorials", "test_typing", "test_docs"}
LEFT_OUT |= {"test_set_up"}
# The command line, the report, the stores and a disk that fails are tested beside the newest alone, and so is what has
# both Kerases of today.
# So is what hostile model files do: each Keras has other faults, and the list of pure functions is of one TensorFlow.
HOSTILE = ("test_model_file_cves", "test_model_files_damaged", "test_model_files_operations")
BESIDE_THE_NEWEST = ("test_cli_", "test_report", "test_stores", "test_failures", *HOSTILE)
OF_BOTH = ["another_architecture_is_refused_in_a_session", "one_that_comes_later_counts"]
MODEL_FILES = {"test_model_files", "test_model_files_refused", "test_model_files_safety"}
# The files are written in formats of TensorFlow 2.12 and later, the ways to train are those of optimizers since 2.11,
# and so are the private names; what has other names before is touched by the tests of the contract.
LEFT_OUT_OF = {"2.4": {*MODEL_FILES, "test_ways_to_train", "test_private_apis"}}
LEFT_OUT_OF["2.10"] = set(LEFT_OUT_OF["2.4"])
# Its own ops fail on what the older targets are tested with; the tutorial imports the `keras` that came later.
LEFT_OUT_OF["2.4"] |= {"test_target_older", "test_tutorials"}
# Keras 3.0 writes and reads fewer files, and in other ways; the others are about tf_keras.
OF_TF_KERAS = {"test_ages", "test_contract_tf1_models", "test_contract_tf_keras", "test_graph_mode"}
LEFT_OUT_OF["2.16"] = {*MODEL_FILES, *OF_TF_KERAS}
# These look at an optimizer's averages, a type or an attribute that came later, at the class that `clone_model` makes
# of a functional model, or at a user's own class in an HDF5 file, which knows no registered names there.
NOT_BEFORE_2_11 = [
    "averaged_weights",
    "type_that_the_target_has_not",
    "current_tensorflow_can_be_the_target",
    "attributes_that_say_nothing",
    "what_tensorflow_2_wrote_is_compared",
    "clones_keep_layers",
    "(saved_model_is_loaded and (subclassed or sequential))",
    "compile_of_the_users_own",
]

# What Keras 3.0 itself does otherwise: AlphaDropout and, under a strategy, metrics fail, and TimeDistributed around a
# Sequential model; `evaluate` gives a model with a `train_step` of its own no loss; several steps in one execution run
# out of data. A dense layer's bias is added by `Add`, and hooks run in the thread that trains.
NOT_IN_KERAS_3_0 = [
    "dropout_noise_and_augmentation",
    "two_devices_are_exported_as_one",
    "test_lift_time_distributed",
    "(loss_and_metrics and two_players)",
    "steps_per_execution",
    "may_still_run_batch_hooks",
    "matmul_and_bias_add",
    "names_are_those_that_tensorflow_1_would_give",
    # These need tf_keras as well.
    "same_bytes_when_exported_again",
    "init_variable_collections_from_keras",
]

# What TensorFlow 2.4 does not have: EinsumDense, raw ops, determinism, `Model.compute_loss`, `jit_compile`, `ram://`,
# custom gradients with keywords in a graph, logs that one callback changes for the next.
NOT_IN_2_4 = [
    "several_passes",
    "gradient_penalty",  # its evaluation has no loss there
    "StatelessRandom or stateless_random or random_algorithm or all_integers_from_a_seed",
    "batched_products or products_of_int8 or unsigned_integers",
    "bit_for_bit_what_training_without or leaves_process_and_model or leaves_no_random_number",
    "jit_compile or compiled_step",
    "no_local_folder or size_of_values_is_counted or one_each_n_hours",
    "custom_gradient_that_is_dropped",
    "save_best_only_exports or threshold or best_is_marked or validation_monitor or owes_nothing",
    "does_not_count_as_the_best or verbose_says_what_improved or best_export_that_fails or worse_value_than_one",
    "started_again_goes_on or batch_hooks_only_where",
    # Keras itself makes no subclassed model of its configuration; the other program imports `keras`.
    "(configurations_make_models and subclassed)",
    "same_bytes_when_exported_again or stays_unimported",
]

NOT_IN = {
    "1.15": ["size_of_values_is_counted"],  # it has no `ram://`
    "2.4": NOT_BEFORE_2_11 + NOT_IN_2_4,
    "2.10": NOT_BEFORE_2_11,
    "2.16": NOT_IN_KERAS_3_0,
}

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

_TESTS = {path.stem: str(path.relative_to(_HERE)) for path in sorted(_HERE.glob("tests/*/test_*.py"))}


def _files(tensorflow):
    """The paths of the test files that run beside a TensorFlow."""
    return [_TESTS[name] for name in _names(tensorflow)]


def _names(tensorflow):
    if tensorflow == "1.15":
        return sorted(IN_TENSORFLOW_1)
    there = set(_TESTS)
    if tensorflow != "newest":
        there = {name for name in there if not name.startswith(BESIDE_THE_NEWEST)}
    return sorted(there - LEFT_OUT - LEFT_OUT_OF.get(tensorflow, set()))


def _add(tensorflow, python, requirements):
    @nox.session(name=f"tests-{tensorflow}", python=find_python(python) or f"python{python}", venv_backend="venv")
    def tests(session):
        extras = [*EXTRAS, *(NEWEST_EXTRAS if tensorflow == "newest" else [])]
        session.install(*requirements, "wrapt>=1.11", "pytest>=7", "pytest-xdist>=3", *extras)
        session.install("--no-deps", "--editable", ".")
        files = _files(tensorflow)
        quiet = QUIET if tensorflow != "newest" else []
        arguments = ["-n", "2", "--dist", "loadfile", "-m", "not slow", *quiet, *session.posargs]
        if tensorflow != "newest":
            out = OF_BOTH + NOT_IN.get(tensorflow, [])
            arguments += ["-k", f"not ({' or '.join(out)})"]
        session.run("python", "-m", "pytest", *arguments, *files, env={"TF_CPP_MIN_LOG_LEVEL": "3"})

    tests.__doc__ = f"The tests that make sense beside TensorFlow {tensorflow}, on Python {python}."


for _name, (_python, _requirements) in MATRIX.items():
    _add(_name, _python, _requirements)
