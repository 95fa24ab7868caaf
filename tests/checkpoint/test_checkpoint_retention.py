"""Which exports stay, and that nothing else is touched."""

import os

import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback.checkpoint import CheckpointManager, retention, storage, write_checkpoint
from keras_gensynth_callback.errors import CheckpointWriteError, InvalidArgumentError


def export(manager, prefix, is_best=False):
    write_checkpoint(prefix, {"w": np.ones(1)}, b"graph", {})
    manager.add(prefix, is_best)


def on_disk(folder):
    return sorted(name[: -len(".index")] for name in os.listdir(folder) if name.endswith(".index"))


def listed(folder):
    state = tf.train.get_checkpoint_state(folder)
    return [os.path.basename(path) for path in state.all_model_checkpoint_paths] if state else None


def test_the_newest_stay(tmp_path):
    manager = CheckpointManager(max_to_keep=2)
    for epoch in range(1, 5):
        export(manager, tmp_path / f"net-{epoch}")
    assert manager.checkpoints == [str(tmp_path / "net-3"), str(tmp_path / "net-4")]
    assert manager.latest_checkpoint == str(tmp_path / "net-4")
    assert listed(tmp_path) == ["net-3", "net-4"]
    suffixes = [".data-00000-of-00001", ".index", ".json", ".meta"]
    expected = ["checkpoint"] + [name + suffix for name in ("net-3", "net-4") for suffix in suffixes]
    assert sorted(os.listdir(tmp_path)) == expected


def test_without_a_limit_all_stay(tmp_path):
    manager = CheckpointManager(max_to_keep=None)
    assert (manager.checkpoints, manager.latest_checkpoint) == ([], None)
    for epoch in range(1, 8):
        export(manager, tmp_path / f"net-{epoch}")
    assert len(on_disk(tmp_path)) == len(manager.checkpoints) == 7


def test_the_best_stays_beside_the_newest(tmp_path):
    manager = CheckpointManager(max_to_keep=2)
    for epoch in range(1, 6):
        export(manager, tmp_path / f"net-{epoch}", is_best=epoch == 1)
    assert on_disk(tmp_path) == listed(tmp_path) == ["net-1", "net-4", "net-5"]


def test_the_best_among_the_newest_is_one_of_them(tmp_path):
    manager = CheckpointManager(max_to_keep=2)
    for epoch in range(1, 6):
        export(manager, tmp_path / f"net-{epoch}", is_best=epoch == 4)
    assert on_disk(tmp_path) == ["net-4", "net-5"]


def test_a_better_one_takes_the_protection_over(tmp_path):
    manager = CheckpointManager(max_to_keep=1)
    for epoch in range(1, 5):
        export(manager, tmp_path / f"net-{epoch}", is_best=epoch in (1, 3))
    assert on_disk(tmp_path) == listed(tmp_path) == ["net-3", "net-4"]


@needs(tf="2.5", reason="TensorFlow 2.4 does not have `ram://`")
def test_one_each_n_hours_stays_as_with_tensorflows_saver(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(retention.time, "time", lambda: now[0])
    manager = CheckpointManager(max_to_keep=1, keep_checkpoint_every_n_hours=2)
    for half_hours in range(1, 13):
        now[0] = 1800.0 * half_hours
        export(manager, tmp_path / f"net-{half_hours:02d}")
    assert kept_by_saver(now, monkeypatch) == [5, 9, 12]
    assert on_disk(tmp_path) == listed(tmp_path) == ["net-05", "net-09", "net-12"]


def kept_by_saver(now, monkeypatch):
    """What `Saver` keeps of the same twelve exports."""
    folder = "ram://saver"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.get_variable("w", initializer=1.0).initializer)
        now[0] = 0.0
        saver = tf.compat.v1.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=2)
        for half_hours in range(1, 13):
            now[0] = 1800.0 * half_hours
            saver.save(session, f"{folder}/net", global_step=half_hours, write_meta_graph=False)
    indexes = [name for name in tf.io.gfile.listdir(folder) if name.endswith(".index")]
    return sorted(int(name[len("net-") : -len(".index")]) for name in indexes)


def test_the_same_prefix_again_is_the_newest_and_listed_once(tmp_path):
    manager = CheckpointManager(max_to_keep=2)
    for base in ["a", "b", "a", "c"]:
        export(manager, tmp_path / base)
    assert manager.checkpoints == [str(tmp_path / "a"), str(tmp_path / "c")]
    assert on_disk(tmp_path) == listed(tmp_path) == ["a", "c"]


def test_one_prefix_spelled_in_two_ways_is_one_export(tmp_path):
    manager = CheckpointManager(max_to_keep=1)
    (tmp_path / "sub").mkdir()
    export(manager, tmp_path / "net")
    export(manager, os.path.join(str(tmp_path), "sub", "..", "net"))
    assert len(manager.checkpoints) == 1
    assert on_disk(tmp_path) == ["net"]


@pytest.mark.parametrize("base", ["net", "n?t", "n*"])
def test_nothing_but_the_files_of_the_dropped_prefix_is_removed(tmp_path, base):
    neighbours = ["net-1.index", "net.index.bak", "net.h5", "nat.index", "net.data-1-of-2", "my net.index", "net.md"]
    for name in neighbours:
        (tmp_path / name).write_bytes(b"mine")
    manager = CheckpointManager(max_to_keep=1)
    export(manager, tmp_path / base)
    export(manager, tmp_path / "newer")
    left = {name for name in os.listdir(tmp_path) if not name.startswith("newer")}
    assert left == {"checkpoint", *neighbours}


def test_what_others_export_to_the_folder_stays_listed(tmp_path):
    write_checkpoint(tmp_path / "other", {"w": np.ones(1)}, b"graph", {})
    manager = CheckpointManager(max_to_keep=1)
    export(manager, tmp_path / "net-1")
    export(manager, tmp_path / "net-2")
    assert on_disk(tmp_path) == ["net-2", "other"]
    assert listed(tmp_path) == ["other", "net-2"]


def test_each_folder_has_its_own_state_file(tmp_path):
    manager = CheckpointManager(max_to_keep=2)
    for folder, base in [("a", "net-1"), ("a", "net-2"), ("b", "net-3"), ("c", "net-4")]:
        export(manager, tmp_path / folder / base)
        for name in os.listdir(tmp_path):
            assert listed(tmp_path / name) == (on_disk(tmp_path / name) or None)
    assert os.listdir(tmp_path / "a") == []
    assert (listed(tmp_path / "b"), listed(tmp_path / "c")) == (["net-3"], ["net-4"])


def test_files_go_only_after_the_state_file_names_them_no_more(tmp_path, monkeypatch):
    manager, original, removed = CheckpointManager(max_to_keep=1), storage.remove, []

    def remove(path):
        if "net-1" in path:
            removed.append(path)
            assert listed(tmp_path) == ["net-2"]
        original(path)

    export(manager, tmp_path / "net-1")
    monkeypatch.setattr(storage, "remove", remove)
    export(manager, tmp_path / "net-2")
    assert len(removed) == 4
    assert removed[0].endswith("net-1.index")


def test_a_file_that_cannot_be_removed_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise tf.errors.PermissionDeniedError(None, None, f"{path}; Permission denied")

    manager = CheckpointManager(max_to_keep=1)
    export(manager, tmp_path / "net-1")
    write_checkpoint(tmp_path / "net-2", {"w": np.ones(1)}, b"graph", {})
    monkeypatch.setattr(storage, "remove", refuse)
    with pytest.raises(
        CheckpointWriteError, match="net-1' could not be removed.*Give this process the right"
    ) as caught:
        manager.add(tmp_path / "net-2")
    assert "net-1.index; Permission denied" in str(caught.value)


# A program that is started again


def series(manager, folder, count, best=()):
    """Exports `net-1` ... with the manifests that a training writes."""
    for epoch in range(1, count + 1):
        manifest = {"logs": {"val_loss": 1.0 / epoch}, "retention": manager.label(epoch in best)}
        write_checkpoint(folder / f"net-{epoch}", {"w": np.ones(1)}, b"graph", manifest)
        manager.add(folder / f"net-{epoch}", epoch in best)


def new_manager(**options):
    return CheckpointManager(series={"filepath": "net-{epoch}"}, **options)


def test_exports_of_an_earlier_program_are_taken_up(tmp_path):
    series(new_manager(max_to_keep=2), tmp_path, 5, best=[1, 2])
    manager = new_manager(max_to_keep=2)
    best = manager.restore(str(tmp_path))
    assert best["logs"]["val_loss"] == 0.5
    assert manager.checkpoints == [str(tmp_path / f"net-{epoch}") for epoch in (2, 4, 5)]
    export(manager, tmp_path / "net-6")
    assert on_disk(tmp_path) == listed(tmp_path) == ["net-2", "net-5", "net-6"]
    export(manager, tmp_path / "net-7", is_best=True)
    assert on_disk(tmp_path) == ["net-6", "net-7"]


def test_exports_of_another_series_are_not_taken_up(tmp_path):
    series(new_manager(), tmp_path, 2, best=[1])
    write_checkpoint(tmp_path / "foreign", {"w": np.ones(1)}, b"graph", {})
    for other in [CheckpointManager(), CheckpointManager(series={"filepath": "net"})]:
        assert other.restore(str(tmp_path)) is None
        assert other.checkpoints == []


def test_exports_that_stayed_for_good_stay_after_a_restart(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(retention.time, "time", lambda: now[0])

    def write(manager, half_hours):
        now[0] = 1800.0 * half_hours
        prefix = tmp_path / f"net-{half_hours:02d}"
        write_checkpoint(prefix, {"w": np.ones(1)}, b"graph", {"retention": manager.label()})
        manager.add(prefix)

    manager = new_manager(max_to_keep=1, keep_checkpoint_every_n_hours=2)
    for half_hours in range(1, 8):
        write(manager, half_hours)
    assert on_disk(tmp_path) == ["net-05", "net-07"]
    manager = new_manager(max_to_keep=1, keep_checkpoint_every_n_hours=2)
    manager.restore(str(tmp_path))
    for half_hours in range(8, 13):
        write(manager, half_hours)
    # Without the restart it is the 9th: hours count from the moment at which the last one that stayed was written.
    assert on_disk(tmp_path) == ["net-05", "net-10", "net-12"]


def test_an_export_whose_manifest_is_spoilt_is_left_alone(tmp_path):
    series(new_manager(), tmp_path, 3)
    (tmp_path / "net-2.json").write_text("{")
    manager = new_manager(max_to_keep=1)
    manager.restore(str(tmp_path))
    export(manager, tmp_path / "net-4")
    assert on_disk(tmp_path) == ["net-2", "net-4"]


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "5"])
def test_max_to_keep_is_checked(value):
    with pytest.raises(InvalidArgumentError, match="max_to_keep must be None .* at least 1, but got"):
        CheckpointManager(max_to_keep=value)


@pytest.mark.parametrize("value", [0, -1.5, True, "1"])
def test_keep_checkpoint_every_n_hours_is_checked(value):
    with pytest.raises(InvalidArgumentError, match="keep_checkpoint_every_n_hours must be None .* above 0, but got"):
        CheckpointManager(keep_checkpoint_every_n_hours=value)
