"""A folder of exports may come out of somebody's archive: nothing in it leads out of it, hangs, or stops exports."""

import json
import logging
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from keras_gensynth_callback.checkpoint import (
    CheckpointManager,
    changed_files,
    check_writable,
    claim,
    lock,
    read_manifest,
    read_tensors,
    scratch,
    state,
    write_checkpoint,
)
from keras_gensynth_callback.errors import CheckpointFormatError, CheckpointWriteError

SCRATCH = ".gensynth-tmp-00000000-1-00000000-0"
SERIES = {"filepath": "net-{epoch}"}
LONG_AGO = time.time() - 3 * 86400

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")


@pytest.fixture
def victim(tmp_path):
    """A folder of the user's, which must be as it was when the test ends."""
    folder = tmp_path / "victim"
    folder.mkdir()
    for name in ("precious", "net.json", "net.meta", "net.index", "net.data-00000-of-00001", "journal", "checkpoint"):
        (folder / name).write_text("the user's own")
    (folder / "previous").mkdir()
    for name in ("net.index", "net.data-00000-of-00001"):
        (folder / "previous" / name).write_text("the user's own")
    before = tree(folder)
    yield folder
    assert tree(folder) == before


@pytest.fixture
def exports(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


@pytest.fixture
def leftover(exports):
    folder = exports / SCRATCH
    folder.mkdir()
    return folder


def tree(folder):
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else None, path.lstat().st_nlink)
        for path in folder.rglob("*")
    }


def age(path):
    os.utime(path, (LONG_AGO, LONG_AGO))


def write(prefix, number=1, **manifest):
    write_checkpoint(prefix, {"w": np.float32([number])}, b"graph %d" % number, manifest)


def write_next(folder, base="net"):
    """What a training does in this folder; there must be a sound export then."""
    check_writable(folder / base)
    manager = CheckpointManager(max_to_keep=1, series=SERIES)
    held = claim(str(folder), SERIES["filepath"])
    manager.restore(str(folder))
    write(folder / base, 5, retention=manager.label())
    manager.add(folder / base)
    del held
    assert state.listed(str(folder))[-1] == base
    assert changed_files(folder / base, read_manifest(folder / base)) == []
    assert read_tensors(folder / base)["w"].tolist() == [5]


# Scratch folders and journals


def test_a_link_with_the_name_of_a_scratch_folder_is_removed_and_not_followed(exports, victim):
    age(victim)
    for number, target in enumerate([victim, victim / "precious", victim / "missing"]):
        os.symlink(target, exports / (SCRATCH[:-1] + str(number)))
    os.utime(exports / (SCRATCH[:-1] + "2"), (LONG_AGO, LONG_AGO), follow_symlinks=False)
    for number in (0, 1):
        os.utime(exports / (SCRATCH[:-1] + str(number)), (LONG_AGO, LONG_AGO), follow_symlinks=False)
    write_next(exports)
    assert not [name for name in os.listdir(exports) if name.startswith(".")]


def test_links_inside_of_a_scratch_folder_are_not_followed(exports, victim, leftover):
    os.symlink(victim, leftover / "new")
    os.symlink(victim / "precious", leftover / "draft")
    os.link(victim / "precious", leftover / "again.index")
    age(leftover)
    write_next(exports)
    assert not leftover.exists()


@pytest.mark.parametrize("linked", ["journal", "previous"])
def test_a_link_in_place_of_journal_or_previous_export_is_not_followed(exports, victim, leftover, linked):
    (victim / "journal").write_text("net")
    (leftover / "journal").write_text("net") if linked == "previous" else (leftover / "previous").mkdir()
    os.symlink(victim / linked, leftover / linked)
    age(leftover)
    write(exports / "net-9", 9)
    before = tree(victim)
    write_next(exports, "other")
    assert tree(victim) == before
    assert not list(exports.glob("net.*"))
    (victim / "journal").write_text("the user's own")


@pytest.mark.parametrize(
    "content",
    [b"../victim/net", b"{victim}/net", b"..", b".", b"", b"\xff\xfe\x00", b"net\x00", b"a\\b", b"n" * 5000],
    ids=lambda content: repr(content[:12]),
)
def test_a_journal_that_says_no_name_is_passed_over(exports, victim, leftover, content):
    (leftover / "previous").mkdir()
    (leftover / "journal").write_bytes(content.replace(b"{victim}", os.fsencode(victim)))
    age(leftover)
    write_next(exports)
    assert not leftover.exists()


def pipe(path):
    os.mkfifo(path)


def folder(path):
    (path / "deeper").mkdir(parents=True)


def endless(path):
    os.symlink("/dev/zero", path)


ODD = [pipe, folder, endless]


@pytest.mark.parametrize("odd", ODD)
def test_a_journal_that_is_no_file_is_passed_over(exports, leftover, odd):
    odd(leftover / "journal")
    age(leftover)
    write_next(exports)
    assert not leftover.exists()


def test_a_journal_of_a_gigabyte_is_passed_over(exports, leftover):
    with open(leftover / "journal", "wb") as file:
        file.truncate(1 << 30)
    age(leftover)
    write_next(exports)


def test_a_scratch_folder_that_is_nested_without_end_is_left_alone(exports, leftover, caplog):
    home = os.getcwd()
    os.chdir(leftover)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(home)
    age(leftover)
    write_next(exports)
    assert "nested more than 8 levels deep" in caplog.text
    subprocess.run(["rm", "-rf", str(leftover)], check=True)


@pytest.mark.parametrize("pid", ["0", "99999999999999999999"])
def test_a_number_that_no_process_has_is_that_of_a_dead_one(exports, pid):
    host = scratch.new_name().split("-")[2]
    (exports / f".gensynth-tmp-{host}-{pid}-00000000-0").mkdir()
    write_next(exports)
    assert not [name for name in os.listdir(exports) if name.startswith(".")]


def test_what_the_state_file_names_in_a_scratch_folder_with_a_spoilt_journal_stays(exports):
    write(exports / "net-1", 1)
    leftover = exports / SCRATCH
    (leftover / "previous").mkdir(parents=True)
    for path in exports.glob("net-1.*"):
        path.rename(leftover / "previous" / path.name)
    (exports / "checkpoint").write_text(f'model_checkpoint_path: "{SCRATCH}/previous/net-1"\n')
    (leftover / "journal").write_bytes(b"\xff")
    age(leftover)
    write_next(exports, "net-2")
    assert state.listed(str(exports)) == [f"{SCRATCH}/previous/net-1", "net-2"]
    assert read_tensors(leftover / "previous" / "net-1")["w"].tolist() == [1]


# The files of an export


@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_in_place_of_the_files_of_an_export_are_replaced(exports, victim, link, dangling):
    if dangling and link is os.link:
        return
    names = ["net.meta", "net.index", "net.json", "net.data-00000-of-00001", "checkpoint"]
    for name in names:
        link(victim / ("missing" if dangling else name), exports / name)
    write_next(exports)
    for name in names:
        assert not os.path.islink(exports / name)
        (exports / name).unlink()
    assert not (victim / "missing").exists()


@pytest.mark.parametrize("name", ["net.meta", "net.index", "net.json", "net.data-00000-of-00001", "checkpoint"])
def test_a_pipe_in_place_of_a_file_of_the_export_is_replaced(exports, name):
    pipe(exports / name)
    write_next(exports)
    assert (exports / name).is_file()


@pytest.mark.parametrize("name", ["net.meta", "net.index", "net.json", "net.data-00000-of-00001", "checkpoint"])
def test_a_folder_in_place_of_a_file_of_the_export_is_an_error_that_names_it(exports, name):
    (exports / name).mkdir()
    with pytest.raises(CheckpointWriteError, match=f"{name}.*Move that folder away, or choose another name"):
        write_next(exports)
    (exports / name).rmdir()
    assert os.listdir(exports) == []
    write_next(exports)


def test_a_file_whose_name_is_no_text_is_nobodys(exports):
    with open(os.fsencode(exports) + b"/\xff.index", "wb"):
        pass
    write_next(exports)


# The state file


def state_of(*paths):
    lines = [f'model_checkpoint_path: "{paths[-1]}"'] + [f'all_model_checkpoint_paths: "{path}"' for path in paths]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("odd", [pipe, endless])
def test_a_state_file_that_is_no_file_is_replaced(exports, odd, caplog):
    odd(exports / "checkpoint")
    write_next(exports)
    assert "is no state file, and is taken for none" in caplog.text


def test_a_state_file_of_a_gigabyte_is_replaced(exports):
    with open(exports / "checkpoint", "wb") as file:
        file.truncate(1 << 30)
    write_next(exports)
    assert os.path.getsize(exports / "checkpoint") < 1000


@pytest.mark.parametrize("name", ["net-%d", "../other/net-%d", "sub/net-%d", "gs://bucket/net-%d"])
def test_a_state_file_of_many_lines_is_read_and_shortened(exports, name):
    (exports / "checkpoint").write_text(state_of(*(name % number for number in range(200000))))
    start = time.process_time()
    write_next(exports)
    assert os.path.getsize(exports / "checkpoint") < 100000
    assert time.process_time() - start < 60


def test_what_the_state_file_names_elsewhere_is_kept_and_nothing_is_done_there(tmp_path):
    manager = CheckpointManager(series=SERIES)
    for number in (1, 2):
        write(tmp_path / "other" / f"net-{number}", number, retention=manager.label())
    before = tree(tmp_path / "other")
    exports = tmp_path / "exports"
    exports.mkdir()
    absolute = str(tmp_path / "other" / "net-1")
    (exports / "checkpoint").write_text(state_of(absolute, "../other/net-2", "gs://nobody/net-3"))
    write_next(exports)
    assert state.listed(str(exports)) == [absolute, "../other/net-2", "gs://nobody/net-3", "net"]
    assert tree(tmp_path / "other") == before


def test_names_of_this_folder_are_found_however_they_are_written(exports):
    for number in range(4):
        write(exports / f"net-{number}", number)
    (exports / "checkpoint").write_text(state_of("./net-0", str(exports / "net-1"), "net\\0552", "x/../net-3"))
    assert state.listed(str(exports)) == ["net-0", "net-1", "net-2", "net-3"]


# Manifests and retention

MANIFESTS = {
    "no table": b"[]",
    "wrong types": b'{"files": {"net-1.index": {"size": "big", "sha256": 3}}, "retention": 3}',
    "files elsewhere": b'{"files": {"../victim/precious": {"size": 14, "sha256": ""}}}',
    "nested": b"[" * 100000,
    "nested tables": b'{"a":' * 100000,
    "NaN": b'{"files": {}, "epoch": NaN, "retention": {"time": NaN}}',
    "a long number": b'{"files": {}, "epoch": ' + b"9" * 1000000 + b"}",
    "no text": b"\xff\xfe\x00",
    "empty": b"",
    "retention is a text": b'{"files": {}, "retention": "filepath"}',
}


@pytest.mark.parametrize("content", MANIFESTS.values(), ids=MANIFESTS)
def test_a_damaged_manifest_of_an_old_export_stops_no_training(exports, victim, content):
    write(exports / "net-1", 1)
    (exports / "net-1.json").write_bytes(content)
    write_next(exports, "net-2")
    assert read_tensors(exports / "net-1")["w"].tolist() == [1]
    with pytest.raises(CheckpointFormatError, match="is not a manifest"):
        read_manifest(exports / "net-1")


@pytest.mark.parametrize("odd", ODD)
def test_a_manifest_that_is_no_file_stops_no_training(exports, odd):
    write(exports / "net-1", 1)
    (exports / "net-1.json").unlink()
    odd(exports / "net-1.json")
    write_next(exports, "net-2")
    with pytest.raises(CheckpointFormatError, match="is not a manifest"):
        read_manifest(exports / "net-1")


@pytest.mark.parametrize("time", ["yesterday", None, float("nan"), 1e300, -1, [1]], ids=str)
def test_a_time_that_is_none_stops_no_training(exports, time):
    label = dict(CheckpointManager(series=SERIES).label(), time=time)
    write(exports / "net-1", 1, retention=label)
    manager = CheckpointManager(max_to_keep=1, keep_checkpoint_every_n_hours=1, series=SERIES)
    manager.restore(str(exports))
    write(exports / "net-2", 2, retention=manager.label())
    manager.add(exports / "net-2")
    assert manager.checkpoints[-1] == str(exports / "net-2")


def labelled(exports, base, number):
    write(exports / base, number, retention=CheckpointManager(series=SERIES).label())


def test_retention_removes_nothing_that_a_link_leads_to(exports, victim):
    labelled(exports, "net-1", 1)
    for path in exports.glob("net-1.*"):
        shutil.copy(path, victim / path.name)
        path.unlink()
        os.symlink(victim / path.name, path)
    before = tree(victim)
    write_next(exports, "net-2")
    assert tree(victim) == before
    assert len(list(exports.glob("net-1.*"))) == 4
    for path in victim.glob("net-1.*"):
        path.unlink()


def test_retention_removes_no_file_of_the_users_that_took_the_place_of_an_export(exports):
    manager = CheckpointManager(max_to_keep=1)
    write(exports / "net-1", 1)
    manager.add(exports / "net-1")
    write_checkpoint(exports / "net-9", {"mine": np.float32([3, 4])}, b"mine", {})
    for suffix in (".index", ".data-00000-of-00001", ".meta"):
        (exports / f"net-9{suffix}").replace(exports / f"net-1{suffix}")
    write(exports / "net-2", 2)
    manager.add(exports / "net-2")
    assert read_tensors(exports / "net-1")["mine"].tolist() == [3, 4]


def test_retention_leaves_files_that_the_manifest_does_not_list(exports):
    labelled(exports, "net-1", 1)
    (exports / "net-1.data-00000-of-00002").write_text("mine")
    write_next(exports, "net-2")
    assert sorted(path.name for path in exports.glob("net-1.*")) == ["net-1.data-00000-of-00002"]


def test_what_a_killed_program_removed_in_part_is_removed_to_the_end(exports):
    labelled(exports, "net-1", 1)
    (exports / "net-1.index").unlink()
    write_next(exports, "net-2")
    assert not list(exports.glob("net-1*"))


# Lock files


def lock_file(exports):
    held = claim(str(exports), SERIES["filepath"])
    (name,) = [name for name in os.listdir(exports) if name.startswith(".gensynth-lock")]
    del held
    return exports / name


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_in_place_of_a_lock_file_is_not_written_through(exports, victim, link):
    path = lock_file(exports)
    link(victim / "precious", path)
    held = claim(str(exports), SERIES["filepath"])
    assert path.read_text() == str(os.getpid())
    del held
    write_next(exports)


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_lock_file_keeps_nobody_out(exports, odd, caplog):
    path = lock_file(exports)
    odd(path)
    write_next(exports)
    assert odd is not folder or "where a lock file must stand" in caplog.text


# Clocks


HOLDS = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_scratch_folder_is_held_while_somebody_works_in_it(exports):
    with scratch.scratch_folder(str(exports)) as path:
        assert lock.is_held(path)
    os.mkdir(path)
    assert not lock.is_held(path)


@pytest.mark.parametrize("days", [-400, 3, 400])
def test_a_clock_that_jumps_takes_no_folder_away_from_a_writer_that_lives(exports, monkeypatch, days):
    name = scratch.new_name().split("-")
    name[2] = "ffffffff"  # as of another machine
    now = time.time()
    path = exports / "-".join(name)
    path.mkdir()
    command = [sys.executable, "-c", HOLDS, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    monkeypatch.setattr(scratch.time, "time", lambda: now + days * 86400)
    write_next(exports)
    assert path.exists()
    process.communicate("\n")
    write_next(exports)
    assert not path.exists()


def test_messages_of_what_is_passed_over_are_warnings_of_the_packages_logger(exports, leftover, caplog):
    (leftover / "journal").write_bytes(b"\xff")
    age(leftover)
    with caplog.at_level(logging.WARNING, "keras_gensynth_callback"):
        write_next(exports)
    assert json.dumps(caplog.messages).count("which was left behind, is put back") == 1
