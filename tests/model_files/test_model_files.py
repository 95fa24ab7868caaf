"""`convert_model_file`: files of each Keras, replayed in TensorFlow 1.15 against the Keras that wrote them."""

import functools
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import written_models
from kerases import KERAS2, KERASES, keras_of, module_of
from needs import needs

from keras_gensynth_callback import convert_model_file, export_checkpoint

pytestmark = needs(tf="2.12", keras3="3.1", reason="earlier versions write other formats and fewer files")

WRITTEN = pathlib.Path(written_models.__file__)

# Predicts, makes one step of Keras's own, and predicts again; the arguments are folders.
REPLAY = """
    import os, sys
    import numpy as np
    import tensorflow as tf
    v1 = tf.compat.v1

    for folder in sys.argv[1:]:
        v1.reset_default_graph()
        load = lambda name: np.load(os.path.join(folder, name + ".npy"))
        prefix = os.path.join(folder, "export")
        with v1.Session() as session:
            meta = v1.MetaGraphDef()
            with open(prefix + ".meta", "rb") as file:
                meta.ParseFromString(file.read())
            v1.train.import_meta_graph(meta).restore(session, prefix)
            serving = meta.signature_def["serving_default"]
            (source,), (result,) = serving.inputs.values(), serving.outputs.values()
            predict = lambda: session.run(result.name, {source.name: load("x")})
            found = {"predictions": predict()}
            tensors = meta.signature_def["eval"].outputs
            if "metrics/accuracy/value" in tensors:
                (target,) = [t.name for k, t in meta.signature_def["eval"].inputs.items() if k.endswith("_target")]
                session.run(v1.local_variables_initializer())
                session.run(tensors["metrics/accuracy/update_op"].name, {source.name: load("x"), target: load("y")})
                found["accuracy"] = session.run(tensors["metrics/accuracy/value"].name)
            steps = v1.get_collection("train_op")
            if steps:
                targets = [t.name for k, t in meta.signature_def["train"].inputs.items() if k.endswith("_target")]
                session.run(steps[0], {source.name: load("x"), targets[0]: load("y"), "keras_learning_phase:0": True})
                found["stepped"] = predict()
                found["steps"] = session.run(v1.train.get_global_step())
            np.savez(os.path.join(folder, "replayed.npz"), **found)
"""


@functools.lru_cache(maxsize=None)
def own_class(keras_name):
    """A model class, as a user would write it."""
    keras = module_of(keras_name)

    class Net(keras.Model):
        def __init__(self, units=3, **options):
            super().__init__(**options)
            self.units = units
            self.flat = keras.layers.Flatten()
            self.head = keras.layers.Dense(units, "softmax", name="head")

        def call(self, inputs):
            return self.head(self.flat(inputs))

        def get_config(self):
            return {"units": self.units}

    return Net


def of_own_class(keras):
    model = own_class(keras.__name__)()
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def with_older_optimizer(tf_keras):
    model = written_models.net(tf_keras)
    model.compile(tf_keras.optimizers.legacy.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def uncompiled(keras):
    model = written_models.net(keras)
    return keras.Model(model.inputs, model.outputs)


def save_as_tensorflow_2_11(model, path):
    """HDF5 under the name `.keras`."""
    model.save(path + ".h5")
    os.rename(path + ".h5", path)


def save_unzipped(model, path):
    model.save(path, zipped=False)


# What is written: the Keras, the file's name, the model, and how it is saved.
FILES = {
    "HDF5 of Keras 3": ("keras", "net.h5", written_models.net, None),
    "keras of Keras 3": ("keras", "mein größtes Modell 模型.keras", written_models.net, None),
    "folder of Keras 3": ("keras", "net", written_models.net, save_unzipped),
    "HDF5 of tf_keras": (KERAS2, "mein größtes Modell 模型.hdf5", written_models.net, None),
    "HDF5 named keras": (KERAS2, "net.keras", written_models.net, save_as_tensorflow_2_11),
    "HDF5 with an older optimizer": (KERAS2, "net.h5", with_older_optimizer, None),
    "keras of tf_keras": (KERAS2, "net.keras", written_models.net, None),
    "SavedModel of tf_keras": (KERAS2, "mein größtes Modell 模型", written_models.net, None),
    "SavedModel with an older optimizer": (KERAS2, "net", with_older_optimizer, None),
    "SavedModel of a class": (KERAS2, "net", of_own_class, None),
    "keras of tf_keras of a class": (KERAS2, "net.keras", of_own_class, None),
    "keras of a class": ("keras", "net.keras", of_own_class, None),
}
FILES = {name: file for name, file in FILES.items() if file[0] in KERASES}
# Written by TensorFlow 1.15 itself.
FILES_OF_TF_1 = {"HDF5 of TensorFlow 1.15": "hdf5/net.h5", "SavedModel of TensorFlow 1.15": "exported/net"}
# `export_saved_model` of TensorFlow 1.15 keeps no optimizer.
UNTRAINED = ("SavedModel of TensorFlow 1.15",)


@pytest.fixture(scope="module")
def written(reader, tmp_path_factory):
    """All the files: dict, name -> path."""
    root = tmp_path_factory.mktemp("written models")
    reader.run(WRITTEN, root)
    paths = {name: root / path for name, path in FILES_OF_TF_1.items()}
    for name, (keras_name, file, make, save) in FILES.items():
        model, path = make(keras_of(keras_name, seed=3)), root / name / file
        written_models.write(model, str(path), save and functools.partial(save, model))
        paths[name] = path
    return paths


@pytest.fixture(scope="module")
def replayed(written, reader):
    """What TensorFlow 1.15 makes of each export: dict, name -> (what the Keras said, what the reader said)."""
    for name, path in written.items():
        objects = {"Net": own_class(FILES[name][0])} if name.endswith("of a class") else None
        convert_model_file(path, path.parent / "export", objects)
    reader.run(REPLAY, *[path.parent for path in written.values()])
    return {
        name: (
            {key: np.load(path.parent / f"{key}.npy") for key in ("predictions", "stepped")},
            dict(np.load(path.parent / "replayed.npz")),
        )
        for name, path in written.items()
    }


@pytest.mark.parametrize("name", [*FILES, *FILES_OF_TF_1])
def test_predictions_are_those_of_the_keras_that_wrote_the_file(replayed, name):
    keras, found = replayed[name]
    np.testing.assert_allclose(
        found["predictions"], keras["predictions"], rtol=0, atol=1e-5 * keras["predictions"].max()
    )


@pytest.mark.parametrize("name", [name for name in [*FILES, *FILES_OF_TF_1] if name not in UNTRAINED])
def test_training_goes_on_with_the_state_of_the_optimizer(replayed, name):
    keras, found = replayed[name]
    assert found["steps"] == 3
    np.testing.assert_allclose(found["stepped"], keras["stepped"], rtol=0, atol=1e-4 * keras["stepped"].max())
    assert np.abs(keras["stepped"] - keras["predictions"]).max() > 1e-3


OF_NET = [name for name, file in FILES.items() if file[2] is written_models.net] + ["HDF5 of TensorFlow 1.15"]


@pytest.mark.parametrize("name", OF_NET)
def test_accuracy_counts_what_is_predicted_right(replayed, name):
    keras, found = replayed[name]
    right = keras["predictions"].argmax(axis=-1) == written_models.data()[1]
    np.testing.assert_allclose(found["accuracy"], right.mean(), rtol=1e-5)


@pytest.mark.parametrize("metrics", [["mse"], {"a": ["mae", "mse"], "b": "mae"}])
def test_metrics_of_an_hdf5_file_of_keras_3_keep_their_names(keras3, tmp_path, metrics):
    inputs = keras3.layers.Input((3,))
    names = sorted(metrics) if isinstance(metrics, dict) else ["a"]
    outputs = [keras3.layers.Dense(1, name=name)(inputs) for name in names]
    model = keras3.Model(inputs, outputs)
    model.compile("sgd", dict.fromkeys(names, "mse"), metrics=metrics)
    model.fit(np.ones((2, 3)), [np.ones((2, 1)) for _ in names], verbose=0)
    model.save(str(tmp_path / "net.h5"))
    direct = export_checkpoint(model, tmp_path / "direct")
    converted = convert_model_file(tmp_path / "net.h5", tmp_path / "converted")
    assert members_of(converted) == members_of(direct)


def members_of(record):
    """The names of what the signature `eval` gives."""
    with open(record.prefix + ".meta", "rb") as file:
        meta_graph = tf.compat.v1.MetaGraphDef.FromString(file.read())
    return sorted(meta_graph.signature_def["eval"].outputs)
