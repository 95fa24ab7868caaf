"""Every argument is checked when it is given, and the message says what was received, expected, and how to mend it."""

import pathlib

import numpy as np
import pytest
from needs import in_tf1

from keras_gensynth_callback.errors import GenSynthExportError, InvalidArgumentError, UnknownTemplateKeyError
from keras_gensynth_callback.training.callback import GenSynthExportCallback

pytestmark = in_tf1

BAD_ARGUMENTS = [
    ("monitor", "", "a name, as a str"),
    ("monitor", None, "a name, as a str"),
    ("verbose", 3, "0, 1 or 2"),
    ("verbose", "yes", "0, 1 or 2"),
    ("save_best_only", 1, "True or False"),
    ("mode", "lowest", "'auto', 'min', 'max'"),
    ("save_freq", 0, "'epoch', 'train_end' or an int of at least 1"),
    ("save_freq", -1, "'epoch', 'train_end' or an int of at least 1"),
    ("save_freq", True, "'epoch', 'train_end' or an int of at least 1"),
    ("save_freq", "batch", "To export every 100 batches, pass save_freq=100"),
    ("save_freq", 10.0, "'epoch', 'train_end' or an int of at least 1"),
    ("save_freq", None, "'epoch', 'train_end' or an int of at least 1"),
    ("initial_value_threshold", "0.5", "None or a finite number"),
    ("initial_value_threshold", float("nan"), "None or a finite number"),
    ("period", 0, "an int of at least 1"),
    ("period", -2, "an int of at least 1"),
    ("period", True, "an int of at least 1"),
    ("save_secs", 0, "None or a positive number"),
    ("save_secs", -1.5, "None or a positive number"),
    ("save_secs", float("inf"), "None or a positive number"),
    ("max_to_keep", 0, "Pass None for no limit"),
    ("max_to_keep", -1, "None or an int of at least 1"),
    ("max_to_keep", 2.0, "None or an int of at least 1"),
    ("keep_checkpoint_every_n_hours", 0, "None or a positive number"),
    ("target", "1.7", "'1.15'"),
    ("target", 1.15, "'1.15'"),
    ("graph", "training", "'trainable', 'inference'"),
    ("include_optimizer", "adam", "True or False"),
    ("input_signature", (32, 32, 3), "a tf.TensorSpec, or a list, tuple or dict of them"),
    ("input_signature", [], "a tf.TensorSpec, or a list, tuple or dict of them"),
    ("compute_dtype", "float16", "None or 'float32'"),
    ("data_format", "channels_first", "'channels_last', 'keep'"),
    ("on_error", "ignore", "'raise', 'warn'"),
    ("on_export", "upload", "None or a callable"),
]


@pytest.mark.parametrize(("name", "value", "words"), BAD_ARGUMENTS)
def test_a_bad_argument_is_refused_with_the_way_out(name, value, words):
    with pytest.raises(InvalidArgumentError) as refused:
        GenSynthExportCallback("exports/net", **{name: value})
    message = str(refused.value)
    assert message.startswith(f"`{name}` must be ")
    assert f"Received: {name}={value!r}" in message
    assert words in message


@pytest.mark.parametrize("filepath", ["", "   ", None, 3, b"exports/net"])
def test_a_filepath_that_is_no_prefix_is_refused(filepath):
    with pytest.raises(InvalidArgumentError, match="`filepath` must be a checkpoint prefix.*for example 'exports/net'"):
        GenSynthExportCallback(filepath)


def test_a_folder_is_refused_with_a_prefix_that_would_do(tmp_path):
    with pytest.raises(InvalidArgumentError, match="a checkpoint prefix, not a folder") as refused:
        GenSynthExportCallback(str(tmp_path))
    assert f"Add a name to it: {str(tmp_path / 'net')!r}" in str(refused.value)


def test_a_path_that_ends_in_a_slash_is_a_folder():
    with pytest.raises(InvalidArgumentError, match="not a folder"):
        GenSynthExportCallback("not_there_yet/")


def test_errors_are_caught_as_the_packages_own_and_as_the_builtin():
    assert issubclass(InvalidArgumentError, (GenSynthExportError, ValueError))
    with pytest.raises(ValueError, match="save_freq"):
        GenSynthExportCallback("net", save_freq=0)


def test_a_path_object_and_numbers_of_numpy_are_taken():
    callback = GenSynthExportCallback(pathlib.Path("exports") / "net", save_freq=np.int64(5))
    assert callback.filepath == "exports/net"
    assert callback.save_freq == 5


def test_a_period_without_epochs_to_count_is_refused():
    with pytest.raises(InvalidArgumentError, match="must be 1 unless save_freq='epoch'.*period=2 with save_freq=10"):
        GenSynthExportCallback("net", save_freq=10, period=2)


@pytest.mark.parametrize("template", ["net-{", "net-{epoch", "net-}"])
def test_a_malformed_template_is_refused_at_once(template):
    with pytest.raises(InvalidArgumentError, match="is malformed: .*Close the braces"):
        GenSynthExportCallback(template)


@pytest.mark.parametrize("template", ["net-{}", "net-{0}", "net-{epoch:{}}"])
def test_positional_fields_are_refused_at_once(template):
    with pytest.raises(
        InvalidArgumentError, match=r"positional field .*Write \{epoch\}, \{batch\} or a key of the logs"
    ):
        GenSynthExportCallback(template)


@pytest.mark.parametrize("template", ["net-{epoch:.2q}", "net-{loss:d}", "net-{epoch.nothing}"])
def test_a_format_that_no_number_fits_is_refused_at_once(template):
    with pytest.raises(InvalidArgumentError, match="cannot be filled in: .*Correct the format"):
        GenSynthExportCallback(template)


def test_doubled_braces_are_plain_ones():
    assert GenSynthExportCallback("net-{{plain}}").has_template is False


@pytest.mark.parametrize("when", [{"save_freq": 10}, {"save_secs": 60}])
def test_a_validation_key_is_refused_at_once_where_exports_are_made_between_epochs(when):
    with pytest.raises(UnknownTemplateKeyError, match="'val_loss'.*known at epoch ends alone: pass save_freq='epoch'"):
        GenSynthExportCallback("net-{val_loss:.2f}", **when)


def test_a_validation_key_is_taken_where_the_decision_waits_for_the_epochs_end():
    GenSynthExportCallback("net-{val_loss:.2f}", save_freq=10, save_best_only=True, monitor="val_loss")
