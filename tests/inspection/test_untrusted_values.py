"""An index, data files and manifests that somebody crafted: nothing is read beyond them, and what is wrong is said."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from crafted import READERS, entry, table, with_index, with_manifest

from keras_gensynth_callback import inspect_checkpoint, verify_checkpoint, write_report
from keras_gensynth_callback.checkpoint import (
    changed_files,
    index_file,
    list_tensors,
    read_manifest,
    read_tensors,
    snappy,
    write_checkpoint,
)
from keras_gensynth_callback.errors import CheckpointFormatError, CheckpointWriteError, VerificationError

v1 = tf.compat.v1
SIZE = 4


@pytest.fixture
def net(tmp_path):
    """A checkpoint of one float32 scalar, whose data file has four bytes."""
    folder = tmp_path / "good"
    write_checkpoint(folder / "net", {"a": np.float32(1)}, b"graph", {})
    return str(folder / "net")


def sliced(**start_and_length):
    made = entry(shape=[1000000], size=0)
    made.slices.add().extent.add(**start_and_length)
    return made


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"a": entry(shape=[10**18], size=4 * 10**18)}, "'a' ends at byte 4000000000000000000 of a data file of 4 byt"),
        ({"a": entry(shape=[10**18])}, "'a' has the shape [1000000000000000000], and 4 bytes"),
        ({"a": entry(shape=[2**40, 2**40])}, "which no tensor has"),
        ({"a": entry(shape=[-1])}, "'a' has the shape [-1], which no tensor has"),
        ({"a": entry(shape=[1] * 300)}, "which no tensor has"),
        ({"a": entry(offset=1)}, "'a' ends at byte 5 of a data file of 4 bytes"),
        ({"a": entry(offset=-4)}, "'a' stands in data file 0 of 1, from byte -4 on"),
        ({"a": entry(shard=7)}, "'a' stands in data file 7 of 1"),
        ({"a": entry(), "b": entry()}, "its values take 8 bytes, and its data files have 4"),
        ({"a": entry(dtype=tf.float64)}, "'a' has the shape [], and 4 bytes"),
        ({"a": b"\x08\xe7\x07"}, "'a' has the type 999, which the installed TensorFlow does not know"),
        ({"a": b"\xff\xff"}, "its entry 'a' is damaged"),
        ({b"\xff\xfe": entry()}, "is not text"),
        ({"a" * 5000: entry()}, "a name has 5000 bytes, and at most 4096 are read"),
        ({"a": sliced(start=0, length=1000000)}, "a slice of 'a' is missing"),
        ({"a": sliced(start=-1, length=10)}, "a slice of 'a' does not lie in it"),
        ({"a": sliced(start=5, length=1000000)}, "a slice of 'a' does not lie in it"),
    ],
)
def test_an_entry_that_does_not_fit_the_data_files_is_told_before_tensorflow_reads_it(net, tmp_path, entries, words):
    prefix = with_index(tmp_path, net, entries)
    for read in (read_tensors, list_tensors):
        with pytest.raises(CheckpointFormatError) as raised:
            read(prefix)
        assert repr(prefix) in str(raised.value)
        assert words in str(raised.value) or "is truncated: its values take" in str(raised.value)
    assert words in str(pytest.raises(CheckpointFormatError, read_tensors, prefix).value)


def test_texts_are_not_longer_than_their_file(net, tmp_path):
    prefix = with_index(tmp_path, net, {"a": entry(dtype=tf.string, shape=[1], size=4)})
    pathlib.Path(prefix + ".data-00000-of-00001").write_bytes(b"\xff\xff\xff\x0f")
    with pytest.raises(CheckpointFormatError, match="the texts of 'a' take 33554439 bytes, and have 4"):
        read_tensors(prefix)


def test_values_that_are_objects_of_a_process_are_not_read(net, tmp_path):
    prefix = with_index(tmp_path, net, {"a": entry(dtype=tf.variant)})
    with pytest.raises(CheckpointFormatError, match="has the type variant, which holds no numbers and no texts"):
        read_tensors(prefix)


@pytest.mark.parametrize("content", [b"", b"\x00" * 48, b"\xff" * 200, table({b"a": b""})])
def test_a_table_that_is_none_is_told(net, content):
    pathlib.Path(net + ".index").write_bytes(content)
    with pytest.raises(CheckpointFormatError, match="cannot be read: "):
        list_tensors(net)


def test_a_table_that_tensorflow_wrote_is_read_whatever_its_variables_are_made_of(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        parts = v1.fixed_size_partitioner(3)
        for name in ("plain", "\x00é/ÿ".encode().hex()):
            v1.get_variable(name, [100, 300], partitioner=parts, use_resource=False)
        v1.get_variable("texts", initializer=["a", "b" * 1000], use_resource=False)
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, str(tmp_path / "net"))
        expected = {variable.op.name: session.run(variable) for variable in v1.global_variables()}
    values = read_tensors(prefix)
    assert {name: tensor.shape for name, tensor in list_tensors(prefix).items()}["plain"] == (100, 300)
    assert values["texts"].tolist() == expected["texts"].tolist()
    parts = [value for name, value in expected.items() if name.startswith("plain/part_")]
    assert np.array_equal(values["plain"], np.concatenate(parts))


@pytest.mark.parametrize("number", [0, 1, -1, 63, 64, -64, -65, 8191, 8192, 2**31, 2**62, -(2**62)])
def test_slices_are_found_under_the_keys_of_tensorflow(number):
    """The encoding of tensorflow/core/lib/strings/ordered_code.cc keeps the order of numbers."""
    assert index_file._signed(number) < index_file._signed(number + 1)


def test_blocks_that_snappy_compressed_are_read():
    # 3 literals, a copy of 9 bytes from 3 back, which overlaps itself
    assert snappy.inflated(bytes([12, 2 << 2]) + b"abc" + bytes([5 << 2 | 1, 3])) == b"abc" * 4
    for block in (b"", b"\xff\xff\xff\xff\x7f", bytes([3, 2 << 2]) + b"ab", bytes([4, 1, 9]), bytes([9, 0]) + b"a"):
        with pytest.raises(ValueError):
            snappy.inflated(block)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            lambda manifest: manifest["files"].update({"/dev/zero": {"size": 0, "sha256": ""}}),
            "no file of its folder",
        ),
        (
            lambda manifest: manifest["files"].update({"../net": {"size": 0, "sha256": ""}}),
            "no file of its folder",
        ),
        (lambda manifest: manifest["files"].update({"net.meta": 3}), "'files' has no size and SHA-256 of 'net.meta'"),
        (lambda manifest: manifest["files"]["net.meta"].update(size=-1), "has no size and SHA-256 of 'net.meta'"),
        (lambda manifest: manifest["files"]["net.meta"].update(size=float("nan")), "has no size and SHA-256"),
        (lambda manifest: manifest.update(epoch="late"), "its field 'epoch' is late"),
        (lambda manifest: manifest.update(logs=[1]), "its field 'logs' is [1]"),
        (lambda manifest: manifest.update(logs={"loss": 10**400}), "a number of 401 digits"),
        (lambda manifest: manifest.update(model="net"), "its field 'model' is net"),
        (lambda manifest: manifest.update(rewritten=[{"op": "Add"}]), "its field 'rewritten' is"),
        (lambda manifest: manifest.update(target=["1.15"]), "its field 'target' is ['1.15']"),
        (lambda manifest: manifest.update(retention={"filepath": []}), "its field 'retention' is"),
    ],
)
def test_a_manifest_of_other_types_is_told_and_the_checkpoint_is_shown_without_it(small_export, tmp_path, edit, words):
    prefix = with_manifest(tmp_path, small_export.prefix, edit)
    with pytest.raises(CheckpointFormatError) as raised:
        read_manifest(prefix)
    assert words in str(raised.value)
    found = inspect_checkpoint(prefix)
    assert found["exported"] is None
    assert words in found["warnings"][0]


def test_a_manifest_that_is_nested_too_deep_or_too_large_is_told(small_export, tmp_path):
    prefix = with_manifest(tmp_path, small_export.prefix, lambda manifest: None)
    pathlib.Path(prefix + ".json").write_text("[" * 100000)
    with pytest.raises(CheckpointFormatError, match="is not a manifest"):
        read_manifest(prefix)
    os.truncate(prefix + ".json", 2**27)
    with pytest.raises(CheckpointFormatError, match="this file is larger than 67108864 bytes"):
        read_manifest(prefix)


def test_a_pipe_or_device_in_place_of_a_file_of_the_manifest_is_another_file(small_export, tmp_path):
    prefix = with_manifest(tmp_path, small_export.prefix, lambda manifest: None)
    os.remove(prefix + ".data-00000-of-00001")
    os.symlink("/dev/zero", prefix + ".data-00000-of-00001")
    assert changed_files(prefix, read_manifest(prefix)) == ["net.data-00000-of-00001"]
    with pytest.raises(VerificationError, match="net.data-00000-of-00001 differ from the manifest"):
        verify_checkpoint(prefix)
    with pytest.raises(CheckpointFormatError, match="is no file but a folder, a pipe or a device"):
        READERS["freeze"](prefix, tmp_path)


def test_a_report_is_not_written_through_a_link_or_into_a_pipe(small_export, tmp_path):
    prefix = with_manifest(tmp_path, small_export.prefix, lambda manifest: None)
    os.symlink(tmp_path / "elsewhere", prefix + ".html")
    with pytest.raises(CheckpointWriteError, match="a link of this name leads to .*elsewhere"):
        write_report(prefix)
    assert not (tmp_path / "elsewhere").exists()
    os.remove(prefix + ".html")
    os.mkfifo(prefix + ".html")
    with pytest.raises(CheckpointWriteError, match="another program wrote a file of this name"):
        write_report(prefix)


def test_a_report_lists_no_exports_of_other_folders(small_export, tmp_path):
    def edit(manifest):
        manifest["retention"] = {"filepath": "net", "monitor": "loss", "is_best": False, "time": 0}

    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        with_manifest(tmp_path / name, small_export.prefix, edit)
    names = ["../there/net", str(tmp_path / "there" / "net"), "net"]
    lines = [f'all_model_checkpoint_paths: "{name}"\n' for name in names]
    (tmp_path / "here" / "checkpoint").write_text('model_checkpoint_path: "net"\n' + "".join(lines))
    page = pathlib.Path(write_report(tmp_path / "here" / "net")["path"]).read_text()
    assert "Exports of the run" not in page
