"""`fit` and `fit_generator` in TensorFlow 1.15's own Keras: when exports are made, and that training is left alone."""

import pathlib

from needs import in_tf1

pytestmark = in_tf1

REPOSITORY = pathlib.Path(__file__).parents[2]
PROGRAM = pathlib.Path(__file__).parents[1].joinpath("helpers", "training_in_tf1_program.py")


def test_exports_are_made_when_they_are_due_whatever_trains(reader, tmp_path):
    ways = [
        "epochs_from_an_initial_one",
        "the_best_alone",
        "every_second_batch",
        "a_generator",
        "a_dataset",
        "models_that_export_by_themselves",
        "the_same_weights_as_without",
    ]
    assert "all of it holds" in reader.run(PROGRAM, REPOSITORY, tmp_path, *ways)


def test_eager_execution_is_refused_before_training(reader, tmp_path):
    assert "all of it holds" in reader.run(PROGRAM, REPOSITORY, tmp_path, "eager_execution_is_refused")
