"""`convert_model_file`: objects that are no part of models, at every place of a config where an object may stand."""

import contextlib
import copy
import os

import pytest
from hostile_files import FORMATS, change_config, function, written

from keras_gensynth_callback import convert_model_file
from keras_gensynth_callback.errors import GenSynthExportError


def hidden(config):
    return config["config"]["layers"][1]


def passed(config, value):
    call = hidden(config)["inbound_nodes"][0]
    (call["kwargs"] if isinstance(call, dict) else call[0][3])["training"] = value


def added(config, value):
    call = hidden(config)["inbound_nodes"][0]
    (call["args"] if isinstance(call, dict) else call[0]).append(value)


PLACES = {
    "a field": lambda config, value: hidden(config)["config"].update(kernel_initializer=value),
    "a policy": lambda config, value: hidden(config)["config"].update(dtype=value),
    "an activation": lambda config, value: hidden(config)["config"].update(activation=value),
    "a number": lambda config, value: hidden(config)["config"].update(units=value),
    "a layer": lambda config, value: config["config"]["layers"].append(dict(value, name="other", inbound_nodes=[])),
    "the model": lambda config, value: config.update(value),
    "an argument": added,
    "a named argument": passed,
    "what is built": lambda config, value: hidden(config).update(build_config={"input_shape": value}),
    "an output": lambda config, value: config["config"].update(output_layers=value),
}


def instance(module, name, **config):
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


OBJECTS = [
    function("os", "system"),
    function("builtins", "exec"),
    function("keras.utils", "get_file"),
    function("keras.src.utils.file_utils", "get_file"),
    function("keras.config", "enable_unsafe_deserialization"),
    function("keras.models", "load_model"),
    function("keras.layers", "deserialize"),
    function("tensorflow.raw_ops", "ReadFile"),
    function("keras", "src.utils.file_utils.get_file"),
    function("keras.layers.__class__", "__init__"),
    instance("subprocess", "Popen", args=["touch", "mark"]),
    instance("keras.src.saving.saving_lib.os", "system"),
    instance("keras.layers", "TFSMLayer", filepath="."),
    instance("keras.losses", "LossFunctionWrapper", fn=function("os", "system")),
    {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
    {"class_name": "__typespec__", "spec_name": "system", "module": "os", "serialized": ["touch mark"], "config": {}},
    {"class_name": "TypeSpec", "type_spec": "os.system", "serialized": ["touch mark"]},
    {"class_name": "__numpy__", "config": {"value": "touch", "dtype": "object"}},
]


@pytest.mark.parametrize("place", PLACES)
def test_objects_that_are_no_part_of_models(place, tmp_path, monkeypatch):
    """Each in one of the formats, in turn."""
    monkeypatch.chdir(tmp_path)
    for number, value in enumerate(OBJECTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        keras_name, name = FORMATS[(number + list(PLACES).index(place)) % len(FORMATS)]
        file = written(keras_name, name, folder)
        change_config(file, lambda config: PLACES[place](config, copy.deepcopy(value)))  # noqa: B023
        # What Keras passes over, such as `build_config` in HDF5, does no harm.
        with contextlib.suppress(GenSynthExportError):
            convert_model_file(file, folder / "out" / "net")
        assert set(os.listdir(folder)) <= {name, "out"}
    assert sorted(os.listdir(tmp_path)) == sorted(map(str, range(len(OBJECTS))))
