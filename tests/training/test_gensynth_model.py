"""`GenSynthModel` and `GenSynthMixin`: everything that Keras's own classes do, and exports besides."""

import functools
import inspect
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from fake_exporter import fake_exporter_class
from kerases import importable, set_random_seed
from needs import needs

from keras_gensynth_callback.errors import InvalidArgumentError
from keras_gensynth_callback.export import functions as api
from keras_gensynth_callback.registration import register_when_keras_is_imported
from keras_gensynth_callback.training import exporter_cache
from keras_gensynth_callback.training.callback import GenSynthExportCallback
from keras_gensynth_callback.training.model import GenSynthMixin, default_keras_model_class, gensynth_model_class

X = np.random.RandomState(0).rand(16, 3).astype("float32")
Y = X.sum(1, keepdims=True)


@pytest.fixture
def exporter(monkeypatch, tmp_path):
    """The class of exporters that hooks make; it records what they are asked for. The test runs in its own folder."""
    fake = fake_exporter_class()
    monkeypatch.setattr(exporter_cache, "Exporter", fake)
    monkeypatch.setattr(api, "Exporter", fake)
    monkeypatch.chdir(tmp_path)
    return fake


# Made once, since a name can be registered once alone before TensorFlow 2.11.
@functools.lru_cache(maxsize=None)
def net_class(keras):
    @keras.utils.register_keras_serializable(package="test")
    class Net(gensynth_model_class(keras.Model)):
        def __init__(self, units=4, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.hidden = keras.layers.Dense(units, "relu")
            self.head = keras.layers.Dense(1)

        def call(self, inputs):
            return self.head(self.hidden(inputs))

        def get_config(self):
            return {"name": self.name, "units": self.units}

    return Net


@functools.lru_cache(maxsize=None)
def sequential_class(keras):
    @keras.utils.register_keras_serializable(package="test")
    class Seq(GenSynthMixin, keras.Sequential):
        pass

    return Seq


def subclassed(keras):
    return net_class(keras)(name="net")


def functional(keras):
    inputs = keras.Input((3,), name="x")
    return gensynth_model_class(keras.Model)(inputs, keras.layers.Dense(1)(inputs), name="net")


def functional_by_name(keras):
    inputs = keras.Input((3,), name="x")
    return gensynth_model_class(keras.Model)(inputs=inputs, outputs=keras.layers.Dense(1)(inputs), name="net")


def sequential(keras):
    return sequential_class(keras)([keras.layers.Input((3,)), keras.layers.Dense(1)], name="net")


KINDS = [subclassed, functional, functional_by_name, sequential]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def model(request, keras):
    """One model of each kind, not compiled."""
    return request.param(keras)


def fit(model, **options):
    return model.fit(X, Y, batch_size=8, verbose=0, **options)


def prefixes(exporter):
    return [record.prefix for record in exporter.records]


def test_by_default_one_export_is_written_when_training_completes(model, exporter, caplog):
    model.compile("sgd", "mse")
    with caplog.at_level(logging.INFO, logger="keras_gensynth_callback"):
        fit(model, epochs=3)
    assert [(record.prefix, record.epoch) for record in exporter.records] == [("gensynth_exports/net", 3)]
    assert [record.getMessage() for record in caplog.records if record.name == "keras_gensynth_callback"] == [
        "Exported the trained model to gensynth_exports/net; pass `export` to choose another place."
    ]


def test_compile_takes_a_prefix(model, exporter):
    model.compile("sgd", "mse", export="exports/mine")
    fit(model, epochs=2)
    assert [(record.prefix, record.epoch) for record in exporter.records] == [("exports/mine", 2)]


def test_a_prefix_with_a_template_is_written_after_each_epoch(model, exporter):
    model.compile("sgd", "mse")
    fit(model, epochs=2, export="exports/mine-{epoch}")
    assert prefixes(exporter) == ["exports/mine-1", "exports/mine-2"]


def test_what_fit_is_given_wins(model, exporter):
    model.compile("sgd", "mse", export="exports/from_compile")
    fit(model, export=GenSynthExportCallback("exports/from_fit"))
    fit(model)
    assert prefixes(exporter) == ["exports/from_fit", "exports/from_compile"]


def test_a_callback_among_the_callbacks_makes_the_default_export_needless(model, exporter):
    model.compile("sgd", "mse")
    fit(model, callbacks=[GenSynthExportCallback("exports/mine")])
    assert prefixes(exporter) == ["exports/mine"]


def test_callbacks_may_stand_anywhere_and_stay_as_they_were(keras, exporter):
    model = functional(keras)
    model.compile("sgd", "mse")
    callbacks = [keras.callbacks.TerminateOnNaN()]
    model.fit(X, Y, 8, 1, 0, callbacks, 0.25, export="one")
    model.fit(X, Y, verbose=0, callbacks=callbacks[0], export="two")
    model.fit(X, Y, verbose=0, callbacks=keras.callbacks.CallbackList(callbacks, model=model), export="three")
    assert len(callbacks) == 1
    assert prefixes(exporter) == ["one", "two", "three"]


def test_a_bad_export_is_refused_by_compile(model):
    with pytest.raises(InvalidArgumentError, match="`filepath` must be a checkpoint prefix"):
        model.compile("sgd", "mse", export=3)


def test_export_checkpoint_exports_now(model, exporter):
    model.compile("sgd", "mse")
    model(X)
    record = model.export_checkpoint("exports/now", graph="inference")
    assert record.prefix == "exports/now"
    assert exporter.made[0].options.graph == "inference"


def test_it_trains_as_the_class_it_replaces(keras, exporter):
    def trained(model_class):
        set_random_seed(keras, 3)
        inputs = keras.Input((3,))
        model = model_class(inputs, keras.layers.Dense(1)(keras.layers.Dropout(0.5)(inputs)))
        model.compile("adam", "mse", metrics=["mae"])
        history = fit(model, epochs=2)
        return model.get_weights(), history.history

    weights, history = trained(gensynth_model_class(keras.Model))
    expected_weights, expected_history = trained(keras.Model)
    assert all(map(np.array_equal, weights, expected_weights))
    assert history == expected_history


@needs(tf="2.11", of=[subclassed, sequential], reason="earlier versions clone a functional model as another class")
def test_a_saved_model_is_loaded_compiled_and_exports_again(model, keras, exporter, tmp_path):
    model.compile("adam", "mse", metrics=["mae"])
    fit(model)
    path = str(tmp_path / "model.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    assert int(loaded.optimizer.iterations.numpy()) == 2
    fit(loaded)
    assert len(exporter.records) == 2


@needs(tf="2.10", of=[subclassed], reason="Keras 2.4 cannot make a subclassed model from its configuration")
def test_configurations_make_models_of_the_same_class(model, keras):
    model(X)
    again = type(model).from_config(model.get_config())
    assert type(again) is type(model)
    assert again.name == "net"


@needs(tf="2.11", reason="earlier versions clone a functional model as another class")
@pytest.mark.parametrize("make", [functional, sequential])
def test_clones_keep_layers_and_parameters(keras, make):
    model = make(keras)
    clone = keras.models.clone_model(model)
    assert isinstance(clone, GenSynthMixin) or make is sequential
    assert clone.count_params() == model.count_params() == 4


def test_summary_names_the_layers(keras, capsys):
    functional(keras).summary()
    assert "dense" in capsys.readouterr().out


def test_a_functional_model_is_one_of_keras_and_one_of_ours(keras):
    model = functional(keras)
    assert isinstance(model, keras.Model)
    assert isinstance(model, gensynth_model_class(keras.Model))
    assert model.layers[-1].units == 1


def test_functional_and_plain_subclasses_live_side_by_side(keras, exporter):
    base = gensynth_model_class(keras.Model)

    class Functional(base):
        def __init__(self):
            inputs = keras.Input((3,))
            super().__init__(inputs=inputs, outputs=keras.layers.Dense(1)(inputs))

    for model in (Functional(), Functional(), subclassed(keras), functional(keras)):
        model.compile("sgd", "mse")
        fit(model, export="exports/net")
        assert isinstance(model, base)
    assert len(exporter.records) == 4


def test_signatures_show_the_arguments_of_keras_and_export(keras):
    for cls in (gensynth_model_class(keras.Model), type(sequential(keras)), type(subclassed(keras))):
        for method, own in ((cls.fit, "callbacks"), (cls.compile, "optimizer")):
            parameters = inspect.signature(method).parameters
            assert own in parameters
            assert parameters["export"].default is None
            assert parameters["export"].kind is inspect.Parameter.KEYWORD_ONLY
            assert "Also takes `export`" in method.__doc__


@needs(tf="2.11", reason="an HDF5 file of an earlier version has no registered names")
def test_a_compile_of_the_users_own_is_left_to_the_user_when_a_model_is_loaded(keras, exporter, tmp_path):
    @keras.utils.register_keras_serializable(package="test")
    class Own(GenSynthMixin, keras.Sequential):
        def compile(self, *args, **kwargs):
            super().compile("sgd", "mse")

    model = Own([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile()
    fit(model)
    path = str(tmp_path / "model.keras")
    model.save(path)
    if keras.__name__ == "keras":
        with pytest.warns(UserWarning, match="`compile\\(\\)` method is custom"):
            loaded = keras.models.load_model(path)
    else:
        loaded = keras.models.load_model(path)
    assert getattr(loaded, "optimizer", None) is None


def test_the_class_is_the_same_at_each_call_and_another_for_each_keras(keras2, keras3):
    assert gensynth_model_class(keras3.Model) is gensynth_model_class(keras3.Model)
    assert gensynth_model_class(keras3.Model) is not gensynth_model_class(keras2.Model)


def test_the_keras_of_the_module_that_asks_is_chosen(keras2, keras3):
    assert default_keras_model_class({"layers": keras3.layers}) is keras3.Model
    assert default_keras_model_class({"Dense": keras2.layers.Dense, "np": np}) is keras2.Model
    assert default_keras_model_class() is keras2.Model


@needs(tf="2.10", reason="Keras 2.4 saves no such model in one file")
def test_a_keras_that_nobody_imported_stays_unimported_and_saved_models_load_once_it_is(keras_name, tmp_path):
    code = f"""
import sys
from keras_gensynth_callback import export_checkpoint
assert "tf_keras" not in sys.modules
from keras_gensynth_callback.training.model import gensynth_model_class
import {importable(keras_name)} as keras
if len(sys.argv) > 2:
    inputs = keras.Input((3,))
    gensynth_model_class(keras.Model)(inputs, keras.layers.Dense(1)(inputs)).save(sys.argv[1])
else:
    print(type(keras.models.load_model(sys.argv[1])).__name__)
"""
    path = str(tmp_path / "model.keras")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    subprocess.run([sys.executable, "-c", code, path, "save"], check=True, env=environment)
    loaded = subprocess.run(
        [sys.executable, "-c", code, path], check=True, env=environment, stdout=subprocess.PIPE, universal_newlines=True
    )
    assert loaded.stdout.strip() == "GenSynthFunctional"


def test_registration_can_be_asked_for_twice():
    register_when_keras_is_imported()
    register_when_keras_is_imported()
