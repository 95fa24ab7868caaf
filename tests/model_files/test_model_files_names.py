"""Names in files of Keras 3 that its own loader does not find: short ones of losses, and optimizers of Torch."""

import numpy as np
import pytest
import tensorflow as tf
from hostile_files import change_config
from needs import needs

from keras_gensynth_callback import convert_model_file, export_checkpoint

pytestmark = needs(keras3="3.1", reason="earlier versions write other formats and fewer files")

X, Y = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("loss", ["mse"])
def test_a_file_has_the_loss_that_its_model_had(keras3, tmp_path, loss):
    model = keras3.Sequential([keras3.Input((3,), name="x"), keras3.layers.Dense(2, name="level")], name="net")
    model.compile("adam", loss)
    model.train_on_batch(X, Y)
    model.save(tmp_path / "net.h5")
    found, expected = (
        signatures(record.prefix)
        for record in (
            convert_model_file(tmp_path / "net.h5", tmp_path / "converted" / "net"),
            export_checkpoint(model, tmp_path / "exported" / "net"),
        )
    )
    assert found == expected


def signatures(prefix):
    """The names of all inputs and outputs of an export's signatures."""
    with open(f"{prefix}.meta", "rb") as file:
        meta_graph = tf.compat.v1.MetaGraphDef.FromString(file.read())
    return {name: (sorted(of.inputs), sorted(of.outputs)) for name, of in meta_graph.signature_def.items()}


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_what_keras_on_torch_saved_is_trained_by_the_same_optimizer(keras3, tmp_path, optimizer):
    """There Keras stores a class that imports Torch; `tests/companion` has a file that Torch wrote."""
    model = keras3.Sequential([keras3.Input((3,), name="x"), keras3.layers.Dense(2, name="level")], name="net")
    model.compile(getattr(keras3.optimizers, optimizer)(0.25), "mse")
    model.train_on_batch(X, Y)
    model.save(tmp_path / "net.keras")

    def change(config):
        config["compile_config"]["optimizer"].update(
            module=f"keras.src.backend.torch.optimizers.torch_{optimizer.lower()}", registered_name=optimizer
        )

    change_config(tmp_path / "net.keras", change)
    converted = convert_model_file(tmp_path / "net.keras", tmp_path / "converted" / "net")
    exported = export_checkpoint(model, tmp_path / "exported" / "net")
    found, expected = map(values, (converted.prefix, exported.prefix))
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], name)


def values(prefix):
    """dict, name -> value of the variables of an export, without those of metrics, which no file has."""
    reader = tf.train.load_checkpoint(str(prefix))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("metrics/")]
    return {name: reader.get_tensor(name) for name in names}
