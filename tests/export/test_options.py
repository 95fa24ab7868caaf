"""What an export is to be, and its moment: refused where they are made, and not changed later."""

import dataclasses

import pytest

from keras_gensynth_callback import GenSynthExportCallback, build_graph, convert_model_file, export_checkpoint
from keras_gensynth_callback.errors import InvalidArgumentError
from keras_gensynth_callback.options import ExportOptions, Moment

WRONG = {
    "target": "1.2",
    "graph": "training",
    "include_optimizer": 1,
    "input_signature": [3],
    "compute_dtype": "float16",
    "data_format": "channels_first",
    "verify": None,
}


@pytest.mark.parametrize("name", WRONG)
def test_everything_that_exports_refuses_an_option_in_the_same_words(name, tmp_path):
    options, said = {name: WRONG[name]}, []
    asked = [
        lambda: ExportOptions(**options),
        lambda: GenSynthExportCallback(tmp_path / "net", **options),
        lambda: export_checkpoint(None, tmp_path / "net", **options),
        lambda: convert_model_file(tmp_path / "net.h5", tmp_path / "net", **options),
    ]
    if name != "verify":
        asked.append(lambda: build_graph(None, **options))
    for ask in asked:
        with pytest.raises(InvalidArgumentError, match=f"^`{name}` must be .*Received: {name}=") as error:
            ask()
        said.append(str(error.value))
    assert len(set(said)) == 1


@pytest.mark.parametrize("values", [{"epoch": 0}, {"batch": 1.5}, {"is_best": "yes"}])
def test_a_moment_is_refused_that_cannot_be(values):
    (name,) = values
    with pytest.raises(InvalidArgumentError, match=f"`{name}` must be"):
        Moment(**values)


@pytest.mark.parametrize("value, name", [(ExportOptions(), "target"), (Moment(), "epoch")])
def test_they_stay_as_they_were_made(value, name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)
