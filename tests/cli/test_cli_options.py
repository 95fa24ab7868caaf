"""The options of commands: those that export have what `export_checkpoint` has, and each says all that it is."""

import inspect

import click
import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback import arguments, export_checkpoint, inspect_checkpoint
from keras_gensynth_callback.cli import shared
from keras_gensynth_callback.cli.app import commands
from keras_gensynth_callback.errors import InvalidArgumentError
from keras_gensynth_callback.target import known_targets

pytestmark = needs(tf="newest", reason="the command line is tested beside the newest TensorFlow")


@pytest.mark.parametrize("name", ["convert", "run"])
def test_commands_that_export_have_the_options_of_the_function(name):
    given = {option.name for option in commands.commands[name].params}
    assert {option.name for option in shared.export_options()} <= given
    found = set(shared.export_arguments(dict.fromkeys(given)))
    wanted = {
        parameter.name
        for parameter in inspect.signature(export_checkpoint).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert found - {"inputs"} | {"input_signature"} == wanted


def test_the_targets_are_those_that_there_are_tables_for():
    assert arguments.TARGETS == known_targets()
    for command in commands.commands.values():
        kinds = [option.type for option in command.params if option.name == "target"]
        assert all(isinstance(kind, click.Choice) and tuple(kind.choices) == known_targets() for kind in kinds)


def test_no_line_of_the_help_is_cut_off(run_command):
    done = run_command("--help")
    assert not [line for line in done.stdout.splitlines()[1:] if line.endswith("...")]
    assert all(f"  {name} " in done.stdout for name in commands.commands)


def test_inputs_are_told_by_shape_and_type():
    signature = arguments.input_signature_of
    assert signature([]) is None
    assert signature(["?,3:float32"]) == tf.TensorSpec([None, 3], "float32")
    both = signature(["a=?,3:float32", "b=2:int64"])
    assert both == {"a": tf.TensorSpec([None, 3], "float32"), "b": tf.TensorSpec([2], "int64")}
    for wrong in (["?,3:float32", "b=2:int64"], ["3 x 4"], ["?,3:float32", "?,4:float32"]):
        with pytest.raises(InvalidArgumentError, match="`input` must be one input, or several"):
            signature(wrong)


def test_a_model_file_is_converted_with_all_of_them(keras3, tmp_path, run_command):
    with_short = keras3.layers.Dense(2, dtype="mixed_bfloat16")
    model = keras3.Sequential([keras3.Input((3,)), with_short])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "net.keras")
    options = ["--no-optimizer", "--compute-dtype", "float32", "--target", "1.14", "--input", "5,3:float32"]
    done = run_command("convert", tmp_path / "net.keras", tmp_path / "net", *options)
    assert done.exit_code == 0, done.output
    found = inspect_checkpoint(tmp_path / "net")
    assert found["target"] == "1.14" and [of["shape"] for of in found["inputs"].values()] == [[5, 3]]
    assert "train_op" not in found["collections"]
