"""The lock of a series on Windows, with a module that stands in for `msvcrt`: it locks bytes, one owner each."""

import os
import types

import pytest

from keras_gensynth_callback.checkpoint import lock
from keras_gensynth_callback.errors import FolderInUseError


@pytest.fixture
def owners(monkeypatch):
    """{file and byte: the descriptor that has it}; the module has no `fcntl` meanwhile."""
    found = {}

    def locking(descriptor, mode, count):
        key = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        assert count == 1
        if mode == "unlock":
            if found.get(key) != descriptor:
                raise PermissionError("not locked")
            del found[key]
        elif found.setdefault(key, descriptor) != descriptor:
            raise PermissionError("locked by another")

    modes = {"LK_LOCK": "wait", "LK_NBLCK": "try", "LK_UNLCK": "unlock"}
    monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setattr(lock, "msvcrt", types.SimpleNamespace(locking=locking, **modes))
    return found


def test_a_series_is_of_one_training_at_a_time(owners, tmp_path):
    first = lock.Claim(str(tmp_path), "net-{epoch}")
    assert len(owners) == 1
    with pytest.raises(FolderInUseError, match=f"written by another training, process {os.getpid()}, at this moment"):
        lock.Claim(str(tmp_path), "net-{epoch}")
    other = lock.Claim(str(tmp_path), "other")
    del first
    again = lock.Claim(str(tmp_path), "net-{epoch}")
    assert len(owners) == 2
    del other, again
    assert not owners and not list(tmp_path.iterdir())


def test_the_byte_that_is_locked_is_none_of_the_files_own(owners, tmp_path):
    claim = lock.Claim(str(tmp_path), "net")
    ((_, place),) = owners
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < place
    del claim
