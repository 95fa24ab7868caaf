"""A prefix that cannot be written is refused before training begins."""

import os
import pathlib

import pytest
from needs import in_tf1

from keras_gensynth_callback.checkpoint import check_writable
from keras_gensynth_callback.errors import CheckpointWriteError, InvalidArgumentError

pytestmark = in_tf1


def test_a_good_prefix_passes_and_the_trial_leaves_nothing(tmp_path):
    check_writable(tmp_path / "net")
    check_writable(str(tmp_path / "not" / "yet" / "there" / "net-{epoch:02d}"))
    assert os.listdir(tmp_path) == []


def test_the_trial_removes_no_folder_that_was_there(tmp_path):
    (tmp_path / "exports").mkdir()
    check_writable(tmp_path / "exports" / "deeper" / "net")
    assert os.listdir(tmp_path) == ["exports"]


def test_an_empty_prefix_is_refused():
    with pytest.raises(InvalidArgumentError, match="prefix is empty. Pass a folder and a name, such as 'exports/net'"):
        check_writable("")


def test_a_directory_is_refused(tmp_path):
    for prefix in [tmp_path, f"{tmp_path}/", f"{tmp_path}/missing/", f"{tmp_path}/missing/.."]:
        with pytest.raises(InvalidArgumentError, match="is a directory. A prefix is the beginning of file names"):
            check_writable(prefix)


def test_what_is_no_path_is_refused():
    with pytest.raises(InvalidArgumentError, match="must be a str or a PathLike, but got 3 of type int"):
        check_writable(3)


@pytest.mark.parametrize("folder", ["a_file", "a_file/deeper"])
def test_a_folder_below_a_regular_file_cannot_be_written(tmp_path, folder):
    (tmp_path / "a_file").write_bytes(b"")
    prefix = str(tmp_path / folder / "net")
    with pytest.raises(CheckpointWriteError) as caught:
        check_writable(prefix)
    assert f"The checkpoint {prefix!r} could not be written" in str(caught.value)
    assert "Check that its folder is there and can be written to, or choose another one." in str(caught.value)
    assert os.listdir(tmp_path) == ["a_file"]


@pytest.mark.skipif(not pathlib.Path("/proc/self").exists(), reason="needs a folder that not even root can write to")
def test_a_folder_that_nobody_can_write_to_is_refused():
    with pytest.raises(CheckpointWriteError, match="could not be written"):
        check_writable("/proc/exports/net")
    with pytest.raises(CheckpointWriteError, match="could not be written"):
        check_writable("/proc/net_of_mine")


def test_a_name_too_long_for_the_file_system_is_refused(tmp_path):
    with pytest.raises(CheckpointWriteError, match="name too long"):
        check_writable(tmp_path / ("n" * 250))
    assert os.listdir(tmp_path) == []
