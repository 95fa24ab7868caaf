"""What one export leaves on the disk, and what TensorFlow 1.15 makes of it."""

import errno
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback.checkpoint import changed_files, read_manifest, read_tensors, storage, write_checkpoint
from keras_gensynth_callback.errors import CheckpointWriteError, InvalidArgumentError

FILES = ["net.data-00000-of-00001", "net.index", "net.json", "net.meta"]


def write(prefix, number=1, meta_graph=b"a graph", **manifest):
    """An export in which every value is the same number."""
    tensors = {"dense/kernel": tf.fill([3, 4], float(number)), "global_step": tf.constant(number, tf.int64)}
    return write_checkpoint(prefix, tensors, meta_graph, manifest)


def contents(folder):
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


def number_of(prefix):
    return int(read_tensors(prefix)["global_step"])


def test_an_export_is_four_files_and_the_state_file(tmp_path):
    written = write(tmp_path / "net")
    assert written == [str(tmp_path / name) for name in FILES]
    assert sorted(os.listdir(tmp_path)) == ["checkpoint"] + FILES
    assert (tmp_path / "net.meta").read_bytes() == b"a graph"


def test_missing_folders_are_made(tmp_path):
    write(tmp_path / "a" / "b" / "net")
    assert tf.train.latest_checkpoint(tmp_path / "a" / "b") == str(tmp_path / "a" / "b" / "net")


def test_tensorflow_1_imports_the_graph_and_restores_the_values(tmp_path, reader):
    with tf.Graph().as_default():
        tf.compat.v1.get_variable("kernel", shape=[2, 2], use_resource=False)
        meta_graph = tf.compat.v1.train.Saver().export_meta_graph()
    kernel = np.array([[1.5, -2.0], [0.25, 1e-30]], np.float32)
    write_checkpoint(tmp_path / "net", {"kernel": kernel}, meta_graph.SerializeToString(), {})

    printed = reader.run(
        """
        import sys
        import tensorflow as tf

        prefix = tf.train.latest_checkpoint(sys.argv[1])
        with tf.Graph().as_default(), tf.Session() as session:
            saver = tf.train.import_meta_graph(prefix + ".meta")
            saver.restore(session, prefix)
            print(session.run("kernel:0").tolist())
        """,
        tmp_path,
    )
    assert json.loads(printed) == kernel.tolist()


def test_every_dtype_arrives_bit_for_bit_in_tensorflow_1(tmp_path, reader):
    numbers = [tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.int16, tf.int32, tf.int64]
    numbers += [tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.complex64, tf.bool]
    tensors = {dtype.name: tf.cast(tf.constant([0.0, 1.0, 100.0]), dtype) for dtype in numbers}
    tensors["scalar"] = np.float32(np.pi)
    tensors["empty"] = np.zeros([0, 3], np.float32)
    write_checkpoint(tmp_path / "net", dict(tensors, string=np.array([b"one", b"\xff\x00"], object)), b"", {})

    printed = reader.run(
        """
        import json, sys
        import tensorflow as tf

        values = tf.train.load_checkpoint(sys.argv[1])
        shapes = values.get_variable_to_shape_map()
        found = {name: [shapes[name], values.get_tensor(name).tobytes().hex()] for name in shapes if name != "string"}
        print(json.dumps([found, [text.hex() for text in values.get_tensor("string")]]))
        """,
        str(tmp_path / "net"),
    )
    arrays = {name: np.asarray(tensor) for name, tensor in tensors.items()}
    expected = {name: [list(array.shape), array.tobytes().hex()] for name, array in arrays.items()}
    assert json.loads(printed) == [expected, [b"one".hex(), b"\xff\x00".hex()]]


@pytest.mark.parametrize("base", ["épreuve 1", "net*", "net?", "{epoch}", "a.b-1", "net.index"])
def test_names_with_spaces_accents_and_glob_characters_are_read_by_tensorflow_1(tmp_path, reader, base):
    folder = tmp_path / "dossier é 中"
    write(folder / "neighbour", number=2)
    write(folder / base, number=3)
    latest = "import sys, tensorflow as tf; print(ascii(tf.train.latest_checkpoint(sys.argv[1])))"
    assert reader.run(latest, folder).strip() == ascii(str(folder / base))
    assert (number_of(folder / base), number_of(folder / "neighbour")) == (3, 2)


@pytest.mark.parametrize("base", ["net[1]", "a\\b"])
def test_a_name_that_tensorflow_would_not_find_again_is_refused(tmp_path, base):
    with pytest.raises(InvalidArgumentError, match="choose a name without them"):
        write(tmp_path / base)
    assert os.listdir(tmp_path) == []


def test_a_prefix_without_folder_is_written_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert write("net") == FILES
    assert tf.train.latest_checkpoint(".") == "./net"


def test_the_folder_can_be_moved(tmp_path):
    write(tmp_path / "here" / "net")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert tf.train.latest_checkpoint(tmp_path / "there") == str(tmp_path / "there" / "net")


def test_the_state_file_lists_the_exports_of_the_folder_newest_last(tmp_path):
    for base in ["net-1", "net-2", "net-1"]:
        write(tmp_path / base)
    state = tf.train.get_checkpoint_state(tmp_path)
    assert list(state.all_model_checkpoint_paths) == [str(tmp_path / "net-2"), str(tmp_path / "net-1")]
    assert state.model_checkpoint_path == str(tmp_path / "net-1")


def test_a_listed_export_that_somebody_removed_is_listed_no_more(tmp_path):
    write(tmp_path / "net-1")
    (tmp_path / "net-1.index").unlink()
    write(tmp_path / "net-2")
    assert list(tf.train.get_checkpoint_state(tmp_path).all_model_checkpoint_paths) == [str(tmp_path / "net-2")]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe garbage", b"model_checkpoint_path: 3"])
def test_a_state_file_that_is_none_is_replaced(tmp_path, content):
    (tmp_path / "checkpoint").write_bytes(content)
    write(tmp_path / "net")
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "net")


def test_the_manifest_records_size_and_hash_of_each_file(tmp_path):
    given = {"epoch": 3}
    write_checkpoint(tmp_path / "net", {"w": np.ones(3)}, b"graph", given)
    manifest = read_manifest(tmp_path / "net")
    assert manifest["epoch"] == 3
    assert sorted(manifest["files"]) == ["net.data-00000-of-00001", "net.index", "net.meta"]
    assert manifest["files"]["net.meta"]["size"] == 5
    assert changed_files(tmp_path / "net", manifest) == []
    assert given == {"epoch": 3}

    (tmp_path / "net.meta").write_bytes(b"other")
    (tmp_path / "net.index").unlink()
    assert changed_files(tmp_path / "net", manifest) == ["net.index", "net.meta"]


def test_the_manifest_is_strict_json_whatever_the_logs_hold(tmp_path):
    logs = {"nan": float("nan"), "inf": -np.float32(np.inf), "loss": np.float32(0.5), "tensor": tf.constant([1, 2])}
    logs.update(half=tf.constant(0.5, tf.bfloat16), long=np.longdouble(0.25), complex=np.clongdouble(1))
    write(tmp_path / "net", logs=dict(logs, path=tmp_path, accents="é"))

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    text = (tmp_path / "net.json").read_text("utf-8")
    expected = {"nan": "NaN", "inf": "-Infinity", "loss": 0.5, "tensor": [1, 2]}
    expected.update(path=str(tmp_path), accents="é", half=0.5, long=0.25, complex="(1+0j)")
    assert json.loads(text, parse_constant=refuse)["logs"] == expected
    assert "é" in text


def test_an_export_replaces_the_one_under_the_same_prefix(tmp_path):
    write(tmp_path / "net", number=1, meta_graph=b"one graph")
    write(tmp_path / "net", number=2, meta_graph=b"other graph")
    assert number_of(tmp_path / "net") == 2
    assert (tmp_path / "net.meta").read_bytes() == b"other graph"
    assert changed_files(tmp_path / "net", read_manifest(tmp_path / "net")) == []
    assert sorted(os.listdir(tmp_path)) == ["checkpoint"] + FILES


def test_a_meta_graph_that_did_not_change_is_not_written_again(tmp_path):
    write(tmp_path / "net", number=1)
    before = (tmp_path / "net.meta").stat()
    write(tmp_path / "net", number=2)
    after = (tmp_path / "net.meta").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert changed_files(tmp_path / "net", read_manifest(tmp_path / "net")) == []


def test_shards_of_what_another_program_wrote_there_are_removed(tmp_path):
    for name in ["net.index", "net.data-00000-of-00002", "net.data-00001-of-00002", "net-1.data-00001-of-00002"]:
        (tmp_path / name).write_bytes(b"foreign")
    write(tmp_path / "net")
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "net-1.data-00001-of-00002"] + FILES


@pytest.mark.parametrize("step", ["write_file", "move", "link", "sync_file", "sync_folder"])
def test_an_error_at_any_step_leaves_one_export_whole_and_nothing_else(tmp_path, monkeypatch, step):
    for failing_call in range(1, 30):
        folder = tmp_path / str(failing_call)
        write(folder / "net", number=1, meta_graph=b"one graph")
        before = contents(folder)
        calls, error = write_with_failure(monkeypatch, step, failing_call, folder / "net")
        if calls < failing_call:
            break
        assert changed_files(folder / "net", read_manifest(folder / "net")) == []
        assert tf.train.latest_checkpoint(folder) == str(folder / "net")
        if error:
            assert sorted(os.listdir(folder)) == sorted(before)
        else:
            assert number_of(folder / "net") == 2
        if error and failing_call < calls_before_commit(step):
            assert contents(folder) == before
    assert failing_call > calls_before_commit(step) > 1


def calls_before_commit(step):
    """How often the step is taken, at least, before the state file names the new export."""
    return {"write_file": 5, "move": 6, "link": 4, "sync_file": 7, "sync_folder": 4}[step]


def write_with_failure(monkeypatch, step, failing_call, prefix):
    """Writes with the n-th call of a step failing: (number of calls, the error or None)."""
    original, calls = getattr(storage, step), []

    def fail_once(*args):
        calls.append(args)
        if len(calls) == failing_call:
            raise OSError(errno.EIO, "Input/output error")
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(storage, step, fail_once)
        try:
            write(prefix, number=2, meta_graph=b"other graph")
        except CheckpointWriteError as error:
            assert "Input/output error" in str(error)
            return len(calls), error
    return len(calls), None


def test_a_full_disk_is_named_with_the_way_out(tmp_path, monkeypatch):
    def full(**_):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    write(tmp_path / "net", number=1)
    before = contents(tmp_path)
    monkeypatch.setattr(tf.raw_ops, "SaveV2", full)
    with pytest.raises(CheckpointWriteError) as caught:
        write(tmp_path / "net", number=2)
    assert str(caught.value) == (
        f"The checkpoint {str(tmp_path / 'net')!r} could not be written (what stood there before is intact): No space"
        " left on device. The disk is full: free some space, or keep fewer exports (max_to_keep)."
    )
    assert contents(tmp_path) == before


def test_an_interrupt_is_undone_and_passed_on(tmp_path, monkeypatch):
    write(tmp_path / "net", number=1)
    before, original = contents(tmp_path), storage.move

    def interrupted(source, destination):
        original(source, destination)
        if os.path.join("new", "net.data") in source:
            raise KeyboardInterrupt

    monkeypatch.setattr(storage, "move", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "net", number=2)
    assert contents(tmp_path) == before


def test_what_could_not_be_undone_at_once_is_undone_by_the_next_write(tmp_path, monkeypatch):
    write(tmp_path / "net", number=1)
    original = storage.move

    def interrupted(source, destination):
        if destination.endswith("net.data-00000-of-00001"):
            raise KeyboardInterrupt
        original(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "move", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "net", number=2)
    assert number_of(tf.train.latest_checkpoint(tmp_path)) == 1
    write(tmp_path / "other", number=3)
    assert (number_of(tmp_path / "net"), number_of(tmp_path / "other")) == (1, 3)
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_a_file_system_without_hard_links_is_served_by_copies(tmp_path, monkeypatch):
    def no_links(source, destination):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    write(tmp_path / "net", number=1)
    write(tmp_path / "net", number=2)
    assert number_of(tmp_path / "net") == 2
    assert sorted(os.listdir(tmp_path)) == ["checkpoint"] + FILES


@needs(tf="2.8", reason="earlier versions do not list `ram://` as a file system")
def test_a_store_that_is_no_local_folder_is_written_alike():
    write("ram://exports/run/net", number=1)
    write("ram://exports/run/net", number=2)
    assert sorted(tf.io.gfile.listdir("ram://exports/run")) == ["checkpoint"] + FILES
    assert tf.train.latest_checkpoint("ram://exports/run") == "ram://exports/run/net"
    assert number_of("ram://exports/run/net") == 2
    with pytest.raises(InvalidArgumentError, match="needs a folder, as in 'ram://exports/net'"):
        write("ram://net")


def test_an_export_can_be_written_while_a_graph_is_being_built(tmp_path):
    with tf.Graph().as_default() as graph:
        write_checkpoint(tmp_path / "net", {"w": np.float32([1, 2])}, b"", {})
    assert graph.get_operations() == []
    assert read_tensors(tmp_path / "net")["w"].tolist() == [1, 2]


def test_tensorflow_1_in_graph_mode_can_be_the_writer(tmp_path, reader):
    reader.run(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import numpy as np
        import tensorflow as tf
        from keras_gensynth_callback.checkpoint import CheckpointManager, check_writable, write_checkpoint

        tf.disable_eager_execution()
        check_writable(sys.argv[2])
        for number in (1, 2):
            arrays = {"w": np.float32([number]), "name": np.array([b"a", b"bc"])}
            write_checkpoint(sys.argv[2], arrays, b"graph", {"number": number})
        CheckpointManager(max_to_keep=1).add(sys.argv[2])
        assert tf.get_default_graph().get_operations() == []
        """,
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
        tmp_path / "é" / "net",
    )
    assert tf.train.latest_checkpoint(tmp_path / "é") == str(tmp_path / "é" / "net")
    assert {name: value.tolist() for name, value in read_tensors(tmp_path / "é" / "net").items()} == {
        "w": [2],
        "name": [b"a", b"bc"],
    }
    assert read_manifest(tmp_path / "é" / "net")["number"] == 2


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({}, "no tensors to write"),
        ({"": np.ones(1)}, "must be a str that is not empty, but got ''"),
        ({"w": 1.5}, "value of 'w' must be an eager tensor, a variable or an array, but got float"),
    ],
)
def test_what_no_checkpoint_can_hold_is_refused(tmp_path, tensors, words):
    with pytest.raises(InvalidArgumentError, match=words):
        write_checkpoint(tmp_path / "net", tensors, b"", {})
    assert os.listdir(tmp_path) == []
