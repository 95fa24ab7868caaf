"""Exports look like what TensorFlow 1.15's own tf.keras builds: the same ops, and hardly more of them."""

import collections
import json

import carried_models
import contract
import plain_models
import pytest
import tensorflow as tf
from kerases import KERASES, module_of
from needs import needs

from keras_gensynth_callback.export.exporter import Exporter
from keras_gensynth_callback.graph import WHILE_CONTEXT, node_of
from keras_gensynth_callback.options import ExportOptions

COUNT_IN_TF1 = """
    import collections, json, sys
    import tensorflow as tf

    keras, layers = tf.keras, tf.keras.layers

    def forward(output):
        seen, todo = set(), [output.op]
        while todo:
            op = todo.pop()
            if op not in seen:
                seen.add(op)
                todo += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
        return collections.Counter(op.type for op in seen)

    counts = []
    for mask_zero in (False, True):
        inputs = keras.Input((7,), dtype="int32")
        hidden = layers.Embedding(20, 4, mask_zero=mask_zero)(inputs)
        hidden = layers.LSTM(5, recurrent_activation="sigmoid", implementation=2)(hidden)
        counts.append(forward(layers.Dense(2, activation="softmax")(layers.Dropout(0.5)(hidden))))
    print(json.dumps(counts))
"""


def forward(model, graph="inference"):
    """The ops that the model's output depends on: dict, op -> how often."""
    exporter = Exporter(model, ExportOptions(graph=graph))
    exporter.prepare()
    lifted = exporter.lifted
    names = lifted.graph.ancestors(map(node_of, lifted.outputs.values()))
    return lifted, collections.Counter(lifted.graph.nodes[name].op for name in names)


@needs(keras3="3.1", reason="Keras 3.0 adds the bias of a dense layer by `Add`")
def test_dense_is_matmul_and_bias_add(keras):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu", name="dense")])
    lifted, ops = forward(model)
    assert ops == {"Placeholder": 1, "VarHandleOp": 2, "ReadVariableOp": 2, "MatMul": 1, "BiasAdd": 1, "Relu": 1}
    assert {"dense/MatMul", "dense/BiasAdd", "dense/Relu"} <= set(lifted.graph.nodes)


def test_convolution_batch_normalization_and_relu_are_an_op_each(keras):
    layers = keras.layers
    block = [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(6.0)]
    _, ops = forward(keras.Sequential([keras.Input((8, 8, 2)), *block]))
    assert ops == {
        "Placeholder": 1,
        "VarHandleOp": 5,
        "ReadVariableOp": 5,
        "Conv2D": 1,
        "FusedBatchNormV3": 1,
        "Relu6": 1,
    }


def test_kernels_of_masked_recurrent_layers_are_read_once(keras):
    layers = keras.layers
    inputs = keras.Input((7,), dtype="int32")
    hidden = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(
        layers.Embedding(20, 4, mask_zero=True)(inputs)
    )
    hidden = layers.GRU(3, reset_after=False, return_sequences=True)(hidden)
    _, ops = forward(keras.Model(inputs, layers.SimpleRNN(2)(hidden)), graph="trainable")
    assert ops["MatMul"] == 2 * 2 + 3 + 2


@pytest.fixture(scope="module")
def counted_in_tf1(reader):
    return json.loads(reader.run(COUNT_IN_TF1))


@pytest.mark.parametrize("mask_zero", [False, True])
def test_lstm_has_no_more_nodes_than_that_of_tensorflow_1(keras, counted_in_tf1, mask_zero):
    layers = keras.layers
    inputs = keras.Input((7,), dtype="int32")
    hidden = layers.LSTM(5)(layers.Embedding(20, 4, mask_zero=mask_zero)(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Dropout(0.5)(hidden)))
    model.compile("adam", "sparse_categorical_crossentropy")
    _, ops = forward(model, graph="trainable")
    native = counted_in_tf1[mask_zero]
    assert native["MatMul"] >= 3
    assert sum(ops.values()) <= sum(native.values())
    # Each variable of the loop has one; TF 1.15 has no second counter.
    assert ops["LoopCond"] == native["LoopCond"] and ops["NextIteration"] <= native["NextIteration"] + 1
    assert ops["LogicalAnd"] == 0
    assert ops["Select"] == native.get("Select", 0)


def several_passes_one_behind_the_other(keras):
    """tf_keras's Dropout passes on what it is given by an `Identity`, and so does a rewritten `Einsum`."""
    layers = keras.layers
    dense = layers.EinsumDense("abc,cd->abd", output_shape=(None, 4))
    passes = [layers.Dropout(0.1), layers.Dropout(0.2), layers.Activation("linear"), layers.Lambda(keras_identity)]
    return {"model": keras.Sequential([keras.Input((3, 5)), dense, *passes, layers.Dropout(0.3, name="last")])}


def keras_identity(values):
    return tf.identity(values)


SERVED = [
    plain_models.sequential_convnet,
    carried_models.dropout_noise_and_augmentation,
    plain_models.masked_embedding_and_lstm,
    carried_models.recurrent_dropout_and_wrappers,
    plain_models.attention,
    carried_models.average_of_weights_in_train_step,
    carried_models.conditions_and_loops,
    carried_models.metrics_with_state,
    carried_models.two_players,
    several_passes_one_behind_the_other,
]
NEEDS = {
    **contract.NEEDS,
    several_passes_one_behind_the_other: needs(tf="2.10", reason="earlier versions do not have EinsumDense"),
}


@pytest.fixture(
    scope="module",
    params=[pytest.param((make, name), marks=NEEDS.get(make, ())) for make in SERVED for name in KERASES],
    ids=lambda case: f"{case[0].__name__}-{case[1]}",
)
def served(request):
    """What an inference export of a model holds."""
    make, keras_name = request.param
    exporter = Exporter(make(module_of(keras_name))["model"], ExportOptions(graph="inference"))
    exporter.prepare()
    return exporter.lifted


def needed_for_predictions(lifted):
    return lifted.graph.ancestors(map(node_of, lifted.outputs.values()))


def test_an_inference_graph_has_no_node_that_nothing_needs(served):
    graph = served.graph
    predicts = needed_for_predictions(served)
    around = ["save/control_dependency", "save/restore_all", *(f"{table.name}/table_init" for table in served.tables)]
    around += [f"{variable.name}/{op}" for variable in served.variables for op in ("Assign", "Read/ReadVariableOp")]
    # `tf.gradients` asks for the Exit of each variable of a loop, whether its last value is wanted or not.
    loops = [context for context in graph.contexts if context.kind == WHILE_CONTEXT]
    exits = {node_of(tensor) for loop in loops for tensor in loop.fields.loop_exit_names}
    assert set(graph.nodes) == predicts | graph.ancestors(around) | exits
    for loop in loops:
        assert predicts & {node_of(tensor) for tensor in loop.fields.loop_exit_names}


def test_an_inference_graph_has_no_variable_that_no_output_needs(served):
    handles = {name for name, node in served.graph.nodes.items() if node.op == "VarHandleOp"}
    assert {variable.name for variable in served.variables} == handles
    assert handles <= needed_for_predictions(served)
    assert {variable.kind for variable in served.variables} == {"weight"}


def test_an_inference_graph_has_no_identity_of_an_identity(served):
    nodes = served.graph.nodes
    identities = [node for node in nodes.values() if node.op == "Identity"]
    assert [node.name for node in identities if nodes[node_of(node.input[0])].op == "Identity"] == []
