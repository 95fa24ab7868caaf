"""What lifting gives: a graph, and what each thing in it is."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from keras_gensynth_callback.graph import EditableGraph

from .adapters import Variable
from .spec import DataSpec
from .tracing import Table


@dataclass(frozen=True, eq=False, repr=False)
class Lifted:
    """A model as a v1 graph. All tensors and ops by name.

    Attributes:
        graph: EditableGraph.
        data: the DataSpecs of what `predict_step` and the other steps are fed with.
        variables: list of Variable, all that the graph holds; trainable ones in the order of
            `model.trainable_variables`.
        tables: list of Table, the lookup tables that the graph holds.
        inputs, targets, sample_weights: dicts, Keras name -> placeholder tensor.
        step_inputs: dict, the same for what the train step is fed with; `inputs`, but for models that train on
            something else.
        outputs: dict, Keras output name -> tensor.
        learning_phase: str, the placeholder's tensor, or None in an inference graph.
        loss: str, the scalar that Keras minimises, or None.
        losses, regularization_losses: lists of scalars; together they add up to `loss`.
        metrics: dict, name -> (tensor of the value, tensor of the value after an update).
        updates: list of ops that update layer state and metrics.
        train_op: str, the op that does what Keras's train step does, or None.
        global_step: str, name of the iteration counter's variable, or None.
        initial_values: dict, variable name -> ndarray, where a reset gives something else than zeros.
        evaluates: bool, whether the model has a test step that runs.
        notes: list of str, what could not be carried over.
        keras: str, the Keras and its version.
    """

    graph: EditableGraph
    data: Tuple[DataSpec, DataSpec]
    variables: List[Variable]
    tables: List[Table]
    inputs: Dict[str, str]
    step_inputs: Dict[str, str]
    targets: Dict[str, str]
    sample_weights: Dict[str, str]
    outputs: Dict[str, str]
    learning_phase: Optional[str]
    loss: Optional[str]
    losses: List[str]
    regularization_losses: List[str]
    metrics: Dict[str, Tuple[str, str]]
    updates: List[str]
    train_op: Optional[str]
    global_step: Optional[str]
    evaluates: bool
    initial_values: Dict[str, np.ndarray]
    notes: List[str]
    keras: str

    def __repr__(self):
        return (
            f"<Lifted: {len(self.graph.nodes)} nodes, inputs {list(self.inputs)}, outputs {list(self.outputs)}, "
            f"{len(self.variables)} variables, metrics {list(self.metrics)}>"
        )
