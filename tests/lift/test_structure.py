"""What is checked of each export before it is written."""

import dataclasses

import numpy as np
import pytest

from keras_gensynth_callback import GenSynthExportCallback, export_checkpoint
from keras_gensynth_callback.errors import DefectError, GenSynthExportError
from keras_gensynth_callback.graph import EditableGraph, node_of
from keras_gensynth_callback.lift import lift, structure
from keras_gensynth_callback.lift.lifted import Lifted

FLOAT = 1  # tf.float32's DataType


def _lifted(**changed):
    """A lifted `y = w * x` with a loss, a metric and a train step, as a graph of few nodes."""
    graph = EditableGraph()
    graph.add("Placeholder", "x", dtype=FLOAT)
    graph.add("Placeholder", "y_target", dtype=FLOAT)
    graph.add("VarHandleOp", "w", shared_name="w")
    graph.add("VarHandleOp", "total", shared_name="total")
    graph.add("ReadVariableOp", "w/Read", ["w"])
    graph.add("Mul", "y", ["w/Read", "x"])
    graph.add("Sub", "loss", ["y", "y_target"])
    graph.add("AssignVariableOp", "w/step", ["w", "loss"])
    graph.add("AssignVariableOp", "total/step", ["total", "loss"])
    graph.add("NoOp", "train_op", ["^w/step", "^total/step"])
    graph.add("ReadVariableOp", "total/Read", ["total"])
    fields = dict(
        graph=graph,
        inputs={"x": "x:0"},
        step_inputs={"x": "x:0"},
        targets={"y_target": "y_target:0"},
        sample_weights={},
        outputs={"y": "y:0"},
        loss="loss:0",
        metrics={"total": ("total/Read:0", "loss:0")},
        train_op="train_op",
    )
    rest = dict.fromkeys(field.name for field in dataclasses.fields(Lifted))
    return Lifted(**{**rest, **fields, **changed})


def test_a_graph_in_which_all_is_well_passes():
    structure.check_structure(_lifted(), changed=["w", "total"], differentiated=["w"])
    structure.check_metric_values(_lifted())


def test_a_placeholder_that_nobody_can_feed_is_named():
    lifted = _lifted()
    lifted.graph.add("Placeholder", "layer/gradient", dtype=FLOAT)
    with pytest.raises(DefectError, match="`layer/gradient`, which nobody can feed.*please report it"):
        structure.check_structure(lifted)


@pytest.mark.parametrize(
    "changed, what",
    [
        ({"outputs": {"y": "loss:0"}}, "The output `y` depends on `y_target`"),
        ({"step_inputs": {}, "loss": "y:0", "metrics": {}}, "The loss depends on `x`"),
        ({"targets": {}, "inputs": {"x": "x:0", "y": "y_target:0"}, "loss": None}, "The metric `total` depends on"),
    ],
)
def test_what_a_signature_gives_depends_on_what_it_takes_alone(changed, what):
    with pytest.raises(DefectError, match=f"{what}.*none of the inputs of its signature"):
        structure.check_structure(_lifted(**changed))


def test_a_variable_that_only_keras_trains_is_named():
    with pytest.raises(DefectError, match="train step of Keras changes `other`, and that of the graph does not"):
        structure.check_structure(_lifted(), changed=["w", "other"])


def test_a_variable_that_the_loss_lost_is_named():
    with pytest.raises(DefectError, match="loss of Keras depends on `other`, and that of the graph does not"):
        structure.check_structure(_lifted(), differentiated=["w", "other"])


def test_a_value_of_a_metric_that_depends_on_data_is_named():
    with pytest.raises(DefectError, match="value of the metric `total` depends on `x`, `y_target`"):
        structure.check_metric_values(_lifted(metrics={"total": ("loss:0", "loss:0")}))


def _model(keras, call=lambda inputs: 2.0 * inputs):
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return call(inputs)

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((3,)), Own(), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def test_each_lifted_model_is_checked(keras, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "keras_gensynth_callback.lift.lifting.check_structure",
        lambda lifted, changed, differentiated: seen.append((changed, differentiated)),
    )
    lifted = lift(_model(keras))
    (((changed, differentiated)),) = seen
    weights = [variable.name for variable in lifted.variables if variable.trainable]
    assert sorted(differentiated) == sorted(weights)
    assert set(weights) < set(changed) and lifted.global_step in changed
    structure.check_metric_values(lifted)
    assert {node_of(tensor) for tensor in lifted.inputs.values()} <= set(lifted.graph.nodes)


@pytest.mark.parametrize("broken", ["fit_to_target", "lift"])
def test_whatever_fails_is_an_error_of_the_package_with_its_cause(keras, monkeypatch, tmp_path, broken):
    def fail(*_, **__):
        raise KeyError("seq_target")

    monkeypatch.setattr(f"keras_gensynth_callback.export.exporter.{broken}", fail)
    with pytest.raises(DefectError, match="KeyError: 'seq_target'.*please report it with the model") as failed:
        export_checkpoint(_model(keras), tmp_path / "net")
    assert isinstance(failed.value.__cause__, KeyError)
    assert isinstance(failed.value, GenSynthExportError)


def test_with_on_error_warn_training_goes_on_whatever_fails(keras, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise ZeroDivisionError("in a pass")

    monkeypatch.setattr("keras_gensynth_callback.export.exporter.fit_to_target", fail)
    model = _model(keras)
    callback = GenSynthExportCallback(tmp_path / "net", on_error="warn")
    with pytest.warns(UserWarning, match="ZeroDivisionError: in a pass"):
        model.fit(np.ones((4, 3), "f4"), np.ones((4, 1), "f4"), verbose=0, callbacks=[callback])
    assert callback.latest_checkpoint is None


def test_an_interrupted_trace_stays_an_interrupt_and_leaves_the_model_as_it_was(keras, tmp_path):
    interrupts = []

    def call(inputs):
        if interrupts:
            raise KeyboardInterrupt
        return 2.0 * inputs

    model = _model(keras, call)
    before = [np.array(weight) for weight in model.get_weights()]
    interrupts.append(True)
    with pytest.raises(KeyboardInterrupt):
        export_checkpoint(model, tmp_path / "net")
    interrupts.clear()
    for weight, kept in zip(model.get_weights(), before):
        np.testing.assert_array_equal(weight, kept)
    export_checkpoint(model, tmp_path / "net")
    model.fit(np.ones((4, 3), "f4"), np.ones((4, 1), "f4"), verbose=0)
