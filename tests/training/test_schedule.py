"""When an export is due, without a model: batches by distance, epochs by period, seconds at batch ends."""

import numpy as np
import pytest
from needs import in_tf1

from keras_gensynth_callback.training.monitor import Monitor
from keras_gensynth_callback.training.prefix_template import PrefixTemplate
from keras_gensynth_callback.training.schedule import Schedule

pytestmark = in_tf1


def due_batches(schedule, epochs, batches_an_epoch, steps_per_execution=1):
    """The batches, counted from 1 across epochs, after which an export was due."""
    found = []
    for epoch in range(epochs):
        schedule.begin_epoch()
        for end in range(steps_per_execution - 1, batches_an_epoch, steps_per_execution):
            if schedule.after_batch(end):
                found.append(epoch * batches_an_epoch + end + 1)
    return found


def test_batches_are_counted_across_epochs():
    assert due_batches(Schedule(5), epochs=3, batches_an_epoch=4) == [5, 10]


def test_under_steps_per_execution_the_distance_counts_and_not_the_number_of_calls():
    assert due_batches(Schedule(5), epochs=1, batches_an_epoch=18, steps_per_execution=3) == [6, 12, 18]


def test_an_epoch_of_one_execution_counts_all_its_batches():
    assert due_batches(Schedule(8), epochs=4, batches_an_epoch=4, steps_per_execution=4) == [8, 16]


def test_counting_goes_on_in_the_next_fit():
    schedule = Schedule(5)
    schedule.begin()
    assert due_batches(schedule, epochs=1, batches_an_epoch=3) == []
    schedule.begin()
    assert due_batches(schedule, epochs=1, batches_an_epoch=3) == [2]


def test_every_second_epoch():
    schedule = Schedule("epoch", period=2)
    assert [schedule.after_epoch() for _ in range(5)] == [False, True, False, True, False]


@pytest.mark.parametrize("save_freq", [3, "train_end"])
def test_epoch_ends_are_not_due_for_other_frequencies(save_freq):
    assert Schedule(save_freq).after_epoch() is False


def test_seconds_are_looked_at_when_a_batch_ends():
    now = [0.0]
    schedule = Schedule("train_end", save_secs=10, clock=lambda: now[0])
    schedule.begin()
    seen = []
    for batch, now[0] in enumerate([4.0, 9.9, 10.0, 15.0, 20.1, 45.0]):
        seen.append(schedule.after_batch(batch))
    assert seen == [False, False, True, False, True, True]


def test_seconds_count_from_the_last_export_of_whatever_reason():
    now = [0.0]
    schedule = Schedule(2, save_secs=10, clock=lambda: now[0])
    schedule.begin()
    assert schedule.after_batch(0) is False
    now[0] = 9.0
    assert schedule.after_batch(1) is True
    now[0] = 12.0
    assert schedule.after_batch(2) is False


def test_only_schedules_with_work_between_epochs_ask_for_batches():
    assert [Schedule("epoch").exports_on_batches, Schedule("train_end").exports_on_batches] == [False, False]
    assert [Schedule(1).exports_on_batches, Schedule("epoch", save_secs=60).exports_on_batches] == [True, True]


@pytest.mark.parametrize(
    ("key", "better"),
    [("loss", 0.1), ("val_loss", 0.1), ("mae", 0.1), ("val_accuracy", 0.9), ("acc", 0.9), ("auc_1", 0.9)],
)
def test_auto_mode_reads_the_direction_from_the_name(key, better):
    monitor = Monitor(key, best=0.5)
    assert monitor.improves(better, model=None)
    assert not monitor.improves(1 - better, model=None)
    assert not monitor.improves(0.5, model=None)


def test_auto_mode_asks_the_metric_first(keras3):
    model = keras3.Sequential([keras3.Input((2,)), keras3.layers.Dense(2)])
    model.compile(loss="mse", metrics=[keras3.metrics.R2Score(name="score")])
    model.fit(np.eye(2), np.eye(2), verbose=0)
    assert Monitor("val_score", best=0.5).improves(0.9, model)
    assert not Monitor("val_other", best=0.5).improves(0.9, model)


def test_nan_never_improves_and_never_blocks_what_follows():
    monitor = Monitor("loss")
    assert not monitor.improves(float("nan"), model=None)
    assert monitor.improves(0.5, model=None)


def test_the_trial_prefix_lies_in_the_folder_that_every_export_goes_to():
    assert PrefixTemplate("exports/run-{epoch}/net").trial_prefix == "exports/run-"
    assert PrefixTemplate("exports/{epoch}").trial_prefix == "exports/trial"
    assert PrefixTemplate("{epoch}").trial_prefix == "trial"
    assert PrefixTemplate("exports/{{x}}/net").trial_prefix == "exports/{x}/net"


def test_a_template_is_filled_from_1_and_its_own_keys_win_over_the_logs():
    template = PrefixTemplate("net-{epoch:02d}-{batch}-{loss:.1f}")
    assert template.format(epoch=1, batch=7, logs={"loss": 0.25, "batch": 99.0}) == "net-01-7-0.2"
