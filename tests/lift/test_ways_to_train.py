"""Optimizers with all that can be set, mixed precision, tables: they train alike in TensorFlow 1.15."""

import collections

import numpy as np
import pytest
import tensorflow as tf
import ways_to_train
from kerases import KERAS2, KERASES
from needs import needs
from replayed import replay
from served import predictions

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint, load_checkpoint
from keras_gensynth_callback.errors import UnsupportedModelError, UnsupportedOpError

pytestmark = [needs(tf="2.11", reason="trains with the optimizers that TensorFlow 2.11 introduced"), pytest.mark.slow]


@pytest.fixture(scope="module", params=KERASES)
def replayed(request, reader, tmp_path_factory):
    return replay(ways_to_train.ALL, request.param, [reader], tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=[make.__name__ for make in ways_to_train.ALL])
def case(request, replayed):
    return replayed[request.param].checked("1.15")


def test_predictions_metrics_and_steps_are_those_of_keras(case):
    bounds = {"predict": 1e-5, "evaluate": 1e-5, "after": 1e-5, "trained": 1e-4, **case.case.get("bounds", {})}
    assert case.names("predict") and case.names("evaluate") and case.names("trained")
    case.assert_within(bounds)
    assert case.facts["steps counted"] == 3
    assert case.facts["without gradient"] == []


def test_a_variable_is_updated_by_the_training_op_of_its_optimizer(case):
    there = collections.Counter(case.facts["ops"].values())
    expected = case.case.get("ops", {})
    assert {op: there[op] for op in expected} == expected


def test_update_ops_hold_nothing_of_the_optimizer(case):
    updates = case.facts["collections"].get("update_ops", [])
    assert not [name for name in updates if name.startswith("training/")]


def test_variables_that_carry_gradients_and_weights_are_float32(case):
    assert {tf.as_dtype(v.dtype) for v in case.case["model"].trainable_variables} == {tf.float32}


def test_tables_are_filled_by_table_initializer(replayed):
    case = replayed["words_looked_up"].checked("1.15")
    assert len(case.facts["collections"]["table_initializer"]) == 2
    assert "table_initializer" not in replayed["amsgrad"].checked("1.15").facts["collections"]


def test_low_rank_adapters_alone_are_trained(reader, tmp_path):
    case = replay([ways_to_train._low_rank_adapters], "keras", [reader], tmp_path)["_low_rank_adapters"].checked("1.15")
    test_predictions_metrics_and_steps_are_those_of_keras(case)
    trainable = case.facts["collections"]["trainable_variables"]
    assert [name for name in trainable if "lora" not in name] == ["einsum_dense/bias:0", "dense/bias:0"]
    assert len(trainable) == 8


def test_variables_of_an_inner_optimizer_are_found(keras2, reader, tmp_path):
    make = ways_to_train._an_optimizer_around_another_one
    case = replay([make], KERAS2, [reader], tmp_path)[make.__name__].checked("1.15")
    test_predictions_metrics_and_steps_are_those_of_keras(case)
    assert len([name for name in case.facts["collections"]["variables"] if name.endswith(("/m:0", "/v:0"))]) == 8


def _bfloat16_model(keras):
    return ways_to_train.mixed_bfloat16_computed_in_float32(keras)["model"]


def test_what_1_15_has_no_kernel_for_is_refused_and_a_float32_graph_is_offered(keras, tmp_path):
    with pytest.raises(UnsupportedOpError, match="no CPU kernel for T=bfloat16") as refused:
        export_checkpoint(_bfloat16_model(keras), tmp_path / "net")
    assert "compute_dtype='float32'" in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_float32_graph_of_mixed_precision_is_told_in_the_manifest(keras, tmp_path):
    record = export_checkpoint(_bfloat16_model(keras), tmp_path / "net", compute_dtype="float32")
    assert "bfloat16: computed in float32" in (tmp_path / "net.json").read_text()
    assert record.prefix.endswith("net")


def test_the_learning_rate_that_a_callback_lowers_is_in_the_next_export(keras, tmp_path):
    case = ways_to_train._two_layers(keras, keras.optimizers.SGD(0.5))
    lower = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=0, min_delta=1e9)
    callback = GenSynthExportCallback(tmp_path / "net-{epoch}")
    case["model"].fit(case["x"], case["y"], epochs=3, verbose=0, callbacks=[lower, callback])
    rates = [
        tf.train.load_checkpoint(str(tmp_path / f"net-{epoch}")).get_tensor("training/SGD/learning_rate")
        for epoch in (1, 3)
    ]
    np.testing.assert_allclose(rates[1], np.asarray(case["model"].optimizer.learning_rate))
    assert rates[1] < rates[0]


def test_nadam_of_tf_keras_trains_on_as_without_an_export(tmp_path, keras2):
    """It counts in Python how often it was traced, and the count is in the graph."""
    weights = []
    for callbacks in ([], [GenSynthExportCallback(tmp_path / "net")]):
        keras2.backend.clear_session()
        keras2.utils.set_random_seed(0)
        case = ways_to_train._two_layers(keras2, keras2.optimizers.Nadam(0.01))
        case["model"].fit(case["x"], case["y"], epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
        weights.append(case["model"].get_weights())
    for without, with_export in zip(*weights):
        np.testing.assert_array_equal(without, with_export)
    product = case["model"].optimizer._u_product
    value = product.numpy()
    product.assign(0.0)
    load_checkpoint(case["model"], tmp_path / "net")
    assert product.numpy() == value


def _quantized(keras, mode):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(4)(inputs)))
    for layer in model.layers[1:]:
        layer.quantize(mode)
    return model


def test_a_layer_that_is_quantised_is_carried_for_inference_and_refused_for_training(reader, tmp_path, keras3):
    model = _quantized(keras3, "int8")
    with pytest.raises(ValueError, match='custom_gradient that changes the gradient.*graph="inference"'):
        export_checkpoint(model, tmp_path / "net")
    export_checkpoint(model, tmp_path / "net", graph="inference")
    x = np.random.RandomState(0).standard_normal((16, 6)).astype("float32")
    found = predictions(reader, tmp_path / "net", x)
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5)


def test_a_gradient_that_is_changed_inside_of_a_loop_is_refused_with_its_layer(keras, tmp_path):
    @tf.custom_gradient
    def reverse(x):
        return tf.tanh(x), lambda gradient: -gradient

    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, keras.layers.GRU(4, activation=reverse, name="gru_that_reverses")(inputs))
    model.compile("sgd", "mse")
    with pytest.raises(UnsupportedModelError, match="gru.* holds a tf.custom_gradient that changes the gradient"):
        export_checkpoint(model, tmp_path / "net")


def test_float8_is_refused_with_its_type(tmp_path, keras3):
    model = _quantized(keras3, "float8")
    with pytest.raises(UnsupportedOpError, match="the type float8_e4m3fn does not exist there"):
        export_checkpoint(model, tmp_path / "net", graph="inference")


def test_states_of_a_stateful_rnn_go_on_from_batch_to_batch_by_update_ops(keras, reader, tmp_path):
    inputs = keras.Input(batch_size=8, shape=(5, 3))
    hidden = keras.layers.GRU(4, stateful=True, return_sequences=True)(inputs)
    model = keras.Model(inputs, keras.layers.LSTM(2, stateful=True)(hidden))
    model.compile("sgd", "mse")
    draw = np.random.RandomState(0)
    x, y = draw.standard_normal((24, 5, 3)).astype("float32"), draw.standard_normal((24, 2)).astype("float32")
    callback = GenSynthExportCallback(tmp_path / "net", save_freq="train_end")
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[callback])
    np.save(tmp_path / "x.npy", x)
    reader.run(
        """
        import sys, numpy as np, tensorflow as tf
        prefix, folder = sys.argv[1:]
        v1 = tf.compat.v1
        session = v1.Session()
        v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
        serving = v1.MetaGraphDef.FromString(open(prefix + ".meta", "rb").read()).signature_def["serving_default"]
        (fed,), (out,) = serving.inputs.values(), serving.outputs.values()
        layers = [op for op in v1.get_collection("update_ops") if "metrics" not in op.name and "loss" not in op.name]
        x = np.load(folder + "/x.npy")
        found = [session.run([out.name, layers], {fed.name: x[at : at + 8]})[0] for at in (0, 8, 16)]
        np.save(folder + "/y.npy", np.concatenate(found))
        """,
        tmp_path / "net",
        tmp_path,
    )
    found, expected = np.load(tmp_path / "y.npy"), model.predict(x, batch_size=8, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(expected[:8] - model.predict(x[:8], batch_size=8, verbose=0)).max() > 1e-4
