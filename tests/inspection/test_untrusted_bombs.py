"""Small files of which much comes out: archives, HDF5 files and checkpoints are refused before it does."""

import os
import shutil
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from crafted import READERS, copied_to, entry, table
from hostile_files import ARCHIVES, FORMATS, OF_HDF5, change_weights, datasets, entries_of, write_archive, written
from kerases import KERAS2
from tensorflow.core.protobuf import tensor_bundle_pb2

from keras_gensynth_callback import convert_model_file, inspect_checkpoint, load_checkpoint
from keras_gensynth_callback.checkpoint import index_file
from keras_gensynth_callback.errors import CheckpointFormatError, ModelFileError

ZEROS = bytes(1 << 20)


@pytest.fixture
def file(request, tmp_path):
    return written(*request.param, tmp_path)


in_archives = pytest.mark.parametrize("file", ARCHIVES, indirect=True)
in_hdf5_files = pytest.mark.parametrize("file", OF_HDF5, indirect=True)


def refused(path):
    with pytest.raises(ModelFileError) as raised:
        convert_model_file(path, path.parent / "out" / "net")
    return str(raised.value)


# Archives


@in_archives
@pytest.mark.parametrize("name", ["config.json", "metadata.json", "assets/zeros"])
def test_an_entry_that_holds_more_than_it_says(file, name):
    entries = entries_of(file)
    entries[name] = entries.get(name, b"").ljust(1 << 20)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in entries.items():
            archive.writestr(key, content)
        said = archive.getinfo(name)
        said.file_size = len(entries[name].rstrip()) or 1
        said.CRC = zlib.crc32(entries[name][: said.file_size])
    assert f"{name!r} in it holds more than the {said.file_size} bytes that it says" in refused(file)


@in_archives
def test_an_archive_that_was_compressed_is_read_all_the_same(file):
    write_archive(file, entries_of(file), compression=zipfile.ZIP_DEFLATED)
    assert convert_model_file(file, file.parent / "out" / "net", graph="inference").size


# HDF5


def make_bomb(file, content):
    """Puts a chunk into the place of a kernel that inflates to other content than it should."""
    name = datasets(file)[0]
    del file[name]
    made = file.create_dataset(name, (3, 4), "f4", chunks=(3, 4), compression="gzip")
    made.id.write_direct_chunk((0, 0), zlib.compress(content))


@in_hdf5_files
@pytest.mark.parametrize("content", [ZEROS, bytes(64)], ids=["megabyte", "64 bytes"])
def test_a_chunk_that_inflates_to_more_than_it_says(file, content):
    change_weights(file, lambda stored: make_bomb(stored, content))
    assert "holds more than the 48 bytes that it says" in refused(file)


@in_hdf5_files
@pytest.mark.parametrize(
    "options", [{}, {"shuffle": True}, {"fletcher32": True}, {"shuffle": True, "fletcher32": True}]
)
def test_compressed_values_are_read_all_the_same(file, options):
    def compress(stored):
        for name in datasets(stored):
            values = stored[name][()]
            del stored[name]
            stored.create_dataset(name, data=values, compression="gzip", **options)

    change_weights(file, compress)
    assert convert_model_file(file, file.parent / "out" / "net", graph="inference").size


@in_hdf5_files
def test_values_that_are_compressed_twice(file):
    def compress(stored):
        name = datasets(stored)[0]
        del stored[name]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((3, 4))
        properties.set_deflate(1)
        properties.set_deflate(1)
        space = h5py.h5s.create_simple((3, 4))
        group, _, last = name.rpartition("/")
        h5py.h5d.create(stored[group].id if group else stored.id, last.encode(), h5py.h5t.IEEE_F32LE, space, properties)

    change_weights(file, compress)
    assert "is compressed twice" in refused(file)


@in_hdf5_files
def test_an_attribute_of_many_texts_of_any_length(file):
    def add(stored):
        # All of them may stand at one place of the file.
        stored.attrs.create("layer_names", ["hidden"] * 4000, dtype=h5py.string_dtype())

    change_weights(file, add)
    assert "the attribute 'layer_names' of '/' has 4000 texts of any length" in refused(file)


def test_weights_in_another_format_in_the_folder_of_an_archive(tmp_path):
    source, folder = written("keras", "net.keras", tmp_path), tmp_path / "net"
    with zipfile.ZipFile(source) as archive:
        archive.extractall(folder)
    os.remove(folder / "model.weights.h5")
    np.savez(folder / "model.weights.npz", x=np.zeros(1))
    assert "it holds 'model.weights.npz', which Keras does not write" in refused(folder)


# Checkpoints


@pytest.mark.parametrize("change", ["entry", "length of a text", "bytes"])
def test_a_damaged_index_in_a_saved_model_does_not_end_the_process(tmp_path, change):
    """TensorFlow's own reader, by which Keras reads values, would."""
    folder = written(KERAS2, "net", tmp_path) if (KERAS2, "net") in FORMATS else pytest.skip("needs Keras 2")
    path = folder / "variables" / "variables.index"
    pairs = dict(index_file._table(path.read_bytes()))
    if change == "bytes":
        path.write_bytes(path.read_bytes()[:100])
    elif change == "entry":
        pairs[sorted(pairs)[1]] = b"\xff\xff\xff"
        path.write_bytes(table(pairs))
    else:
        message = tensor_bundle_pb2.BundleEntryProto.FromString(pairs[b"_CHECKPOINTABLE_OBJECT_GRAPH"])
        data = folder / "variables" / "variables.data-00000-of-00001"
        content = bytearray(data.read_bytes())
        content[message.offset : message.offset + 9] = b"\xff" * 8 + b"\x01"
        data.write_bytes(content)
    assert "is truncated or damaged: " in refused(folder)


def test_an_index_of_a_terabyte_of_nothing_is_not_read(small_export, tmp_path):
    prefix = copied_to(tmp_path, small_export.prefix)
    os.truncate(prefix + ".index", 1 << 40)
    for read in READERS.values():
        with pytest.raises(CheckpointFormatError, match="it has 1099511627776 bytes, and at most 268435456 are read"):
            read(prefix, tmp_path)


def test_names_that_are_written_once_and_meant_often_are_counted(monkeypatch):
    monkeypatch.setattr(index_file, "_LONGEST_NAMES", 1 << 12)
    header = tensor_bundle_pb2.BundleHeaderProto(num_shards=1)
    names = {(b"a" * 1000 + b"%d" % number): entry(size=0, shape=(0,)).SerializeToString() for number in range(5)}
    with pytest.raises(index_file.Fault, match="its names have more than 4096 bytes"):
        index_file.Index(table({b"": header.SerializeToString(), **names}))


def test_a_hundred_thousand_data_files_that_are_missing_are_not_all_named(small_export, tmp_path):
    prefix = copied_to(tmp_path, small_export.prefix)
    os.rename(prefix + ".data-00000-of-00001", prefix + ".data-00000-of-99999")
    with pytest.raises(CheckpointFormatError) as raised:
        inspect_checkpoint(prefix)
    assert "and 99988 more are missing" in str(raised.value)


# Links


@pytest.fixture
def linked(small_export, tmp_path):
    """A function that makes a checkpoint of which one file is a link to another folder."""

    def make(suffix, relative):
        (tmp_path / "elsewhere").mkdir()
        prefix = copied_to(tmp_path, small_export.prefix)
        target = shutil.move(prefix + suffix, tmp_path / "elsewhere")
        os.symlink(os.path.relpath(target, tmp_path) if relative else target, prefix + suffix)
        return prefix

    return make


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("suffix", [".meta", ".index", ".data-00000-of-00001", ".json"])
@pytest.mark.parametrize("relative", [True, False])
def test_a_file_of_a_checkpoint_that_is_a_link_out_of_its_folder_is_not_read(
    linked, tmp_path, suffix, relative, keras3
):
    prefix = linked(suffix, relative)
    model = keras3.Sequential([keras3.Input((2,)), keras3.layers.Dense(1)])
    readers = {**READERS, "load": lambda prefix, folder: load_checkpoint(model, prefix)}
    for read in readers.values():
        with pytest.raises(CheckpointFormatError, match="is a link to .*, which lies in another folder. .*cp -L"):
            read(prefix, tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_links_within_the_folder_and_the_folder_itself_are_followed(small_export, tmp_path):
    (tmp_path / "exports").mkdir()
    prefix = copied_to(tmp_path / "exports", small_export.prefix)
    for suffix in (".meta", ".index", ".data-00000-of-00001"):
        os.symlink(os.path.basename(prefix) + suffix, tmp_path / "exports" / f"best{suffix}")
    os.symlink(tmp_path / "exports", tmp_path / "link")
    for base in ("best", os.path.basename(prefix)):
        assert inspect_checkpoint(tmp_path / "link" / base)["variables"]


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("suffix", [".meta", ".data-00000-of-00001", ".json"])
def test_a_link_to_nothing_is_told(small_export, tmp_path, suffix):
    prefix = copied_to(tmp_path, small_export.prefix)
    os.remove(prefix + suffix)
    os.symlink("none", prefix + suffix)
    with pytest.raises(CheckpointFormatError, match="is a link to 'none', and there is no such file"):
        inspect_checkpoint(prefix)
