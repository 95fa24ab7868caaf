"""HDF5 files of Keras 3 whose losses have short names, which Keras's own loader does not find."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gensynth_callback import convert_model_file, export_checkpoint

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
