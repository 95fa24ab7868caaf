"""Trains and exports with one Keras beside one TensorFlow: `writer.py REPOSITORY KERAS MODE FOLDER`.

Runs in the environment of a row. FOLDER gets a folder for each model, as `replay_in_tf1.py` reads it, with `keras.npz`;
`h5/net.h5`, a model file with what its Keras says of it; and `said.json`.
"""

import json
import os
import platform
import runpy
import sys
import traceback

REPOSITORY, KERAS, MODE, FOLDER = sys.argv[1:5]
HELPERS = os.path.join(REPOSITORY, "tests", "helpers")
sys.path[:0] = [REPOSITORY, HELPERS]
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")

EAGER_MODELS = ["sequential_convnet", "masked_embedding_and_lstm", "subclassed_with_everything_custom"]
GRAPH_MODELS = ["sequential_convnet", "masked_words", "custom_layer_loss_and_metric"]


def export_eagerly():
    """Trains and exports the models, and returns the module of the Keras."""
    import pathlib

    import carried_models
    from kerases import module_of
    from replayed import Replayed

    for name in EAGER_MODELS:
        case = Replayed(carried_models.BY_NAME[name], KERAS, {"1.15": pathlib.Path(FOLDER, name)})
        if case.error:
            note_error(name, case.error)
        else:
            np.savez(os.path.join(FOLDER, name, "keras.npz"), **case.keras)
    return module_of(KERAS)


def export_in_graph_mode():
    """The same in graph mode."""
    mode = "disable_eager_execution" if tf.executing_eagerly() else "1.x"
    argv, sys.argv = sys.argv, ["graph_mode_program.py", REPOSITORY, mode, FOLDER, *GRAPH_MODELS]
    try:
        return runpy.run_path(os.path.join(HELPERS, "graph_mode_program.py"))["keras"]
    finally:
        sys.argv = argv


def note_error(name, text):
    with open(os.path.join(FOLDER, name + ".error"), "w") as file:
        file.write(text)


def net(keras):
    import written_models

    keras.backend.clear_session()
    return written_models.net(keras)


def load_checkpoint_of(keras):
    """What was exported is read into a new model, which then trains on as the first one does."""
    from written_models import data

    from keras_gensynth_callback import export_checkpoint, load_checkpoint

    x, y = data()
    prefix = os.path.join(FOLDER, "loaded", "net")
    os.makedirs(os.path.dirname(prefix))
    model = net(keras)
    for _ in range(3):
        model.train_on_batch(x, y)
    export_checkpoint(model, prefix)
    known = [model.predict(x, verbose=0)]
    model.train_on_batch(x, y)
    known.append(model.predict(x, verbose=0))

    model = net(keras)
    model.train_on_batch(x, y)
    load_checkpoint(model, prefix)
    found = [model.predict(x, verbose=0)]
    model.train_on_batch(x, y)
    found.append(model.predict(x, verbose=0))
    assert np.abs(known[0] - known[1]).max() > 1e-4, "a step changes nothing"
    for want, got in zip(known, found):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def refused_in_time(keras):
    """What cannot be exported is refused before the weights move."""
    from keras_gensynth_callback import GenSynthExportCallback, GenSynthExportError
    from keras_gensynth_callback.errors import UnsupportedBackendError

    class Foreign(keras.layers.Layer):
        def call(self, inputs):
            outputs = tf.compat.v1.py_func(lambda array: array, [inputs], tf.float32, stateful=False)
            outputs.set_shape(inputs.shape)
            return outputs

    keras.backend.clear_session()
    inputs = keras.layers.Input((3,))
    model = keras.models.Model(inputs, keras.layers.Dense(2)(Foreign(name="foreign")(inputs)))
    model.compile("sgd", "mse")
    before = model.get_weights()
    x, y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")
    try:
        model.fit(x, y, verbose=0, callbacks=[GenSynthExportCallback(os.path.join(FOLDER, "refused"))])
    except GenSynthExportError as error:
        assert "foreign" in str(error) or isinstance(error, UnsupportedBackendError), str(error)
    else:
        raise AssertionError("it was not refused")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights())), "it was refused after a step"


def model_file_of(keras):
    import written_models

    written_models.write(net(keras), os.path.join(FOLDER, "h5", "net.h5"))


def main():
    keras = export_eagerly() if MODE == "eager" else export_in_graph_mode()
    if MODE == "graph" and hasattr(keras.optimizers, "legacy"):
        keras.optimizers.Adam = keras.optimizers.legacy.Adam  # graph mode trains with these alone
    errors = {}
    for check in (load_checkpoint_of, refused_in_time, model_file_of):
        try:
            check(keras)
        except Exception:
            errors[check.__name__] = traceback.format_exc()
    version = getattr(keras, "__version__", tf.__version__)
    said = {"tensorflow": tf.__version__, "keras": version, "python": platform.python_version(), "errors": errors}
    with open(os.path.join(FOLDER, "said.json"), "w") as file:
        json.dump(said, file)


if __name__ == "__main__":
    main()
