"""Reading, and what is said of a checkpoint that cannot be read."""

import os

import numpy as np
import pytest
import tensorflow as tf
from needs import in_tf1

from keras_gensynth_callback.checkpoint import read_manifest, read_tensors, write_checkpoint
from keras_gensynth_callback.errors import CheckpointFormatError

pytestmark = in_tf1


@pytest.fixture
def prefix(tmp_path):
    tensors = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array([b"a", b"bc"])}
    write_checkpoint(tmp_path / "net", tensors, b"graph", {"epoch": 1})
    return str(tmp_path / "net")


def test_values_come_back(prefix):
    values = read_tensors(prefix)
    assert {name: value.tolist() for name, value in values.items()} == {
        "kernel": [[0, 1, 2], [3, 4, 5]],
        "names": [b"a", b"bc"],
    }
    assert values["kernel"].dtype == np.float32


def test_a_part_of_the_values_can_be_read(prefix):
    assert list(read_tensors(prefix, only=["names"])) == ["names"]
    with pytest.raises(CheckpointFormatError, match=r"does not hold \['bias'\]. It holds \['kernel', 'names'\]"):
        read_tensors(prefix, only=["bias", "names"])


def test_what_tensorflow_1_saved_is_read_and_has_no_manifest(tmp_path, reader):
    reader.run(
        """
        import sys
        import tensorflow as tf

        with tf.Graph().as_default(), tf.Session() as session:
            variable = tf.get_variable("kernel", initializer=[1.0, 2.0])
            session.run(variable.initializer)
            tf.train.Saver().save(session, sys.argv[1])
        """,
        tmp_path / "net",
    )
    assert read_tensors(tmp_path / "net")["kernel"].tolist() == [1, 2]
    assert read_manifest(tmp_path / "net") is None


@pytest.mark.parametrize("read", [read_manifest, read_tensors])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("nett", "nett.index' is missing. Pass the prefix under which the checkpoint was written"),
        ("net.meta", "names one of its files. Pass what they have in common, '{folder}/net'"),
        ("net.data-00000-of-00001", "names one of its files. Pass what they have in common, '{folder}/net'"),
        ("", "this is a folder, and a prefix was expected. The newest in it is '{folder}/net'"),
    ],
)
def test_a_prefix_that_is_none_is_told_from_what_was_meant(prefix, read, wrong, words):
    folder = os.path.dirname(prefix)
    with pytest.raises(CheckpointFormatError) as caught:
        read(os.path.join(folder, wrong))
    assert words.format(folder=folder) in str(caught.value)


@pytest.mark.parametrize("name", ["net.index", "net.data-00000-of-00001"])
@pytest.mark.parametrize("content", [b"", b"\xffnoise" * 40, None])
def test_truncated_and_foreign_files_are_a_clear_error(prefix, name, content):
    path = os.path.join(os.path.dirname(prefix), name)
    with open(path, "rb") as file:
        half = file.read()[: os.path.getsize(path) // 2]
    with open(path, "wb") as file:
        file.write(half if content is None else content)
    with pytest.raises(CheckpointFormatError, match="cannot be read: .*truncated, of another kind") as caught:
        read_tensors(prefix)
    assert repr(prefix) in str(caught.value)


def test_a_missing_data_file_is_a_clear_error(prefix):
    os.remove(prefix + ".data-00000-of-00001")
    with pytest.raises(CheckpointFormatError, match=r"there are \['.index', '.json', '.meta'\]"):
        read_tensors(prefix)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[1]", b'{"files": 3}', b'{"class_name": "Sequential"}'])
def test_a_json_file_that_is_no_manifest_is_a_clear_error(prefix, content):
    with open(prefix + ".json", "wb") as file:
        file.write(content)
    with pytest.raises(CheckpointFormatError, match="net.json' is not a manifest.*Export again, or remove the file"):
        read_manifest(prefix)


def test_a_folder_without_checkpoint_is_said_to_be_one(tmp_path):
    assert tf.train.latest_checkpoint(tmp_path) is None
    with pytest.raises(CheckpointFormatError, match="It holds no finished checkpoint"):
        read_tensors(tmp_path)
