"""Weights and outputs of unusual types, and variables that no layer lists."""

import numpy as np
import pytest
import tensorflow as tf
import unusual_values
from kerases import KERASES
from replayed import replay

from keras_gensynth_callback import build_graph
from keras_gensynth_callback.errors import InvalidArgumentError, UnsupportedModelError


@pytest.fixture(scope="module", params=KERASES)
def replayed(request, reader, tmp_path_factory):
    return replay(unusual_values.ALL, request.param, [reader], tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("made", [make.__name__ for make in unusual_values.WEIGHTS])
def test_models_with_such_weights_train_as_in_keras(replayed, made):
    case = replayed[made].checked("1.15")
    assert case.names("predict") and case.names("evaluate") and case.names("trained")
    case.assert_within({"predict": 1e-5, "evaluate": 1e-5, "after": 1e-5, "trained": 1e-4})


@pytest.mark.parametrize("made", [make.__name__ for make in unusual_values.OUTPUTS])
def test_outputs_of_any_kind_are_tensors(replayed, made):
    case = replayed[made].checked("1.15")
    assert len(case.names("predict")) == len(case.manifest["tensors"]["outputs"])
    assert case.worst("predict")[0] <= 1e-5


def test_a_layer_behind_one_that_writes_stands_once(replayed):
    folder = replayed["an_assertion_and_a_write_in_a_branch"].checked("1.15").folder
    meta = tf.compat.v1.MetaGraphDef.FromString((folder / "net.meta").read_bytes())
    products = [node.name for node in meta.graph_def.node if node.op == "MatMul" and "training/" not in node.name]
    assert len(products) == 1, products


def _initialised(model):
    """What `tf.global_variables_initializer()` gives: dict, name of a variable -> ndarray."""
    graph = build_graph(model)
    with tf.compat.v1.Session(graph=graph) as session:
        variables = graph.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)
        session.run([variable.initializer for variable in variables])
        return {variable.op.name: session.run(variable) for variable in variables}


def test_a_weight_of_any_type_is_initialised_as_its_layer_says(keras):
    class Own(keras.layers.Layer):
        def build(self, shape):
            for dtype in ("bool", "int8", "uint8", "int64", "complex64"):
                setattr(self, f"own_{dtype}_initializer", keras.initializers.Ones() if dtype != "complex64" else None)
                self.add_weight(name=f"own_{dtype}", shape=(3,), dtype=dtype, initializer="ones", trainable=False)

        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((3,)), Own(name="own"), keras.layers.Dense(1)])
    values = _initialised(model)
    own = {name: value for name, value in values.items() if name.startswith("own/")}
    assert {name: value.dtype.name for name, value in own.items()} == {
        f"own/own_{dtype}": dtype for dtype in ("bool", "int8", "uint8", "int64", "complex64")
    }
    assert {name: value.tolist() for name, value in own.items()} == {
        name: [0.0 if name.endswith("complex64") else 1] * 3 for name in own
    }


def test_outputs_that_are_none_are_left_out(keras):
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x), None

    model = Own()
    model(np.ones((2, 3), "float32"))
    graph = build_graph(model)
    assert graph.get_collection(tf.compat.v1.GraphKeys.MODEL_VARIABLES)


@pytest.mark.parametrize("kind, way_out", [("SparseTensor", "tf.sparse.to_dense"), ("RaggedTensor", "to_tensor")])
def test_an_output_that_is_not_dense_is_refused_with_the_way_out(keras, kind, way_out):
    make = {"SparseTensor": tf.sparse.from_dense, "RaggedTensor": tf.RaggedTensor.from_tensor}[kind]

    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return make(self.dense(x))

    model = Own()
    model(np.ones((2, 3), "float32"))
    with pytest.raises(UnsupportedModelError, match=f"`own` returns a {kind}.*{way_out}"):
        build_graph(model)


@pytest.mark.parametrize("kind, way_out", [("sparse", "tf.sparse.to_dense"), ("ragged", "to_tensor")])
def test_an_input_that_is_not_dense_is_refused_with_the_way_out(keras, kind, way_out):
    inputs = keras.Input((4,), **{kind: True})
    outputs = keras.layers.Identity()(inputs)
    with pytest.raises(InvalidArgumentError, match=f"a {kind} input of shape .*{way_out}"):
        build_graph(keras.Model(inputs, outputs))
