"""An export changes nothing but its files: not the process, not the model, and not one bit of a training."""

import random

import numpy as np
import pytest
import tensorflow as tf
from kerases import optimizer_variables, private_module, set_random_seed
from needs import needs

from keras_gensynth_callback import GenSynthExportCallback, build_graph, export_checkpoint
from keras_gensynth_callback.errors import GenSynthExportError

v1 = tf.compat.v1
DRAW = np.random.RandomState(0)
X = DRAW.standard_normal((24, 3, 4)).astype("float32")
Y = DRAW.standard_normal((24, 2)).astype("float32")


def restless(keras, name="restless"):
    """A model with all that is random or moves while it trains: dropout with and without a seed, statistics,
    recurrent dropout.
    """
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((3, 4)),
            # Unrolled: the steps of a loop run in parallel, and race for random numbers.
            layers.SimpleRNN(3, dropout=0.3, recurrent_dropout=0.2, kernel_regularizer="l2", unroll=True),
            layers.Dropout(0.4, seed=7),
            layers.Dense(3, activity_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(2),
        ],
        name=name,
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


def unbuilt(keras):
    """A subclassed model without weights until it sees data, which draws random numbers in Python and in TensorFlow."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.head = keras.layers.Dense(3, "tanh"), keras.layers.Dense(2)
            self.drop, self.norm = keras.layers.Dropout(0.5), keras.layers.BatchNormalization()

        def call(self, inputs, training=False):
            hidden = self.norm(self.hidden(inputs[:, 0]), training=training)
            return self.head(self.drop(hidden, training=training)) * (1.0 + 0.1 * random.random())

    model = Net()
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def with_python_inside(keras):
    """A model that cannot be exported, which shows when its graph was traced already."""

    class Peek(keras.layers.Layer):
        def call(self, inputs):
            return tf.ensure_shape(tf.py_function(lambda value: value, [inputs], tf.float32), (None, 2))

        def compute_output_shape(self, shape):
            return shape

    layers = keras.layers
    dense = layers.Dense(2, activity_regularizer="l2")
    model = keras.Sequential([keras.Input((3, 4)), layers.Flatten(), layers.Dropout(0.5), dense, Peek()])
    model.compile("adam", "mse", metrics=["mae"])
    return model


# What there is to compare


def process_state():
    """What an export might move in the process, as comparable values."""
    numpy = np.random.get_state()
    return {
        "default graph": id(v1.get_default_graph()),
        "ops in the default graph": len(v1.get_default_graph().get_operations()),
        "default session": v1.get_default_session(),
        "executing eagerly": tf.executing_eagerly(),
        "functions run eagerly": tf.config.functions_run_eagerly(),
        "control flow v2": v1.control_flow_v2_enabled(),
        "resource variables": v1.resource_variables_enabled(),
        "tensor equality": tf.Tensor._USE_EQUALITY,
        "gradient": tf.GradientTape.gradient,
        "jit": tf.config.optimizer.get_jit(),
        "python random": random.getstate(),
        "numpy random": (numpy[0], numpy[1].tobytes(), numpy[2:]),
        "name scope": getattr(tf, "get_current_name_scope", str)(),
    }


def keras_state(keras):
    """What an export might move in a Keras: the generator that layers without seed draw theirs from, the policy,
    classes it wraps.
    """
    found = {
        "policy": keras.mixed_precision.global_policy().name
        if hasattr(keras.mixed_precision, "global_policy")
        else keras.mixed_precision.dtype_policy().name,
        "batch normalization": keras.layers.BatchNormalization.call,
        "compute_loss": keras.Model.compute_loss,
    }
    if not hasattr(keras.Model, "stateless_call"):
        generator = getattr(private_module(keras, "backend")._SEED_GENERATOR, "generator", None)
        found["seeds"] = generator and generator.getstate()
    else:
        found["name scope"] = keras.name_scope.__enter__
        found["seed"] = keras.config.get_random_seed() if hasattr(keras.config, "get_random_seed") else None
    return found


def model_state(model):
    """The model, its layers, optimizer and metrics, down to the bits of all values."""
    found = {"attributes": sorted(vars(model)), "losses": len(model.losses), "metrics": [m.name for m in model.metrics]}
    found["train function"] = getattr(model, "train_function", None)
    for layer in [model, *model._flatten_layers()]:
        found[f"attributes of {layer.name}"] = sorted(vars(layer))
        found[f"plain values of {layer.name}"] = _plain_values(layer)
    for kind, variables in (("weights", model.weights), ("state", model.non_trainable_variables)):
        found[kind] = [(variable.name, id(variable), _bits(variable)) for variable in variables]
    found["optimizer"] = [(variable.name, id(variable), _bits(variable)) for variable in optimizer_variables(model)]
    found["metric values"] = [_bits(variable) for metric in model.metrics for variable in metric.variables]
    return found


def _plain_values(layer):
    """Numbers, texts and seeds among the attributes of a layer, and of what it draws random numbers with."""
    holders = [layer] + [
        value for name, value in sorted(vars(layer).items()) if type(value).__name__.endswith("Generator")
    ]
    plain = (bool, int, float, str, type(None))
    return [
        sorted((k, v) for k, v in vars(h).items() if isinstance(v, plain) and k != "_obj_reference_counts")
        for h in holders
    ]


def _bits(variable):
    return np.array(tf.convert_to_tensor(variable)).tobytes()


def trained(keras, make=restless):
    set_random_seed(keras, 3)
    model = make(keras)
    model.run_eagerly = True
    model.train_on_batch(X[:8], Y[:8])
    return model


def assert_same(before, after):
    changed = [name for name in before if before[name] != after[name]]
    assert not changed, {name: (before[name], after[name]) for name in changed[:3]}
    assert before.keys() == after.keys()


# An export outside of fit


@needs(tf="2.8", reason="earlier versions do not have `Model.compute_loss`")
def test_an_export_leaves_process_and_model_as_they_were(keras, tmp_path):
    model = trained(keras)
    process, framework, state = process_state(), keras_state(keras), model_state(model)
    export_checkpoint(model, tmp_path / "net")
    build_graph(model, graph="inference")
    assert_same(process, process_state())
    assert_same(framework, keras_state(keras))
    assert_same(state, model_state(model))


def test_an_export_says_nothing_in_a_notebook_where_tensorflow_prints_what_it_logs(keras, tmp_path, caplog):
    model = restless(keras)
    with caplog.at_level("INFO", "tensorflow"):
        export_checkpoint(model, tmp_path / "net")
    assert [record.message for record in caplog.records if record.name == "tensorflow"] == []


@needs(tf="2.8", reason="earlier versions do not have `Model.compute_loss`")
def test_an_export_leaves_no_random_number_drawn_by_the_models_python(keras, tmp_path):
    model = trained(keras, unbuilt)
    process, framework = process_state(), keras_state(keras)
    export_checkpoint(model, tmp_path / "net")
    assert_same(process, process_state())
    assert_same(framework, keras_state(keras))


@needs(tf="2.8", reason="earlier versions do not have `Model.compute_loss`")
def test_an_export_that_fails_leaves_process_and_model_as_they_were(keras, tmp_path):
    set_random_seed(keras, 3)
    model = with_python_inside(keras)
    model.train_on_batch(X[:8], Y[:8])
    process, framework, state = process_state(), keras_state(keras), model_state(model)
    with pytest.raises(GenSynthExportError, match="EagerPyFunc"):
        export_checkpoint(model, tmp_path / "net")
    assert_same(process, process_state())
    assert_same(framework, keras_state(keras))
    assert_same(state, model_state(model))
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_cannot_be_written_leaves_process_and_model_as_they_were(keras, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    model = trained(keras, unbuilt)
    process, state = process_state(), model_state(model)
    with pytest.raises(OSError, match="file"):
        export_checkpoint(model, tmp_path / "file" / "net")
    assert_same(process, process_state())
    assert_same(state, model_state(model))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# A training with exports


@pytest.fixture
def deterministic():
    """TensorFlow adds up gradients in one order, so that the same training gives the same bits."""
    from tensorflow.python.framework import config  # what is switched on in public cannot be switched off there

    tf.config.experimental.enable_op_determinism()
    yield
    config.disable_op_determinism()


def run(keras, make, *callbacks):
    """Weights, optimizer and logs of a training from scratch, and a step that follows it."""
    keras.backend.clear_session()
    set_random_seed(keras, 11)
    model = make(keras)
    history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, validation_split=0.25, callbacks=list(callbacks))
    model.train_on_batch(X[:4], Y[:4])
    values = [_bits(variable) for variable in [*model.weights, *optimizer_variables(model)]]
    return history.history, values, (random.random(), np.random.rand())


@needs(tf="2.8", reason="earlier versions do not have `enable_op_determinism`")
@pytest.mark.parametrize("make, save_freq, count", [(restless, 2, 3), (unbuilt, "epoch", 2)])
def test_training_with_exports_gives_bit_for_bit_what_training_without_gives(
    keras, deterministic, tmp_path, make, save_freq, count
):
    exports = []
    alone = run(keras, make)
    with_exports = run(
        keras, make, GenSynthExportCallback(tmp_path / "net", save_freq=save_freq, on_export=exports.append)
    )
    assert len(exports) == count
    for mine, theirs in zip(with_exports, alone):
        assert mine == theirs


def test_another_training_differs_so_that_the_comparison_says_something(keras2):
    class Draw(keras2.callbacks.Callback):
        def on_train_begin(self, logs=None):
            random.random()

    for mine, theirs in zip(run(keras2, unbuilt), run(keras2, unbuilt, Draw())):
        assert mine != theirs
